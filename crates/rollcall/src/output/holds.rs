//! `rollcall holds`.

use super::table;
use crate::admin::api::{HeldAccount, HoldName, WaitingDecision};

/// What waits for a decision, then every held account.
#[must_use]
pub fn holds(decisions: &[WaitingDecision], accounts: &[HeldAccount]) -> String {
    if decisions.is_empty() && accounts.is_empty() {
        return "nothing is held\n".to_owned();
    }
    let mut text = String::new();
    if !decisions.is_empty() {
        let rows = decisions.iter().map(|decision| {
            vec![
                HoldName(decision.hold.clone()).to_string(),
                decision.affected.to_string(),
                decision.since.to_string(),
                decision.about.clone(),
            ]
        });
        text.push_str("waiting for a decision (rollcall approve HOLD, or --reject):\n\n");
        text.push_str(&table(&["hold", "affected", "since", "about"], rows));
        text.push_str("\n\n");
    }
    let rows = accounts.iter().flat_map(|account| {
        account.holds.iter().enumerate().map(move |(at, hold)| {
            let who = account
                .username
                .clone()
                .unwrap_or_else(|| account.account.to_string());
            let who = if at == 0 { who } else { String::new() };
            vec![who, hold.reason().to_owned(), hold.to_string()]
        })
    });
    if !accounts.is_empty() {
        text.push_str(&table(&["user", "reason", "what"], rows));
        text.push('\n');
    }
    text
}
