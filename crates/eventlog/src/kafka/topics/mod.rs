//! The topics: making them, marking them, checking them.

mod begin;
mod plan;
mod report;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

pub use plan::TopicPlan;
pub use report::{Finding, TopicReport, TopicState};
pub use watch::{TopicWatch, TopicsNow};

pub(crate) use begin::begin;

use super::client::{Context, base_config};
use super::error::{KafkaError, Meaning, meaning};
use super::heads::{Head, Heads, Shape, added_are_empty, begun_with, expected, same_log, setting, signed};
use super::options::KafkaOptions;
use super::wait::block_on;
use crate::contract::{LogId, Stream};
use plan::{Wanted, wanted};

/// Looks at the topics without changing anything. What is wrong with them stands in the report; an error
/// means that it could not be learnt.
///
/// With bearer tokens ([`Sasl::OAuthBearer`](super::Sasl::OAuthBearer)) the topics' settings cannot be read,
/// since the client's administrative part takes no token; nor can they without the right to describe them.
/// The report says so ([`TopicReport::unchecked`]).
///
/// Blocks for a few round trips, [`KafkaOptions::request_timeout`] at most for each.
///
/// # Errors
/// See [`KafkaError`].
pub fn check(options: &KafkaOptions, plan: &TopicPlan) -> Result<TopicReport, KafkaError> {
    options.check()?;
    plan.check()?;
    let heads = Heads::new(options)?;
    look(options, plan, &heads, Admin::new(options)?.as_ref(), &[])
}

/// Makes the topics that are missing, marks them as one log, and checks all of them.
///
/// Only a log that has no records yet gets topics or markers: a topic that is missing beside one with records
/// was deleted, and is an error, and `events` is one already when another topic has a marker. Several processes may do
/// this at once; they end up with one log.
///
/// # Errors
/// [`KafkaError::Replaced`], [`KafkaError::Foreign`], [`KafkaError::Cut`] when what is there is not a whole
/// log of ours; see [`KafkaError`]. Settings that are wrong stand in the report.
pub fn ensure(options: &KafkaOptions, plan: &TopicPlan) -> Result<TopicReport, KafkaError> {
    options.check()?;
    plan.check()?;
    let heads = Heads::new(options)?;
    let admin = Admin::new(options)?;
    let mut created = Vec::new();
    let mut missing = Vec::new();
    for stream in Stream::ALL {
        if heads.shape(&options.topic(stream))?.is_none() {
            missing.push(stream);
        }
    }
    if !missing.is_empty() {
        refuse_missing_of_a_log(options, &heads, &missing)?;
        let Some(admin) = &admin else {
            return Err(by_hand(options, plan, &missing));
        };
        for stream in missing {
            let topic = options.topic(stream);
            if admin.create(&topic, plan, stream)? {
                created.push(stream);
            }
        }
    }
    begin(options, &heads, &created)?;
    look(options, plan, &heads, admin.as_ref(), &created)
}

/// Makes the topic of `desired` anew, empty, where it was lost and the other two are a whole log. It holds what
/// the projectors compute from `events`; they fill it when they start with an empty state.
///
/// # Errors
/// [`KafkaError::Replaced`] and the like when the other two are not whole, [`KafkaError::Refused`] when there is
/// a topic of that name with records; see [`KafkaError`].
pub fn renew_desired(options: &KafkaOptions, plan: &TopicPlan) -> Result<TopicReport, KafkaError> {
    options.check()?;
    plan.check()?;
    let heads = Heads::new(options)?;
    let admin = Admin::new(options)?;
    let log = begin::whole(options, &heads, &[Stream::Events, Stream::Outcomes])?;
    let topic = options.topic(Stream::Desired);
    if heads.shape(&topic)?.is_none() {
        let Some(admin) = &admin else {
            return Err(by_hand(options, plan, &[Stream::Desired]));
        };
        admin.create(&topic, plan, Stream::Desired)?;
    }
    begin::mark_empty(options, &heads, Stream::Desired, log)?;
    look(options, plan, &heads, admin.as_ref(), &[Stream::Desired])
}

