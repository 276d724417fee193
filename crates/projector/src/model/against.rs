//! The fold and stage 2 against the model, after every event.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rollcall_domain::*;
use rollcall_eventlog::LogId;
use serde_json::{Map, Value};

use super::generate::{Op, events, name_key, ops};
use super::meaning::Why;
use super::{Fact, World};
use crate::fold::DocumentWrite;
use crate::store::{self, Commit, DocumentChanges, MailChanges, encode_document};
use crate::{Act, Evidence, TenantState};

fn way(source: &RoleSource) -> Option<(Vec<GroupId>, GroupRoleOrigin)> {
    match source {
        RoleSource::Personal => None,
        RoleSource::Group { path, origin } => Some((path.clone(), *origin)),
    }
}

fn why(d: &Derivation) -> Why {
    let by = match &d.expansion {
        Expansion::Direct => "direct".to_owned(),
        Expansion::Rule { logical_role } => format!("rule {logical_role}"),
        Expansion::AlsoRetailer { logical_role } => format!("also {logical_role}"),
    };
    (d.user, way(&d.source), d.app_role.0.clone(), by, d.grant.clone())
}

/// Whether evidence says that a fact holds since then.
fn says(evidence: &Evidence, (fact, since): &(Fact, u64)) -> bool {
    let same = match (evidence.act, fact) {
        (Act::Assigned, Fact::Assigned(..)) | (Act::RulesActivated, Fact::Rules) => true,
        (Act::AddedTo(group), Fact::Member(_, of))
        | (Act::NestedIn(group), Fact::Nested(_, of))
        | (Act::RoleGivenTo(group), Fact::Carries(of, _))
        | (Act::Named(group), Fact::Named(of, _))
        | (Act::Identified(group), Fact::Identified(of, _)) => group == *of,
        _ => false,
    };
    same && evidence.sequence.0 == *since
}

/// A hold without its near miss, which the model does not look for.
fn plain(hold: &Hold) -> Hold {
    match hold.clone() {
        Hold::UnknownRole { app_role, role, .. } => Hold::UnknownRole {
            app_role,
            role,
            near: None,
        },
        Hold::UnknownPlace {
            app_role,
            context_type,
            identifier,
            ..
        } => Hold::UnknownPlace {
            app_role,
            context_type,
            identifier,
            near: None,
        },
        other => other,
    }
}

fn check_account(state: &TenantState, world: &World, account: AccountKey) -> Result<(), TestCaseError> {
    let Some(ix) = state.account_ix(account) else {
        prop_assert!(!world.claims.contains_key(&account));
        return Ok(());
    };
    let document = state
        .document_of(ix)
        .and_then(|ix| state.users.get(ix))
        .map(|u| &world.users[&u.id].document);
    let explained = state.explanation(ix, document).unwrap();
    let desired = &explained.desired;
    let meaning = world.meaning(account);
    let whys: BTreeSet<Why> = explained.derivations.iter().map(why).collect();
    prop_assert_eq!(&whys, &meaning.whys);
    prop_assert_eq!(explained.derivations.len(), whys.len(), "every derivation once");
    for derivation in &explained.derivations {
        let chain = world.chain(&why(derivation));
        let evidence = &explained.evidence[&derivation.id];
        prop_assert!(
            evidence.len() == chain.len() && evidence.iter().zip(&chain).all(|(e, f)| says(e, f)),
            "{:?} for {:?}",
            evidence,
            chain
        );
    }
    let mut ids: BTreeMap<Grant, Vec<DerivationId>> = BTreeMap::new();
    for derivation in &explained.derivations {
        ids.entry(derivation.grant.clone())
            .or_default()
            .push(derivation.id);
    }
    let named: BTreeMap<Grant, Vec<DerivationId>> = desired
        .grants
        .iter()
        .map(|g| (g.grant.clone(), g.because.clone()))
        .collect();
    prop_assert_eq!(&named, &ids);
    prop_assert!(desired.grants.is_sorted() && desired.retained.is_sorted() && desired.holds.is_sorted());
    prop_assert_eq!(Some(desired.status), meaning.status);
    let retained: BTreeSet<Grant> = desired.retained.iter().cloned().collect();
    prop_assert_eq!(&retained, &meaning.retained);
    let personal = |hold: &Hold| {
        matches!(
            hold,
            Hold::NoEmail | Hold::Protected | Hold::UserNameTooLong { .. }
        )
    };
    let holds: BTreeSet<Hold> = desired.holds.iter().filter(|h| !personal(h)).map(plain).collect();
    prop_assert_eq!(&holds, &meaning.holds);
    let withheld = meaning.withheld || desired.holds.iter().any(personal);
    prop_assert_eq!(desired.gains == Gains::Withheld, withheld);
    let notes: BTreeSet<Note> = desired.notes.iter().cloned().collect();
    prop_assert_eq!(&notes, &meaning.notes);
    let live: Vec<UserId> = desired
        .claimants
        .iter()
        .filter(|c| c.live)
        .map(|c| c.user)
        .collect();
    prop_assert_eq!(live, world.live(account));
    prop_assert_eq!(desired.claimants.len(), world.claims[&account].len());
    Ok(())
}

