//! Faults that need no socket.

use std::time::Duration;

use serde_json::json;

use super::{Bench, CREATE, Fault, FaultKind, UPDATE, create_input, read};
use crate::core::Answer;
use crate::{JournalResult, RateAnswer};

#[test]
fn a_lost_response_is_applied_once() {
    let bench = Bench::new();
    bench.fault(Fault::new(FaultKind::LoseResponse).only("createUser").times(1));
    let input = json!({ "input": create_input("ann", &json!({})) });
    assert!(matches!(bench.raw(CREATE, &input), Answer::Cut));
    assert_eq!(bench.code(CREATE, &input), "C0123E");
    let journal = bench.core.with(|inner, _, _| inner.journal.since(0));
    assert_eq!(
        (journal[0].answered, &journal[0].result),
        (false, &JournalResult::Applied)
    );
}

#[test]
fn a_late_change_lands_when_its_time_comes_and_in_order() {
    let bench = Bench::new();
    bench.fault(
        Fault::new(FaultKind::LandLate { after_ms: 60_000 })
            .only("updateUser")
            .times(1),
    );
    let rename = |name| json!({ "input": { "id": "1", "firstName": name } });
    assert!(matches!(bench.raw(UPDATE, &rename("late")), Answer::Cut));
    assert_eq!(
        bench.data(UPDATE, &rename("early"))["updateUser"]["firstName"],
        "early"
    );
    bench.core.clock.advance(Duration::from_millis(59_999));
    assert_eq!(bench.core.pending(), 1);
    assert_eq!(
        bench.data("{ me { firstName } }", &json!({}))["me"]["firstName"],
        "early"
    );
    bench.core.clock.advance(Duration::from_millis(1));
    assert_eq!(
        bench.data("{ me { firstName } }", &json!({}))["me"]["firstName"],
        "late"
    );
    let journal = bench.core.with(|inner, _, _| inner.journal.since(0));
    let late = journal[0].applied_at.unwrap() - journal[0].received_at;
    assert_eq!((late, journal.len()), (60_000, 2));
}

#[test]
fn late_changes_can_be_made_to_land_at_once() {
    let bench = Bench::new();
    bench.fault(Fault::new(FaultKind::LandLate { after_ms: 60_000 }));
    let input = json!({ "input": create_input("ann", &json!({})) });
    assert!(matches!(bench.raw(CREATE, &input), Answer::Cut));
    assert_eq!(bench.core.land_all(), 1);
    assert!(
        bench
            .core
            .with(|inner, _, _| inner.state.user_by_name("ann").is_some())
    );
}

#[test]
fn a_rate_limit_refills_with_time_and_answers_both_ways() {
    let bench = Bench::new();
    bench.fault(Fault::new(FaultKind::RateLimit {
        per_second: 2.0,
        answer: RateAnswer::Code,
    }));
    let me = || bench.code("{ me { id } }", &json!({}));
    assert_eq!([me(), me(), me()], ["", "", "C0011E"]);
    bench.core.clock.advance(Duration::from_millis(500));
    assert_eq!([me(), me()], ["", "C0011E"]);
    bench.core.with(|inner, _, _| inner.faults.clear_all());
    let answer = RateAnswer::Http { retry_after: Some(9) };
    bench.fault(Fault::new(FaultKind::RateLimit {
        per_second: 1.0,
        answer,
    }));
    assert_eq!(me(), "");
    let limited = bench.raw("{ me { id } }", &json!({}));
    assert!(matches!(
        limited,
        Answer::Json {
            status: 429,
            retry_after: Some(9),
            ..
        }
    ));
}

#[test]
fn a_fault_keeps_to_its_operation_and_its_count() {
    let bench = Bench::new();
    let status = FaultKind::Status {
        status: 503,
        retry_after: None,
    };
    bench.fault(Fault::new(status).only("createUser").times(1));
    bench.data("{ me { id } }", &json!({}));
    let input = json!({ "input": create_input("ann", &json!({})) });
    assert!(matches!(
        bench.raw(CREATE, &input),
        Answer::Json { status: 503, .. }
    ));
    bench.data(CREATE, &input);
    let journal = bench.core.with(|inner, _, _| inner.journal.since(0));
    assert_eq!(journal[0].result, JournalResult::NotRun("503".into()));
}

#[test]
fn a_code_fault_fails_only_its_aliases() {
    let bench = Bench::new();
    bench.fault(
        Fault::new(FaultKind::Code {
            code: "S0002E".into(),
        })
        .only("createUser"),
    );
    let query = "mutation($a: CreateUserInput) { u: updateUser(input: { id: 1, firstName: \"Z\" }) \
                 { firstName } c: createUser(input: $a) { id } }";
    let body = bench.ask(query, &json!({ "a": create_input("ann", &json!({})) }));
    assert_eq!(body["data"], json!({ "u": { "firstName": "Z" }, "c": null }));
    assert_eq!(body["errors"][0]["path"], json!(["c"]));
}

#[test]
fn a_ratio_follows_the_seed() {
    let hits = || {
        let bench = Bench::new();
        bench.fault(
            Fault::new(FaultKind::Status {
                status: 500,
                retry_after: None,
            })
            .ratio(0.3),
        );
        let answers = (0..200).map(|_| bench.raw("{ me { id } }", &json!({})));
        answers
            .map(|answer| matches!(answer, Answer::Json { status: 500, .. }))
            .collect::<Vec<_>>()
    };
    let first = hits();
    assert_eq!(first, hits());
    assert!((30..90).contains(&first.iter().filter(|hit| **hit).count()));
}

#[test]
fn refused_logins_do_not_count_towards_the_lock_out() {
    let bench = Bench::new();
    bench.fault(Fault::new(FaultKind::RefuseLogins).times(9));
    for _ in 0..9 {
        assert_eq!(bench.login("sim-password").0, 400);
    }
    assert_eq!(bench.login("sim-password").0, 200);
}

#[test]
fn a_refused_request_is_not_authorized_either() {
    let bench = Bench::new();
    bench.core.with(|inner, _, _| inner.logins.revoke_all());
    let (status, _) = read(bench.raw("{ me { id } }", &json!({})));
    assert_eq!(status, 401);
}
