//! The desired user of an account as a value with texts.

use rollcall_domain::{Claimant, DesiredGrant, DesiredStatus, DesiredUser, Gains, Grant, Hold, Note, seal};
use serde_json::{Map, Value};

use super::outline::Outline;
use super::profile::{Mapped, map};
use crate::fold::{AccountIx, TenantState, UserIx};

impl TenantState {
    /// The user whose document is needed for [`TenantState::desired_user`]: the live claimant that speaks for
    /// the account, else one that is deactivated, whose name may be protected.
    pub(crate) fn document_of(&self, account: AccountIx) -> Option<UserIx> {
        self.live_claimants(account)
            .next()
            .or_else(|| self.claimants(account).next())
    }

    /// What Fluent should hold for the account. `attributes` are those of [`TenantState::document_of`].
    pub(crate) fn desired_user(
        &self,
        account: AccountIx,
        attributes: Option<&Map<String, Value>>,
    ) -> Option<DesiredUser> {
        self.expand(account, &self.outline(account), attributes)
    }

    pub(crate) fn expand(
        &self,
        account: AccountIx,
        outline: &Outline<'_>,
        attributes: Option<&Map<String, Value>>,
    ) -> Option<DesiredUser> {
        let key = self.accounts.get(account)?.key;
        let mapped = if outline.speaker.is_some() {
            map(attributes, &self.policy)
        } else {
            let protected = |hold: &Hold| matches!(hold, Hold::Protected);
            let holds = attributes
                .map(|a| map(Some(a), &self.policy).holds)
                .unwrap_or_default();
            Mapped {
                holds: holds.into_iter().filter(protected).collect(),
                ..Mapped::default()
            }
        };
        let withheld = outline.withheld || !mapped.holds.is_empty();
        let mut holds: Vec<Hold> = outline.holds.iter().map(|held| self.with_near(held)).collect();
        holds.extend(mapped.holds);
        holds.extend(outline.guards.iter().map(|cause| Hold::Guard { cause: *cause }));
        holds.extend(outline.several_connections.then_some(Hold::SeveralConnections));
        holds.sort_unstable();
        let mut notes: Vec<Note> = outline.notes.iter().map(|note| (*note).clone()).collect();
        notes.extend(outline.strings.iter().map(|text| Note::NotConvention {
            app_role: (*text).clone(),
        }));
        let groups = outline.names_only.iter().filter_map(|ix| self.groups.get(*ix));
        notes.extend(groups.map(|group| Note::NameOnly { group: group.id }));
        notes.extend(mapped.notes);
        notes.sort_unstable();
        let mut retained: Vec<Grant> = outline
            .retained
            .iter()
            .filter_map(|ix| self.roles.grants.get(*ix))
            .cloned()
            .collect();
        retained.sort_unstable();
        Some(DesiredUser {
            account: key,
            sequence: self.sequence,
            status: outline.status,
            gains: if withheld { Gains::Withheld } else { Gains::Allowed },
            profile: mapped.profile.map(|profile| seal(&profile)),
            grants: self.grants_of(outline),
            retained,
            holds,
            notes,
            claimants: self.claimant_list(account),
        })
    }

    fn grants_of(&self, outline: &Outline<'_>) -> Vec<DesiredGrant> {
        if matches!(outline.status, DesiredStatus::Inactive { .. }) {
            return Vec::new();
        }
        let mut grants: Vec<DesiredGrant> = outline
            .grants
            .chunk_by(|a, b| a.grant == b.grant)
            .filter_map(|same| {
                let grant = self.roles.grants.get(same.first()?.grant)?.clone();
                Some(DesiredGrant {
                    grant,
                    because: same.iter().map(|d| d.id).collect(),
                })
            })
            .collect();
        grants.sort_unstable();
        grants
    }

    /// Live ones first, then by the order of their claims.
    fn claimant_list(&self, account: AccountIx) -> Vec<Claimant> {
        let claimants = self
            .accounts
            .get(account)
            .map(|entry| entry.claimants.as_slice())
            .unwrap_or_default();
        let mut list: Vec<Claimant> = claimants
            .iter()
            .filter_map(|ix| self.users.get(*ix))
            .filter_map(|user| {
                let connection = crate::fold::ConnectionIx(u32::from(user.connection));
                Some(Claimant {
                    user: user.id,
                    connection: self.connections.get(connection)?.name.clone(),
                    live: user.is_live() && user.account == account,
                    external_key: user.external,
                })
            })
            .collect();
        list.sort_by_key(|claimant| !claimant.live);
        list
    }
}
