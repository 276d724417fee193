//! Warnings in the log: each once a day, as long as its cause lasts.

use std::collections::BTreeMap;

use rollcall_domain::Timestamp;

/// Time between two lines about the same thing, in milliseconds: once a day.
const WARN_EVERY_MILLIS: i64 = 24 * 3600 * 1000;

/// What was warned of, and when last.
#[derive(Debug, Default)]
pub(super) struct Warned(BTreeMap<String, Timestamp>);

impl Warned {
    /// Logs those whose time has come. What is no longer among them is told at once should it come back.
    pub(super) fn tell(&mut self, warnings: Vec<String>, now: Timestamp) {
        for warning in self.due(warnings, now) {
            tracing::warn!("{warning}");
        }
    }

    fn due(&mut self, warnings: Vec<String>, now: Timestamp) -> Vec<String> {
        self.0.retain(|warning, _| warnings.contains(warning));
        let mut due = Vec::new();
        for warning in warnings {
            let last = self.0.get(&warning);
            if last.is_none_or(|last| now.millis_since(*last) >= WARN_EVERY_MILLIS) {
                self.0.insert(warning.clone(), now);
                due.push(warning);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_warning_is_repeated_once_a_day_and_told_anew_when_it_comes_back() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let mut warned = Warned::default();
        let mut due = |time: &str, warnings: &[&str]| {
            warned.due(
                warnings.iter().map(|&warning| warning.to_owned()).collect(),
                at(time),
            )
        };
        assert_eq!(due("2026-03-01T09:00:00Z", &["ends"]), ["ends"]);
        assert!(due("2026-03-02T08:59:59Z", &["ends"]).is_empty());
        assert_eq!(due("2026-03-02T09:00:00Z", &["ends", "short"]), ["ends", "short"]);
        assert!(due("2026-03-02T10:00:00Z", &["short"]).is_empty());
        assert_eq!(due("2026-03-02T10:00:01Z", &["ends"]), ["ends"]);
    }
}