/// A topic that is missing while another one has records was deleted. So was `events` where another one has so much as
/// a marker, since its own are written first: nobody can tell how many records it had.
fn refuse_missing_of_a_log(
    options: &KafkaOptions,
    heads: &Heads,
    missing: &[Stream],
) -> Result<(), KafkaError> {
    let events_first = missing.iter().find(|gone| **gone == Stream::Events);
    for stream in Stream::ALL.into_iter().filter(|stream| !missing.contains(stream)) {
        let topic = options.topic(stream);
        let Some(shape) = heads.shape(&topic)? else {
            continue;
        };
        let found = heads.read(&topic, 0..shape.partitions)?;
        let used = found
            .values()
            .any(|head| !matches!(head, Head::Empty | Head::Marked { more: false, .. }));
        let begun = found.values().any(|head| matches!(head, Head::Marked { .. }));
        let (gone, has) = match events_first {
            Some(events) if begun && !used => (std::slice::from_ref(events), "the marker of a log"),
            _ if used => (missing, "records"),
            _ => continue,
        };
        for gone in gone {
            // Whoever made it meanwhile was quicker than our first look: then it is not missing.
            match heads.shape_of_existing(&options.topic(*gone)) {
                Ok(_) => {}
                Err(KafkaError::NoTopic { topic: gone }) => {
                    return Err(KafkaError::Replaced {
                        topic: gone,
                        what: format!("it is not there, though {topic} has {has}"),
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Reads topics, settings and markers into a report.
fn look(
    options: &KafkaOptions,
    plan: &TopicPlan,
    heads: &Heads,
    admin: Option<&Admin>,
    created: &[Stream],
) -> Result<TopicReport, KafkaError> {
    let mut topics = Vec::new();
    let mut beginnings = Vec::new();
    let mut unread = admin
        .is_none()
        .then_some("topics' settings cannot be read with a bearer token");
    for stream in Stream::ALL {
        let name = options.topic(stream);
        let mut state = TopicState::of(stream, name);
        state.created = created.contains(&stream);
        let mut beginning = BTreeMap::new();
        if let Some(shape) = heads.shape(&state.name)? {
            state.exists = true;
            let found = heads.read(&state.name, 0..shape.partitions)?;
            state.partitions = begun_with(&found);
            state.added = shape.partitions.saturating_sub(state.partitions);
            state.replication = shape.replication;
            added_findings(&mut state, &found);
            shape_findings(&mut state, plan, shape);
            match admin.map(|admin| admin.settings(&state.name)).transpose()? {
                Some(Some(settings)) => setting_findings(&mut state, plan, &settings),
                Some(None) => unread = Some("this login may not describe the topics' configuration"),
                None => {}
            }
            beginning = found;
        }
        beginnings.push(beginning);
        topics.push(state);
    }
    // Where not all is there any more, whatever is left names the log.
    let log_id = beginnings
        .iter()
        .flat_map(BTreeMap::values)
        .find_map(|head| match head {
            Head::Marked { marker, .. } => Some(marker.log),
            _ => None,
        });
    for (state, found) in topics.iter_mut().zip(&beginnings) {
        marker_findings(state, found, log_id);
    }
    let unchecked = unread.map(|why| {
        let names = wanted(plan, Stream::Events).into_iter().map(|wanted| wanted.name);
        let names: Vec<_> = names.collect();
        format!("not checked, since {why}: {}", names.join(", "))
    });
    Ok(TopicReport {
        log_id,
        topics,
        unchecked,
    })
}

/// Partitions that were added after the log was begun: empty they do no harm.
fn added_findings(state: &mut TopicState, found: &BTreeMap<u32, Head>) {
    if state.added == 0 {
        return;
    }
    let total = state.partitions.saturating_add(state.added);
    let used = match added_are_empty(found, state.partitions, &state.name) {
        Err(KafkaError::Added { partition, .. }) => Some(partition),
        _ => None,
    };
    let finding = Finding {
        about: "partitions".to_owned(),
        found: used.map_or_else(
            || total.to_string(),
            |partition| format!("{total}, and partition {partition}, which was added, has records"),
        ),
        wanted: state.partitions.to_string(),
        why:
            "a key's partition follows from the number that the log was begun with; those added are not used"
                .to_owned(),
        change: match used {
            None => format!(
                "nothing, since partitions cannot be taken away; leave {} = {}, and let nobody write to them",
                TopicPlan::partitions_setting(state.stream),
                state.partitions
            ),
            Some(_) => format!(
                "see who writes to {} beside Rollcall, and remove what stands there with kafka-delete-records.sh",
                state.name
            ),
        },
    };
    if used.is_none() {
        state.warnings.push(finding);
    } else {
        state.findings.push(finding);
    }
}

fn shape_findings(state: &mut TopicState, plan: &TopicPlan, shape: Shape) {
    let partitions = plan.partitions(state.stream);
    let name = state.name.clone();
    if state.partitions != partitions {
        state.findings.push(Finding {
            about: "partitions".to_owned(),
            found: state.partitions.to_string(),
            wanted: partitions.to_string(),
            why: "a key's partition follows from their number, which never changes".to_owned(),
            change: format!(
                "set {} = {} to use the topic as it is",
                TopicPlan::partitions_setting(state.stream),
                state.partitions
            ),
        });
    }
    if shape.replication < u32::from(plan.replication) {
        state.findings.push(Finding {
            about: "replication".to_owned(),
            found: shape.replication.to_string(),
            wanted: format!("at least {}", plan.replication),
            why: "acknowledged records must survive the loss of a broker".to_owned(),
            change: format!(
                "add replicas to {name} with kafka-reassign-partitions.sh, or set kafka.replication = {}",
                shape.replication
            ),
        });
    }
}

fn setting_findings(state: &mut TopicState, plan: &TopicPlan, found: &BTreeMap<String, String>) {
    for Wanted { name, .. } in wanted(plan, state.stream) {
        let value = found.get(name).cloned().unwrap_or_default();
        state.settings.push((name.to_owned(), value));
    }
    for wanted in wanted(plan, state.stream) {
        let value = found.get(wanted.name).map_or("", String::as_str);
        if !wanted.accepts(value) {
            state.findings.push(Finding {
                about: wanted.name.to_owned(),
                found: if value.is_empty() {
                    "not told".to_owned()
                } else {
                    value.to_owned()
                },
                wanted: wanted.value.clone(),
                why: wanted.why.to_owned(),
                change: format!(
                    "kafka-configs.sh --alter --entity-type topics --entity-name {} --add-config {}={}",
                    state.name, wanted.name, wanted.value
                ),
            });
        }
    }
}

/// Checks the markers against the log that the first of them names.
fn marker_findings(state: &mut TopicState, found: &BTreeMap<u32, Head>, log_id: Option<LogId>) {
    state.empty = found.values().all(|head| *head == Head::Empty);
    let wrong = found.range(..state.partitions).find_map(|(partition, head)| {
        let log = log_id.unwrap_or(LogId([0; 16]));
        same_log(
            *head,
            &expected(log, state.stream, *partition, state.partitions),
            &state.name,
        )
        .err()
    });
    if let Some(error) = wrong {
        let change = match (state.empty, log_id, state.stream) {
            (true, None, _) => "run `rollcall topics`",
            (true, Some(_), Stream::Desired) => "run `rollcall topics renew-desired`",
            _ => "restore the topic, or remove all three and copy a kept log back (`rollcall log copy`)",
        };
        state.findings.push(Finding {
            about: "marker".to_owned(),
            found: error.to_string(),
            wanted: "the marker of one log at the beginning of every partition".to_owned(),
            why: "a topic made anew must never be taken for the old one".to_owned(),
            change: change.to_owned(),
        });
    }
}

/// How topics are made where we cannot: the client's administrative part is never served in a way that would
/// give it a token.
fn by_hand(options: &KafkaOptions, plan: &TopicPlan, missing: &[Stream]) -> KafkaError {
    let commands = missing.iter().map(|stream| {
        let settings: String = wanted(plan, *stream)
            .iter()
            .map(|wanted| format!(" --config {}={}", wanted.name, wanted.value))
            .collect();
        format!(
            "kafka-topics.sh --create --topic {} --partitions {} --replication-factor {}{settings}",
            options.topic(*stream),
            plan.partitions(*stream),
            plan.replication
        )
    });
    let commands: Vec<_> = commands.collect();
    let names = missing.iter().map(|stream| options.topic(*stream));
    KafkaError::Refused {
        action: "create",
        topic: names.collect::<Vec<_>>().join(", "),
        reason: format!(
            "topics cannot be made with a bearer token; make them, each empty, and run `rollcall topics` again: {}",
            commands.join("; ")
        ),
    }
}

/// The administrative client, asked one thing at a time by blocking.
struct Admin {
    client: AdminClient<Context>,
    brokers: String,
    timeout: Duration,
}

impl Admin {
    /// None with bearer tokens: this client is never served in a way that would give it one.
    fn new(options: &KafkaOptions) -> Result<Option<Self>, KafkaError> {
        if options.security.token_source().is_some() {
            return Ok(None);
        }
        let client = base_config(options)
            .create_with_context(Context::new(options))
            .map_err(setting)?;
        Ok(Some(Self {
            client,
            brokers: options.brokers.clone(),
            timeout: options.request_timeout,
        }))
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(self.timeout))
            .operation_timeout(Some(self.timeout))
    }

    fn unreachable(&self, action: &'static str, reason: &impl ToString) -> KafkaError {
        KafkaError::Unreachable {
            brokers: self.brokers.clone(),
            action,
            reason: reason.to_string(),
        }
    }

    /// Makes a topic; false when somebody else was first.
    fn create(&self, topic: &str, plan: &TopicPlan, stream: Stream) -> Result<bool, KafkaError> {
        let settings = wanted(plan, stream);
        let replication = TopicReplication::Fixed(i32::from(plan.replication));
        let mut new = NewTopic::new(topic, signed(plan.partitions(stream)), replication);
        for wanted in &settings {
            new = new.set(wanted.name, &wanted.value);
        }
        let answered = block_on(self.client.create_topics([&new], &self.options()));
        let results = answered.map_err(|error| self.unreachable("creating topics", &error))?;
        match results.into_iter().next() {
            Some(Ok(_)) => Ok(true),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((_, code @ RDKafkaErrorCode::RequestTimedOut))) => {
                Err(self.unreachable("creating topics", &code))
            }
            Some(Err((_, RDKafkaErrorCode::InvalidReplicationFactor))) => Err(KafkaError::Refused {
                action: "create",
                topic: topic.to_owned(),
                reason: format!(
                    "there are fewer brokers than the {} replicas asked for; set kafka.replication",
                    plan.replication
                ),
            }),
            Some(Err((_, code))) => Err(KafkaError::Refused {
                action: "create",
                topic: topic.to_owned(),
                reason: code.to_string(),
            }),
            None => Err(self.unreachable("creating topics", &"an empty answer")),
        }
    }

    /// The settings of a topic; none where they may not be read.
    fn settings(&self, topic: &str) -> Result<Option<BTreeMap<String, String>>, KafkaError> {
        let action = "reading a topic's settings";
        let asked = [ResourceSpecifier::Topic(topic)];
        let answered = block_on(self.client.describe_configs(&asked, &self.options()));
        let results = answered.map_err(|error| self.unreachable(action, &error))?;
        match results.into_iter().next() {
            Some(Ok(resource)) => {
                let entries = resource.entries.into_iter();
                let settings = entries.map(|entry| (entry.name, entry.value.unwrap_or_default()));
                Ok(Some(settings.collect()))
            }
            Some(Err(code)) if meaning(code) == Meaning::Forbidden => Ok(None),
            Some(Err(code)) => Err(self.unreachable(action, &code)),
            None => Err(self.unreachable(action, &"an empty answer")),
        }
    }
}
