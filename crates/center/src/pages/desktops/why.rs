//! Why a version was left again, in words. Whoever reaches the centre can have written it.

use obnova_text::Text;
use serde_json::Value;

/// Why.
pub(super) struct Why {
    /// In words.
    pub(super) words: String,
    /// What the computer said, where that is kept.
    pub(super) detail: Option<String>,
}

/// Kinds of reasons, and the value that each has.
const KINDS: &[(&str, &str)] = &[
    ("not_started", ""),
    ("crashed", "status"),
    ("silent", "seconds"),
    ("never_confirmed", "starts"),
    ("own_check", ""),
    ("refused", "server"),
    ("by_hand", ""),
];

impl Why {
    /// Of a reason as it is kept.
    pub(super) fn of(t: &Text, reason: Option<&str>) -> Self {
        let reason: Value = reason
            .and_then(|reason| serde_json::from_str(reason).ok())
            .unwrap_or_default();
        let text = |key: &str| match &reason[key] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let kind = text("reason").unwrap_or_default();
        let words = match KINDS.iter().find(|(name, _)| *name == kind) {
            Some((name, value)) => {
                let key = format!("desktops-why-{}", name.replace('_', "-"));
                let value = text(value).unwrap_or_else(|| "?".to_owned());
                t.with(&key, &[("value", &value)])
            }
            // A newer Desktop can have more of them.
            None => t.with("desktops-why-unknown", &[("value", &kind)]),
        };
        Self {
            words,
            detail: text("detail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use obnova_text::Lang;

    use super::*;

    #[test]
    fn every_reason_that_a_desktop_can_have_has_words() {
        use obnova_desktop::Reason;
        let detail = || "exec format error".to_owned();
        for reason in [
            Reason::NotStarted { detail: detail() },
            Reason::Crashed {
                status: "signal: 11".into(),
            },
            Reason::Silent { seconds: 60 },
            Reason::NeverConfirmed { starts: 3 },
            Reason::OwnCheck { detail: detail() },
            Reason::Refused {
                server: "1.0.0".into(),
            },
            Reason::ByHand,
        ] {
            let json = serde_json::to_string(&reason).unwrap();
            for lang in Lang::ALL {
                let why = Why::of(Text::of(lang), Some(&json));
                assert!(!why.words.starts_with("desktops-"), "{json}: {}", why.words);
                assert!(!why.words.contains('?'), "{json}: {}", why.words);
                assert_ne!(
                    why.words,
                    Why::of(Text::of(lang), Some(r#"{"reason":""}"#)).words
                );
                assert_eq!(why.detail.is_some(), json.contains("detail"), "{json}");
            }
        }
    }
}
