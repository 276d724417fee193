//! A fingerprint of a state: equal for equal histories, whoever folded them, whatever was stored between.

use rollcall_domain::GroupId;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::link::{Link, Since};
use super::slab::{GroupIx, UserIx};
use super::state::TenantState;

struct Hasher(Sha256);

impl Hasher {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }
    fn json<T: serde::Serialize>(&mut self, value: &T) {
        self.bytes(&serde_json::to_vec(value).unwrap_or_default());
    }
}

impl TenantState {
    /// SHA-256 over everything that events decide, hex. Not in it: what is still to be computed or published,
    /// which depends on when somebody looked.
    pub(crate) fn digest(&self, document: &mut dyn FnMut(UserIx) -> Option<Map<String, Value>>) -> String {
        let mut h = Hasher(Sha256::new());
        h.number(self.sequence.0);
        h.number(self.event_time.as_millis().cast_unsigned());
        let c = self.counts;
        for count in [
            c.users,
            c.active,
            c.groups,
            c.rejected,
            c.duplicates,
            c.unreadable,
            c.dropped_members,
            c.ahead_of_time,
        ] {
            h.number(count);
        }
        let clock = self.guard.clock;
        h.json(&(clock.now, clock.ahead));
        h.json(&(
            &self.policy,
            self.policy_since,
            &self.catalog,
            &self.rules.version,
            &self.rules.set,
            &self.rules.from_file,
        ));
        h.number(self.rules_since.0);
        self.digest_groups(&mut h);
        self.digest_users(&mut h, document);
        self.digest_accounts(&mut h);
        for entry in self.verdicts.iter() {
            h.json(&(entry.id, entry.sequence, entry.verdict));
        }
        for (at, count) in self.guard.losses() {
            h.json(&(at, count));
        }
        for (cause, trip) in &self.guard.trips {
            h.json(&(cause, trip.sequence, trip.open, trip.accounts.len()));
        }
        for (key, request) in &self.parts.requests {
            h.json(&(
                key,
                request.count,
                request.since,
                request.parts.keys().collect::<Vec<_>>(),
            ));
        }
        h.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn digest_groups(&self, h: &mut Hasher) {
        for (_, group) in self.groups.iter() {
            let connection = self.connections.get(group.connection).map(|c| &c.name);
            h.json(&(
                group.id,
                connection,
                &group.display_name,
                &group.external_id,
                group.deleted,
            ));
            h.json(&(
                group.revision,
                group.member_revision,
                group.created,
                group.changed,
            ));
            h.json(&(group.named.0, group.identified.0));
            h.json(&self.assigned_list(&group.roles));
            h.json(&sinces(&group.roles));
            h.json(&self.group_links(group.parents.iter().map(|(ix, since)| (*ix, *since))));
            h.json(&self.group_ids(&group.children));
            let mut users: Vec<UserIx> = group.users.iter().copied().collect();
            users.sort_unstable();
            h.json(
                &users
                    .iter()
                    .filter_map(|ix| self.users.get(*ix))
                    .map(|u| u.id)
                    .collect::<Vec<_>>(),
            );
        }
    }

    fn digest_users(&self, h: &mut Hasher, document: &mut dyn FnMut(UserIx) -> Option<Map<String, Value>>) {
        for (ix, user) in self.users.iter() {
            let account = self.accounts.get(user.account).map(|account| account.key);
            h.json(&(user.id, user.external, user.created, user.changed, user.revision));
            h.json(&(user.connection, user.active, user.deleted, account));
            h.json(&user.standing.0);
            h.json(&self.assigned_list(&user.roles));
            h.json(&sinces(&user.roles));
            h.json(&self.group_links(user.groups.iter().map(|link| (link.to, link.since))));
            if !user.deleted {
                h.json(&document(ix));
            }
        }
    }

    fn group_links(&self, groups: impl Iterator<Item = (GroupIx, Since)>) -> Vec<(GroupId, u32)> {
        let mut links: Vec<_> = groups
            .filter_map(|(ix, since)| Some((self.groups.get(ix)?.id, since.0)))
            .collect();
        links.sort_unstable();
        links
    }

    fn digest_accounts(&self, h: &mut Hasher) {
        for (_, account) in self.accounts.iter() {
            let claimants = account
                .claimants
                .iter()
                .filter_map(|ix| self.users.get(*ix))
                .map(|u| u.id);
            h.json(&(account.key, claimants.collect::<Vec<_>>()));
            for kept in account.kept.iter().flat_map(|kept| kept.iter()) {
                let mut grants: Vec<_> = kept
                    .grants
                    .iter()
                    .filter_map(|ix| self.roles.grants.get(*ix))
                    .collect();
                grants.sort_unstable();
                h.json(&(kept.cause, kept.rejected, grants));
            }
        }
    }
}

fn sinces<I>(links: &[Link<I>]) -> Vec<u32> {
    links.iter().map(|link| link.since.0).collect()
}
