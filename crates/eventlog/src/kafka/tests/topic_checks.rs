//! Making and checking topics, on a real broker.

use std::thread;

use super::super::topics::TopicPlan;
use super::super::*;
use super::broker::{PLAN, fresh, options};

#[test]
fn several_who_begin_at_once_begin_one_log() {
    let options = options();
    let ids: Vec<_> = thread::scope(|scope| {
        let beginners: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let report = topics::ensure(&options, &PLAN).expect("the topics are made");
                    assert!(report.is_good(), "{report}");
                    KafkaLog::open(&options).expect("the log opens").log_id()
                })
            })
            .collect();
        beginners
            .into_iter()
            .map(|beginner| beginner.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // Whoever read the markers finds an empty log, in every partition.
    let log = KafkaLog::open(&options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for stream in Stream::ALL {
        for partition in log.partitions(stream) {
            assert_eq!(runtime.block_on(log.end(stream, partition)).unwrap(), None);
        }
    }
}

#[test]
fn what_is_set_up_otherwise_is_named_with_what_changes_it() {
    let options = options();
    drop(fresh(&options));
    let wanted = TopicPlan {
        events_partitions: 4,
        account_partitions: 3,
        replication: 3,
        min_insync: 2,
    };
    let report = topics::check(&options, &wanted).unwrap();
    assert!(!report.is_good());
    let found: Vec<_> = report
        .findings()
        .map(|(topic, finding)| (topic.stream, finding.about.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Stream::Events, "partitions"),
            (Stream::Events, "replication"),
            (Stream::Events, "min.insync.replicas"),
            (Stream::Desired, "replication"),
            (Stream::Desired, "min.insync.replicas"),
            (Stream::Outcomes, "replication"),
            (Stream::Outcomes, "min.insync.replicas"),
        ]
    );
    let text = report.to_string();
    for part in [
        "set kafka.partitions = 2 to use the topic as it is",
        "--add-config min.insync.replicas=2",
        &options.topic(Stream::Outcomes),
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_topic_that_deletes_or_lets_a_stale_replica_lead_is_refused() {
    use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
    let options = options();
    drop(fresh(&options));
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        super::super::client::base_config(&options).create().unwrap();
    let (events, desired) = (options.topic(Stream::Events), options.topic(Stream::Desired));
    let events = AlterConfig::new(ResourceSpecifier::Topic(&events))
        .set("retention.ms", "86400000")
        .set("retention.bytes", "-1")
        .set("max.message.bytes", "1000")
        .set("unclean.leader.election.enable", "true");
    let desired =
        AlterConfig::new(ResourceSpecifier::Topic(&desired)).set("cleanup.policy", "compact,delete");
    let altered = wait::block_on(admin.alter_configs([&events, &desired], &AdminOptions::new())).unwrap();
    assert!(altered.iter().all(Result::is_ok), "{altered:?}");
    let report = topics::check(&options, &PLAN).unwrap();
    let found: Vec<_> = report
        .findings()
        .map(|(topic, finding)| (topic.stream, finding.about.as_str()))
        .collect();
    let named = |stream, about| found.contains(&(stream, about));
    assert!(named(Stream::Events, "retention.ms"), "{report}");
    assert!(
        named(Stream::Events, "unclean.leader.election.enable"),
        "{report}"
    );
    assert!(named(Stream::Events, "max.message.bytes"), "{report}");
    assert!(named(Stream::Desired, "cleanup.policy"), "{report}");
    assert!(
        !report
            .findings()
            .any(|(topic, _)| topic.stream == Stream::Outcomes),
        "{report}"
    );
}

fn set(options: &KafkaOptions, stream: Stream, settings: &[(&str, &str)]) {
    use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        super::super::client::base_config(options).create().unwrap();
    let topic = options.topic(stream);
    let mut all = AlterConfig::new(ResourceSpecifier::Topic(&topic));
    for (name, value) in settings {
        all = all.set(name, value);
    }
    let altered = wait::block_on(admin.alter_configs([&all], &AdminOptions::new())).unwrap();
    assert!(altered.iter().all(Result::is_ok), "{altered:?}");
}

#[test]
fn what_is_changed_while_a_log_is_open_is_found_at_the_next_look() {
    let options = options();
    let log = fresh(&options);
    let watch = topics::TopicWatch::new(&log, &PLAN).unwrap();
    let good = watch.look().unwrap();
    assert_eq!(good, topics::TopicsNow::default());
    // One copy is all that this broker can hold: with two to be in step nothing is taken.
    let changed = [("retention.ms", "86400000"), ("min.insync.replicas", "2")];
    set(&options, Stream::Outcomes, &changed);
    let begun = std::time::Instant::now();
    let now = loop {
        let now = watch.look().unwrap();
        if now != good {
            break now;
        }
        assert!(begun.elapsed().as_secs() < 60, "it is not found");
    };
    let outcomes = options.topic(Stream::Outcomes);
    let (closed, findings) = (
        now.closed
            .iter()
            .map(|(_, why)| why.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        now.findings.join("\n"),
    );
    assert!(
        now.closed.len() == 1 && closed.contains(&outcomes) && closed.contains("below 2"),
        "{closed}"
    );
    assert!(
        findings.contains(&format!("{outcomes}: retention.ms is 86400000")),
        "{findings}"
    );
}

#[test]
fn asking_for_rights_writes_nothing() {
    let options = options();
    let log = fresh(&options);
    let groups = ["project", "reconcile", "reader"];
    assert_eq!(missing_rights(&options, &groups).unwrap(), Vec::<String>::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for stream in Stream::ALL {
        for partition in log.partitions(stream) {
            assert_eq!(runtime.block_on(log.end(stream, partition)).unwrap(), None);
        }
    }
}

#[test]
fn more_replicas_than_brokers_are_refused_with_the_setting_to_change() {
    let plan = TopicPlan {
        replication: 3,
        ..PLAN
    };
    let refused = topics::ensure(&options(), &plan).unwrap_err();
    assert!(refused.to_string().contains("kafka.replication"), "{refused}");
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_asked() {
    let nowhere = KafkaOptions::new("127.0.0.1:1");
    for (options, plan) in [
        (KafkaOptions::new(" "), PLAN),
        (
            KafkaOptions {
                topic_prefix: "a/b".to_owned(),
                ..nowhere.clone()
            },
            PLAN,
        ),
        (
            KafkaOptions {
                session_timeout: std::time::Duration::from_secs(1),
                ..nowhere.clone()
            },
            PLAN,
        ),
        (
            nowhere.clone(),
            TopicPlan {
                events_partitions: 0,
                ..PLAN
            },
        ),
        (
            nowhere.clone(),
            TopicPlan {
                min_insync: 2,
                ..PLAN
            },
        ),
    ] {
        let refused = topics::check(&options, &plan).unwrap_err();
        assert!(matches!(refused, KafkaError::Setting { .. }), "{refused}");
    }
    let unreachable = KafkaOptions {
        request_timeout: std::time::Duration::from_millis(300),
        ..nowhere
    };
    let refused = KafkaLog::open(&unreachable).unwrap_err();
    assert!(matches!(refused, KafkaError::Unreachable { .. }), "{refused}");
}
