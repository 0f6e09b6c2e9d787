//! Czech letters: text folded for searching, and keys that sort as a Czech reader expects.

/// The text in lower case without diacritics, for searching: `Říha` and `riha` become the same.
pub fn fold(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .map(plain)
        .collect()
}

/// A key in whose byte order names stand as in a Czech directory: č after c, ch after h, ř after r, š after s, ž after z;
/// other diacritics do not count.
pub fn sort_key(text: &str) -> String {
    let lower: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut key = String::with_capacity(text.len() + 4);
    let mut index = 0;
    while index < lower.len() {
        let letter = lower[index];
        if letter == 'c' && lower.get(index + 1) == Some(&'h') {
            key.push_str("h~");
            index += 1;
        } else {
            key.push(plain(letter));
            if matches!(letter, 'č' | 'ř' | 'š' | 'ž') {
                key.push('~');
            }
        }
        index += 1;
    }
    key
}

/// The letter without its diacritic, for the alphabets of Central Europe.
fn plain(letter: char) -> char {
    match letter {
        'á' | 'ä' | 'à' | 'ą' | 'â' | 'ă' => 'a',
        'č' | 'ć' | 'ç' => 'c',
        'ď' => 'd',
        'é' | 'ě' | 'è' | 'ë' | 'ę' => 'e',
        'í' | 'î' | 'ï' => 'i',
        'ľ' | 'ĺ' | 'ł' => 'l',
        'ň' | 'ń' => 'n',
        'ó' | 'ö' | 'ô' | 'ő' => 'o',
        'ř' | 'ŕ' => 'r',
        'š' | 'ś' => 's',
        'ť' => 't',
        'ú' | 'ů' | 'ü' | 'ű' => 'u',
        'ý' => 'y',
        'ž' | 'ź' | 'ż' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{fold, sort_key};

    #[test]
    fn searching_ignores_case_and_diacritics() {
        assert_eq!(fold("Příliš ŽLUŤOUČKÝ"), "prilis zlutoucky");
    }

    #[test]
    fn names_sort_as_in_a_czech_directory() {
        let mut names = [
            "Žák", "Chalupa", "Hora", "Čech", "Zeman", "Cibulka", "Ivan", "Rys", "Řezáč", "Dvořák",
        ];
        names.sort_by_key(|name| sort_key(name));
        assert_eq!(
            names,
            [
                "Cibulka", "Čech", "Dvořák", "Hora", "Chalupa", "Ivan", "Rys", "Řezáč", "Zeman",
                "Žák"
            ]
        );
    }
}
