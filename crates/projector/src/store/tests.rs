#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_state_of_another_form_is_moved_aside_and_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let log = LogId([7; 16]);
    let mut store = open(&path, log).unwrap().store;
    store.meta.format = FORMAT - 1;
    store.commit(Commit::default(), 9).unwrap();
    store.flush().unwrap();
    drop(store);
    let opened = open(&path, log).unwrap();
    assert_eq!(opened.position, 0);
    assert!(dir.path().join("state.damaged-1").exists());
}

fn with_mails(mails: &[String]) -> Value {
    mails
        .iter()
        .map(|mail| serde_json::json!({"value": mail}))
        .collect()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]
    /// Against a list of who has what: before a commit, after it, and after the store was opened again.
    #[test]
    fn who_has_an_address_is_found_whatever_was_committed(
        steps in proptest::collection::vec(
            (
                0u32..4,
                proptest::collection::vec("[ab]@[xy]|[AB]@X|Ç@x|ç@X|ΟΣ@x|ος@x", 0..3),
                proptest::prelude::any::<bool>(),
            ),
            1..14,
        ),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let tenant = TenantId::new("acme").unwrap();
        let mut store = open(&path, LogId([7; 16])).unwrap().store;
        let mut state = TenantState::new();
        let mut mails = MailChanges::default();
        let mut model: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (user, new, commits) in steps {
            let old = model.insert(user, new.clone()).unwrap_or_default();
            mails.note(UserIx(user), Some(&with_mails(&old)), Some(&with_mails(&new)));
            if commits {
                let mut commit = Commit::default();
                store.stage(&mut commit, &tenant, &mut state, &DocumentChanges::default(), &mails);
                store.commit(commit, 1).unwrap();
                mails.clear();
            }
            for asked in ["a@x", "B@Y", "ç@x", "ΟΣ@X"] {
                let hash = mail_hash(asked);
                let number = store.number(&tenant);
                let mut found = store.documents().with_mail(number, hash, 100).unwrap();
                mails.apply(hash, &mut found);
                let has = |mails: &Vec<String>| mails.iter().any(|mail| mail.to_lowercase() == asked.to_lowercase());
                let expected: Vec<UserIx> =
                    model.iter().filter(|(_, mails)| has(mails)).map(|(user, _)| UserIx(*user)).collect();
                proptest::prop_assert_eq!(found, expected, "{}", asked);
            }
        }
        store.flush().unwrap();
        drop(store);
        let reopened = open(&path, LogId([7; 16])).unwrap();
        proptest::prop_assert!(!dir.path().join("state.damaged-1").exists(), "pages and index get on");
        drop(reopened);
    }
}
