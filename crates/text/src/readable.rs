//! Values as people of each language write them, the same on pages, in mails and on the command line.

use crate::{Lang, Text};

/// A number of bytes, in powers of 1000 as disks and downloads are sold.
pub fn bytes(count: u64, lang: Lang) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 99.95);
    format!("{}\u{a0}{}", decimal(value, digits, lang), UNITS[unit])
}

/// A number with so many digits after the point, or the comma.
pub fn decimal(value: f64, digits: usize, lang: Lang) -> String {
    let text = format!("{value:.digits$}");
    match lang {
        Lang::Cs => text.replace('.', ","),
        Lang::En => text,
    }
}

impl Text {
    /// The words for a step's name: `protect_database` is the text `step-protect-database`.
    pub fn step(&self, name: &str) -> String {
        self.get(&format!("step-{}", name.replace('_', "-")))
    }

    /// A value of a problem as its texts show it: sizes become readable, and a step's name becomes its words.
    pub fn problem_value(&self, name: &str, value: &str) -> String {
        match (name, value.parse()) {
            ("needed" | "free", Ok(count)) => bytes(count, self.lang()),
            ("step", _) => self.step(value),
            _ => value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_language() {
        assert_eq!(bytes(12_345_678, Lang::Cs), "12,3\u{a0}MB");
        assert_eq!(bytes(999, Lang::En), "999\u{a0}B");
        assert_eq!(bytes(999_999, Lang::En), "1.0\u{a0}MB");
    }

    #[test]
    fn a_problem_names_sizes_with_one_unit_and_steps_in_words() {
        for (lang, size, step) in [
            (Lang::Cs, "1,2\u{a0}GB", "Převod databáze"),
            (Lang::En, "1.2\u{a0}GB", "Migrating the database"),
        ] {
            let t = Text::of(lang);
            let needed = t.problem_value("needed", "1234567890");
            assert_eq!(needed, size);
            let values = [("needed", needed.as_str()), ("free", "0"), ("path", "/")];
            let text = t.with("problem-disk-space", &values);
            assert!(text.contains(size) && !text.contains("byt") && !text.contains("bajt"));
            assert_eq!(t.problem_value("step", "migrate"), step);
        }
    }
}
