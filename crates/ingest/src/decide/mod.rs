//! Deciding: what a request means for the log. Pure: no clock, socket, randomness or async in here; ids and
//! the current resource come in as arguments, event data comes out.
//!
//! One request is one event, or none when it changes nothing. A change names only what changed and the
//! revision it was made against; membership is a difference.

mod bounds;
mod group;
mod members;
mod parts;
#[cfg(test)]
mod tests;
mod user;

pub(crate) use bounds::{BeyondBound, group_within_bounds, nesting_within_bounds, user_within_bounds};
pub(crate) use group::{GroupWanted, MemberChange, change_group, create_group, is_repeated_group};
pub(crate) use members::{MemberRef, member_set};
pub(crate) use parts::in_parts;
pub(crate) use user::{UserWanted, change_user, create_user, is_rehire, is_repeated};
