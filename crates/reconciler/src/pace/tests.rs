use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const FAST: Signal = Signal::Answered { latency_ms: 1 };

/// Takes as many slots as there are.
fn fill(pace: &mut Pace, now: Timestamp, urgent: bool) -> usize {
    (0..100)
        .take_while(|_| pace.admit(now, urgent) == Admission::Go)
        .count()
}

#[test]
fn it_starts_slowly_and_grows_to_its_bound() {
    let mut pace = Pace::new(10);
    assert_eq!(fill(&mut pace, at(0), false), 4);
    for _ in 0..4 {
        pace.report(at(1), FAST);
    }
    assert_eq!(pace.slots(), 8);
    for _ in 0..40 {
        assert_eq!(pace.admit(at(2), false), Admission::Go);
        pace.report(at(2), FAST);
    }
    assert_eq!((pace.slots(), pace.in_flight()), (10, 0));
}

#[test]
fn a_leaver_has_a_slot_of_its_own() {
    let mut pace = Pace::new(2);
    assert_eq!(fill(&mut pace, at(0), false), 2);
    assert_eq!(pace.admit(at(0), true), Admission::Go);
    assert_eq!(pace.admit(at(0), true), Admission::Wait(None));
}

#[test]
fn a_rate_limit_halves_and_its_pause_is_served_with_one_probe_for_leavers() {
    let mut pace = Pace::new(8);
    assert_eq!(pace.admit(at(0), false), Admission::Go);
    pace.report(
        at(0),
        Signal::RateLimited {
            after: Duration::from_secs(60),
        },
    );
    assert_eq!(
        pace.pause(at(1)),
        Some(Pause {
            until: at(60_000),
            reason: PauseReason::RateLimit
        })
    );
    assert_eq!(pace.admit(at(1), false), Admission::Wait(Some(at(60_000))));
    assert_eq!(pace.admit(at(1), true), Admission::Go, "the probe");
    assert_eq!(pace.admit(at(1), true), Admission::Wait(None), "one at a time");
    pace.report(at(2), FAST);
    assert_eq!(pace.admit(at(2), true), Admission::Go);
    pace.report(at(3), FAST);
    assert_eq!(
        pace.admit(at(59_999), false),
        Admission::Wait(Some(at(60_000))),
        "served to its end"
    );
    assert_eq!(fill(&mut pace, at(60_000), false), 1, "then one at a time");
}

#[test]
fn after_a_rate_limit_requests_are_spaced_and_the_space_shrinks_with_success() {
    let mut pace = Pace::new(100);
    for now in 0..20 {
        assert_eq!(pace.admit(at(now), false), Admission::Go);
        pace.report(at(now), FAST);
    }
    assert_eq!(pace.admit(at(20), false), Admission::Go);
    pace.report(
        at(20),
        Signal::RateLimited {
            after: Duration::ZERO,
        },
    );
    assert_eq!(pace.rate(), Some(10.5));
    assert_eq!(pace.admit(at(1000), false), Admission::Go);
    assert_eq!(
        pace.admit(at(1000), true),
        Admission::Go,
        "a leaver is not spaced"
    );
    pace.report(at(1000), FAST);
    pace.report(at(1000), FAST);
    assert!(matches!(pace.admit(at(1001), false), Admission::Wait(Some(_))));
    assert!(pace.rate() > Some(10.5));
}

#[test]
fn an_outage_pauses_all_longer_each_time_and_ends_with_the_first_answer() {
    let mut pace = Pace::new(8);
    let mut pauses = Vec::new();
    let mut now = at(0);
    for _ in 0..12 {
        assert_eq!(pace.admit(now, false), Admission::Go);
        pace.report(now, Signal::Failed);
        if let Some(pause) = pace.pause(now) {
            pauses.push(pause.until.millis_since(now));
            now = pause.until;
        }
    }
    assert_eq!(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    assert_eq!(pace.admit(now, false), Admission::Go);
    pace.report(now, FAST);
    assert_eq!(pace.pause(now), None);
    assert_eq!(pace.admit(now, false), Admission::Go);
    pace.report(now, Signal::Failed);
    assert_eq!(pace.pause(now), None, "a single failure is no outage");
}

#[test]
fn a_refused_login_pauses_until_the_next_try_is_due() {
    let mut pace = Pace::new(8);
    assert_eq!(pace.admit(at(0), false), Admission::Go);
    pace.report(
        at(0),
        Signal::NoLogin {
            after: Duration::from_secs(1200),
        },
    );
    assert_eq!(
        pace.pause(at(1)).map(|pause| pause.reason),
        Some(PauseReason::Login)
    );
    assert_eq!(pace.admit(at(1_200_000), false), Admission::Go);
}

#[test]
fn one_overload_is_counted_once() {
    let mut pace = Pace::new(64);
    for now in 0..64 {
        assert_eq!(pace.admit(at(now), false), Admission::Go);
        pace.report(at(now), FAST);
    }
    assert_eq!(pace.slots(), 64);
    for _ in 0..4 {
        assert_eq!(pace.admit(at(100), false), Admission::Go);
        pace.report(at(100), Signal::Failed);
    }
    assert_eq!(pace.slots(), 32);
}

#[test]
fn slow_answers_stop_the_growth() {
    let mut pace = Pace::new(64);
    for _ in 0..3 {
        assert_eq!(pace.admit(at(0), false), Admission::Go);
        pace.report(at(0), Signal::Answered { latency_ms: 10 });
    }
    let slots = pace.slots();
    assert_eq!(pace.admit(at(0), false), Admission::Go);
    pace.report(at(0), Signal::Answered { latency_ms: 500 });
    assert_eq!(pace.slots(), slots);
}

#[test]
fn a_server_that_says_when_it_is_back_is_not_asked_before() {
    let mut pace = Pace::new(8);
    assert_eq!(pace.admit(at(0), false), Admission::Go);
    pace.report(
        at(0),
        Signal::Unavailable {
            after: Duration::from_secs(7),
        },
    );
    assert_eq!(pace.admit(at(1), false), Admission::Wait(Some(at(7000))));
    assert_eq!(pace.admit(at(7000), false), Admission::Go);
}
