// Everything works without this; it asks before deleting and suggests records in reference fields.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

for (const input of document.querySelectorAll("input[data-suggest]")) {
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => suggest(input), 150);
  });
}

async function suggest(input) {
  const words = input.value.trim();
  if (words.length < 2 || words.includes("#")) return;
  const address = `${input.dataset.suggest}?per_page=12&q=${encodeURIComponent(words)}`;
  const answer = await fetch(address);
  if (!answer.ok) return;
  const { items } = await answer.json();
  const options = items.map((item) => {
    const option = document.createElement("option");
    option.value = `${item.label} #${item.id}`;
    return option;
  });
  input.list.replaceChildren(...options);
}
