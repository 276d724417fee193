//! Stage 2, pure: from the directory to what an account should hold, with every reason (DESIGN 7).
//!
//! `resolve` reads one app role against rules and catalog; `groups` collects what a member of a group gets;
//! `outline` puts an account together from indexes and hashes; `desired` and `explain` turn that into values
//! with texts, `evidence` names the events.

mod desired;
mod evidence;
mod explain;
mod groups;
mod near;
mod outline;
mod profile;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use groups::GroupRole;
pub(crate) use outline::GrantList;
pub(crate) use profile::user_name;
pub(crate) use resolve::{Resolution, resolve};
