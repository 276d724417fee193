//! How long leavers had access after their leaving was sent, by what the simulator received.

use std::collections::HashMap;

use rollcall_fluent_sim::{JournalEntry, SimHandle};

use super::figures::{Times, row};

/// A leaver: its name and when its request was sent and answered, in ms since 1970.
pub(crate) struct Leaver {
    pub(crate) name: String,
    pub(crate) sent: f64,
    pub(crate) answered: f64,
}

/// From the request being sent, and from its 2xx (its event is durable before that), to the deactivating mutation being
/// read by the simulator.
pub(crate) fn tell(sim: &SimHandle, from: u64, leavers: &[Leaver], mark: &str) {
    let journal = sim.journal_since(from);
    let deactivates = |entry: &&JournalEntry| entry.status.as_deref() == Some("INACTIVE");
    let mut out = HashMap::new();
    for entry in journal.iter().filter(deactivates) {
        out.entry(entry.username.clone().unwrap())
            .or_insert(entry.received_at as f64);
    }
    let (mut sent, mut durable) = (Times::default(), Times::default());
    for leaver in leavers {
        let at = out.get(&leaver.name).expect("every leaver is out");
        sent.add(at - leaver.sent);
        durable.add((at - leaver.answered).max(0.0));
    }
    let first = sent.first();
    row("leaver: sent -> deactivation at the simulator", sent.line());
    row(
        "leaver: answered -> deactivation at the simulator",
        durable.line(),
    );
    row(
        "  the first, behind all that was appended",
        format!("{first:.0} ms"),
    );
    row("", mark);
}
