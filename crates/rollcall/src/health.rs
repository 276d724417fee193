//! `/livez` and `/readyz`: what they answer, as values; `ingest` serves them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use parking_lot::Mutex;

/// What an address of health answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthAnswer {
    /// 200 or 503.
    pub status: u16,
    /// Plain text: `ok`, or a line for every reason.
    pub body: String,
}

/// Why the instance is not ready, part by part. Parts are ready unless they say otherwise; the names of parts
/// are fixed words, so the number of reasons is bounded.
#[derive(Debug, Default)]
pub struct Health {
    not_ready: Mutex<BTreeMap<&'static str, String>>,
    ended: Mutex<BTreeMap<&'static str, String>>,
}

impl Health {
    /// A part is not ready, and why. The reason stands in `/readyz`: no names, no secrets.
    pub fn not_ready(&self, part: &'static str, why: impl Into<String>) {
        self.not_ready.lock().insert(part, why.into());
    }

    /// A part is ready.
    pub fn ready(&self, part: &'static str) {
        self.not_ready.lock().remove(part);
    }

    /// A part has ended and only a restart brings it back: the instance is neither ready nor alive any more.
    pub fn ended(&self, part: &'static str, why: impl Into<String>) {
        let why = why.into();
        self.ended.lock().insert(part, why.clone());
        self.not_ready(part, why);
    }

    /// Every part that is not ready, with its reason.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        lines(&self.not_ready.lock())
    }

    /// `/livez`: 200 while no part has ended. It says nothing about the world outside, so that no supervisor
    /// restarts the process for a fault that a restart cannot mend; what only a restart mends must not wait for
    /// a person, since no leaver is served until then.
    #[must_use]
    pub fn livez(&self) -> HealthAnswer {
        answer(&lines(&self.ended.lock()))
    }

    /// `/readyz`: 200 when requests can be served, else 503 and why not.
    #[must_use]
    pub fn readyz(&self) -> HealthAnswer {
        answer(&self.reasons())
    }
}

fn lines(parts: &BTreeMap<&'static str, String>) -> Vec<String> {
    parts.iter().map(|(part, why)| format!("{part}: {why}")).collect()
}

fn answer(reasons: &[String]) -> HealthAnswer {
    if reasons.is_empty() {
        return HealthAnswer {
            status: 200,
            body: "ok\n".to_owned(),
        };
    }
    let mut body = String::new();
    for reason in reasons {
        let _ = writeln!(body, "{reason}"); // a String takes everything
    }
    HealthAnswer { status: 503, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_what_no_part_denies() {
        let health = Health::default();
        assert_eq!(health.readyz().status, 200);
        health.not_ready("log", "opening");
        health.not_ready("projector", "1,200 events behind");
        let answer = health.readyz();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, "log: opening\nprojector: 1,200 events behind\n");
        assert_eq!(health.livez().status, 200, "alive all the while");
        health.ready("log");
        health.ready("projector");
        assert_eq!(health.readyz().status, 200);
    }

    #[test]
    fn what_only_a_restart_mends_is_told_to_the_supervisor() {
        let health = Health::default();
        health.ended("log", "a sync failed");
        for answer in [health.livez(), health.readyz()] {
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (503, "log: a sync failed\n")
            );
        }
    }
}
