//! One change in a plan.

use std::collections::BTreeSet;
use std::fmt;

use rollcall_domain::{FluentStatus, Grant, Profile};

/// One change. Doing any of them twice equals doing it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set the status. After a [`Step::CreateUser`] it is skipped when the new user has that status already.
    SetStatus(FluentStatus),
    /// Take pairs away.
    RemoveGrants(BTreeSet<Grant>),
    /// Create the user with its pairs.
    CreateUser(Box<NewUser>),
    /// Write profile fields.
    UpdateProfile(ProfileChange),
    /// Add pairs.
    AddGrants {
        /// What is to be there.
        missing: BTreeSet<Grant>,
        /// Pairs of the same roles that are there and stay. They are sent along, because nobody knows
        /// whether an update adds to the contexts of a role or replaces them (fluent.md 3.5); either way
        /// they stay.
        beside: BTreeSet<Grant>,
    },
}

impl Step {
    /// The step's name in texts and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SetStatus(_) => "set-status",
            Self::RemoveGrants(_) => "remove-grants",
            Self::CreateUser(_) => "create-user",
            Self::UpdateProfile(_) => "update-profile",
            Self::AddGrants { .. } => "add-grants",
        }
    }

    /// True for what takes the account's access away altogether.
    #[must_use]
    pub const fn deactivates(&self) -> bool {
        matches!(self, Self::SetStatus(FluentStatus::Inactive))
    }
}

/// A user to be created. Its password is made when it is sent and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// `username`, `ref`, names and e-mail.
    pub profile: Profile,
    /// `primaryEmail`: required by Fluent.
    pub primary_email: Email,
    /// `type`, from the policy.
    pub user_type: String,
    /// `timezone`, from the policy.
    pub timezone: String,
    /// Its first pairs.
    pub grants: BTreeSet<Grant>,
}

/// An e-mail address; not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(pub String);

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// Profile fields that differ. The values are not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ProfileChange {
    /// `firstName`.
    pub first_name: Option<String>,
    /// `lastName`.
    pub last_name: Option<String>,
    /// `primaryEmail`.
    pub primary_email: Option<String>,
}

impl ProfileChange {
    /// True when nothing differs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first_name.is_none() && self.last_name.is_none() && self.primary_email.is_none()
    }

    /// The names of the fields that differ, by Fluent's words.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        [
            self.first_name.is_some().then_some("firstName"),
            self.last_name.is_some().then_some("lastName"),
            self.primary_email.is_some().then_some("primaryEmail"),
        ]
        .into_iter()
        .flatten()
    }
}

impl fmt::Debug for ProfileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}
