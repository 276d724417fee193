//! A plan as text for people and for its hash: no personal value stands in it.

use std::collections::BTreeSet;
use std::fmt;

use rollcall_domain::Grant;
use sha2::{Digest as _, Sha256};

use super::{Plan, Step, Treatment};

/// Bytes kept of the SHA-256: enough to tell plans apart, short enough for a table.
const HASH_BYTES: usize = 16;

fn list<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> String {
    let names: Vec<String> = grants.into_iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetStatus(status) => write!(f, "set status {status}"),
            Self::RemoveGrants(grants) => write!(f, "remove {}", list(grants)),
            Self::CreateUser(new) if new.grants.is_empty() => f.write_str("create user"),
            Self::CreateUser(new) => write!(f, "create user with {}", list(&new.grants)),
            Self::UpdateProfile(change) => {
                let fields: Vec<&str> = change.fields().collect();
                write!(f, "write {}", fields.join(", "))
            }
            Self::AddGrants { missing, .. } => write!(f, "add {}", list(missing)),
        }
    }
}

/// One line per step, then what is adopted, foreign and held.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, grants: &BTreeSet<Grant>| {
            if grants.is_empty() {
                return Ok(());
            }
            writeln!(f, "{name}: {}", list(grants))
        };
        if self.steps.is_empty() {
            f.write_str(match self.treatment {
                Treatment::Managed => "as desired\n",
                Treatment::Untouched => "left alone\n",
            })?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            writeln!(f, "{}. {step}", index.saturating_add(1))?;
        }
        line(f, "adopt", &self.adopt)?;
        line(f, "foreign", &self.foreign)?;
        for hold in &self.holds {
            writeln!(f, "hold {}: {hold}", hold.reason())?;
        }
        Ok(())
    }
}

impl Plan {
    /// Hash of the plan's text, hex: two plans of an account with equal hashes do the same.
    #[must_use]
    pub fn hash(&self) -> String {
        let user = self.fluent_user.as_ref().map_or("new", |user| user.0.as_str());
        let text = format!("{} {user}\n{self}", self.account);
        let digest = Sha256::digest(text.as_bytes());
        digest
            .iter()
            .take(HASH_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
