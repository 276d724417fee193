//! `rollcall replay`: a desired user a line or more, as they come.

use std::fmt::Write as _;

use rollcall_domain::{DesiredStatus, Gains};

use super::table::clean;
use crate::admin::api::ReplayedUser;

/// One user for people.
#[must_use]
pub fn replayed(user: &ReplayedUser) -> String {
    let desired = &user.desired;
    let who = user
        .username
        .as_deref()
        .map_or_else(|| desired.account.to_string(), clean);
    let status = match desired.status {
        DesiredStatus::Active => "ACTIVE",
        DesiredStatus::Inactive { .. } => "INACTIVE",
        DesiredStatus::Keep => "as it is",
    };
    let held = if desired.gains == Gains::Withheld {
        ", held"
    } else {
        ""
    };
    let mut text = format!("{who}  {status}{held}");
    for grant in &desired.grants {
        let _ = write!(text, "\n    {}", clean(&grant.grant.to_string())); // a String takes everything
    }
    for grant in &desired.retained {
        let _ = write!(text, "\n    {} (kept)", clean(&grant.to_string()));
    }
    text
}