fn check(state: &TenantState, history: &[Event]) -> Result<(), TestCaseError> {
    let world = World::after(history);
    prop_assert_eq!(state.sequence().0, world.sequence);
    prop_assert_eq!((state.guard.clock.now, state.counts.ahead_of_time), world.clock());
    for (id, verdict) in &world.verdicts {
        prop_assert_eq!(
            state.verdicts.get(*id).map(|s| s.verdict),
            Some(*verdict),
            "verdict of {}",
            id
        );
    }
    for number in 0..5 {
        check_account(state, &world, name_key(number))?;
    }
    for (id, group) in &world.groups {
        let ix = state.group_index[id];
        let entry = state.groups.get(ix).unwrap();
        prop_assert_eq!(entry.member_revision.0, group.member_revision);
        prop_assert_eq!(entry.users.len(), group.users.len());
    }
    Ok(())
}

/// A state in memory with the store beside it.
struct Rig {
    state: TenantState,
    documents: BTreeMap<UserId, Map<String, Value>>,
    changes: DocumentChanges,
    store: store::Store,
    dir: tempfile::TempDir,
}

const LOG: LogId = LogId([7; 16]);

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let opened = store::open(&dir.path().join("state"), LOG).unwrap();
        let (documents, changes) = (BTreeMap::new(), DocumentChanges::default());
        Self {
            state: TenantState::new(),
            documents,
            changes,
            store: opened.store,
            dir,
        }
    }

    fn take(&mut self, event: &Event) {
        let applied = self.state.apply(event);
        match applied.document {
            Some(DocumentWrite::Change(ix)) => {
                let user = self.state.users.get(ix).unwrap();
                let document = self.documents.entry(user.id).or_default();
                let personal = match &event.data {
                    EventData::UserCreated(d) => Some(&d.personal),
                    EventData::UserChanged(d) => d.personal.as_ref(),
                    _ => None,
                };
                if let Some(personal) = personal {
                    open::<PersonalChange>(personal).unwrap().apply(document);
                }
                self.changes
                    .insert(ix, Some(encode_document(user.revision, document)));
            }
            Some(DocumentWrite::Delete(ix)) => {
                self.changes.insert(ix, None);
            }
            None => {}
        }
    }

    /// Commits, forgets everything and loads it again.
    fn restart(&mut self) -> Result<(), TestCaseError> {
        let tenant = TenantId::new("acme").unwrap();
        let mut commit = Commit::default();
        self.store.stage(
            &mut commit,
            &tenant,
            &mut self.state,
            &self.changes,
            &MailChanges::default(),
        );
        self.changes.clear();
        self.store.commit(commit, self.state.sequence().0).unwrap();
        let before = self.digest();
        let waiting = self.state.dirty.len();
        let path = self.dir.path().join("state");
        self.store.flush().unwrap();
        // The old handle has to go before sled opens the directory again.
        let spare = tempfile::tempdir().unwrap();
        self.store = store::open(&spare.path().join("spare"), LOG).unwrap().store;
        let mut opened = store::open(&path, LOG).unwrap();
        prop_assert_eq!(opened.position, self.state.sequence().0);
        self.state = opened.tenants.remove(&tenant).unwrap();
        self.store = opened.store;
        prop_assert_eq!(self.digest(), before);
        prop_assert_eq!(self.state.dirty.len(), waiting);
        Ok(())
    }

    fn digest(&self) -> String {
        self.digest_of(&self.state)
    }

    /// With the documents of this rig.
    fn digest_of(&self, state: &TenantState) -> String {
        state.digest(&mut |ix| {
            state
                .users
                .get(ix)
                .and_then(|u| self.documents.get(&u.id))
                .cloned()
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_agrees_with_the_model_after_every_event(ops in ops()) {
        let mut state = TenantState::new();
        let mut history: Vec<Event> = Vec::new();
        for op in &ops {
            for event in events(op, &state, &history) {
                state.apply(&event);
                history.push(event);
                check(&state, &history)?;
            }
        }
    }

    #[test]
    fn an_event_taken_twice_counts_once(ops in ops(), again in any::<prop::sample::Index>()) {
        let (mut once, mut twice) = (TenantState::new(), TenantState::new());
        let mut history: Vec<Event> = Vec::new();
        for op in &ops {
            for event in events(op, &once, &history) {
                let first = once.apply(&event);
                let same = twice.apply(&event);
                prop_assert_eq!(first.settled.verdict, same.settled.verdict);
                history.push(event);
                let repeated = twice.apply(&history[again.index(history.len())]);
                prop_assert!(repeated.duplicate);
            }
        }
        for number in 0..5 {
            let desired = |state: &TenantState| {
                let ix = state.account_ix(name_key(number))?;
                let mut user = state.desired_user(ix, None)?;
                user.sequence = Sequence(0);
                Some(user)
            };
            prop_assert_eq!(desired(&once), desired(&twice));
        }
    }

    #[test]
    fn what_was_decided_as_clean_is_still_as_it_was(ops in ops()) {
        // Every account whose outline changed must wait in the dirty set.
        let mut state = TenantState::new();
        let mut history: Vec<Event> = Vec::new();
        let mut looked_at: BTreeMap<AccountKey, u64> = BTreeMap::new();
        for op in &ops {
            for event in events(op, &state, &history) {
                state.apply(&event);
                history.push(event);
                loop {
                    let next = crate::Lane::ALL.into_iter().find_map(|lane| state.next_dirty(lane));
                    match next {
                        Some(ix) => {
                            let hash = state.outline_hash(ix, &state.outline(ix));
                            looked_at.insert(state.accounts.get(ix).unwrap().key, hash);
                        }
                        None if state.expand_dirty(2) => {}
                        None => break,
                    }
                }
                for (ix, account) in state.accounts.iter() {
                    let hash = state.outline_hash(ix, &state.outline(ix));
                    let marked = looked_at.get(&account.key);
 prop_assert_eq!(marked, Some(&hash), "account {} was not marked", account.key);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_state_that_was_stored_and_loaded_goes_on_as_if_nothing_had_been(ops in ops()) {
        let mut rig = Rig::new();
        let mut straight = TenantState::new();
        let mut history: Vec<Event> = Vec::new();
        for op in &ops {
            if matches!(op, Op::Restart) {
                rig.restart()?;
            }
            for event in events(op, &straight, &history) {
                straight.apply(&event);
                rig.take(&event);
                history.push(event);
            }
        }
        rig.restart()?;
        check(&rig.state, &history)?;
        let whole = rig.digest_of(&straight);
        prop_assert_eq!(rig.digest(), whole);
        let records: Vec<Vec<u8>> = history.iter().map(Event::encode).collect();
        let mut decoded = TenantState::new();
        for record in &records {
            decoded.apply_input(&crate::decode::decode(record).unwrap().input);
        }
        let bytes = rig.digest_of(&decoded);
        prop_assert_eq!(bytes, rig.digest(), "the borrowed reader gives what the events say");
    }
}

/// What a run of the generator met.
#[derive(Debug, Default)]
struct Met {
    names: BTreeSet<String>,
}

#[test]
fn the_generated_events_meet_what_matters() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut met = Met::default();
    for _ in 0..400 {
        let ops = ops().new_tree(&mut runner).unwrap().current();
        let (mut state, mut history) = (TenantState::new(), Vec::new());
        for op in &ops {
            for event in events(op, &state, &history) {
                let before = state.guard.clock;
                let applied = state.apply(&event);
                if state.guard.clock.ahead.is_some() {
                    met.names.insert("ahead of time".to_owned());
                }
                if before.ahead.is_some() && state.guard.clock.now > before.now + 86_400_000 {
                    met.names.insert("a leap that two agree on".to_owned());
                }
                let kind = event.data.kind();
                met.names.insert(match applied.settled.verdict {
                    crate::Verdict::Rejected { rejection } => format!("{rejection:?}")
                        .chars()
                        .take_while(|c| c.is_alphabetic())
                        .collect(),
                    verdict if verdict.is_accepted() => kind.to_owned(),
                    _ => "buffered".to_owned(),
                });
                history.push(event);
            }
            for cause in state.guard.trips.keys() {
                let event = history.iter().find(|event| event.id == *cause).unwrap();
                met.names.insert(format!("held by {}", event.data.kind()));
                if state.policy.guard.limit(state.counts.active).is_none() {
                    met.names.insert("held without a limit".to_owned());
                }
            }
            for (ix, account) in state.accounts.iter() {
                let desired = state.desired_user(ix, None).unwrap();
                met.names
                    .extend(desired.holds.iter().map(|hold| hold.reason().to_owned()));
                met.names.insert(format!("{:?}", desired.status));
                if desired.claimants.iter().filter(|c| c.live).count() > 1 {
                    met.names.insert("two live claimants".to_owned());
                }
                if account.kept.iter().flat_map(|k| k.iter()).any(|k| k.rejected) {
                    met.names.insert("a rejected loss".to_owned());
                }
                if state.successor(ix).is_some() {
                    met.names.insert("a successor".to_owned());
                }
                let explained = state.explanation(ix, None).unwrap();
                met.names
                    .extend(explained.evidence.values().flatten().map(|evidence| {
                        let act = format!("{:?}", evidence.act);
                        act.chars().take_while(|c| c.is_alphabetic()).collect()
                    }));
                for derivation in explained.derivations {
                    met.names.insert(match derivation.source {
                        RoleSource::Personal => "personal".to_owned(),
                        RoleSource::Group { path, origin } => format!("{origin:?} {}", path.len().min(3)),
                    });
                    met.names.insert(
                        format!("{:?}", derivation.expansion)
                            .chars()
                            .take_while(|c| c.is_alphabetic())
                            .collect(),
                    );
                }
            }
        }
    }
    for name in [
        "UserNameTaken",
        "GroupNameTaken",
        "IdTaken",
        "Missing",
        "RevisionMoved",
        "MemberRevisionMoved",
        "RulesMoved",
        "NoSuchHold",
        "WrongSource",
        "buffered",
        "rollcall.decision.recorded.v1",
        "rollcall.group.deleted.v1",
        "unknown-role",
        "unknown-place",
        "unknown-context-type",
        "ambiguous",
        "vanished",
        "several-connections",
        "guard",
        "held by rollcall.group.changed.v1",
        "held by rollcall.catalog.changed.v1",
        "held without a limit",
        "ahead of time",
        "a leap that two agree on",
        "Active",
        "Keep",
        "Inactive { reason: Deactivated }",
        "Inactive { reason: Deleted }",
        "Inactive { reason: NoRoles }",
        "two live claimants",
        "a rejected loss",
        "a successor",
        "personal",
        "Extension 1",
        "Extension 2",
        "RuleSet 1",
        "RuleSet 2",
        "DisplayName 1",
        "DisplayName 2",
        "Direct",
        "Rule",
        "AlsoRetailer",
        "AddedTo",
        "NestedIn",
        "RoleGivenTo",
        "Named",
        "Identified",
        "RulesActivated",
    ] {
        assert!(met.names.contains(name), "{name} was never met");
    }
}
