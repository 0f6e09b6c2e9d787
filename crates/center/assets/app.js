// What HTML cannot do by itself: modal dialogs, notices about a lost connection, forms that are sent only once.
// No page depends on this file: without it every button is a link or a form.
(() => {
  "use strict";

  // Opens a dialog that is already in the page, instead of following the link to its page.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener && !event.ctrlKey && !event.metaKey && event.button === 0) {
      const dialog = document.getElementById(opener.dataset.opens);
      if (dialog && !dialog.open) {
        event.preventDefault();
        dialog.showModal();
      }
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) {
      const dialog = closer.closest("dialog");
      if (dialog) {
        event.preventDefault();
        dialog.close();
      }
    }
  });

  // A dialog written as open is for browsers without script; with it, the dialog is modal and holds the focus.
  const raise = (root) => {
    for (const dialog of root.querySelectorAll("dialog[data-raise]")) {
      delete dialog.dataset.raise;
      dialog.close();
      dialog.showModal();
    }
  };

  // A screen reader announces what changes in a region that stays; the part of the page that says it is exchanged as a whole.
  const say = () => {
    const said = document.querySelector("[data-said]");
    const says = document.querySelector("[data-says]");
    if (said && says && said.textContent !== says.textContent) said.textContent = says.textContent;
  };

  const ready = () => {
    raise(document);
    say();
  };
  document.addEventListener("DOMContentLoaded", ready);
  document.addEventListener("htmx:afterSettle", ready);

  // Escape answers the window about an update's end as its button does, or it would be back at the next opening.
  document.addEventListener("cancel", (event) => {
    const form = event.target.id === "verdict" && event.target.querySelector("form");
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
  }, true);

  // Nothing is exchanged under somebody who is just answering a question in it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.querySelector("dialog[open]") && event.detail.target.id === "offer") event.detail.shouldSwap = false;
  });

  // The centre itself did not answer: say so instead of waiting for ever.
  const failed = (down) => {
    for (const notice of document.querySelectorAll("[data-failed]")) notice.hidden = !down;
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => failed(true));
  }
  document.addEventListener("htmx:beforeRequest", () => failed(false));

  // While the live connection is down the page says so; EventSource connects again by itself.
  const lost = (down) => {
    for (const notice of document.querySelectorAll("[data-lost]")) notice.hidden = !down;
  };
  document.addEventListener("htmx:sseError", () => lost(true));
  document.addEventListener("htmx:sseOpen", () => lost(false));

  // A form is sent once: the second click of a double click does nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (form.method === "post" && !form.hasAttribute("data-again")) {
      form.dataset.sent = "yes";
      for (const button of form.querySelectorAll("button:not([type=button])")) button.setAttribute("aria-busy", "true");
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.forms) delete form.dataset.sent;
    for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });
})();
