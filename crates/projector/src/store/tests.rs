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
