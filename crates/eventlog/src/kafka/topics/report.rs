//! What the topics are, and what is wrong with them.

use std::fmt;

use crate::contract::{LogId, Stream};

/// What was found of the three topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    /// The log that the markers name, also when not all of it is there; `None` when there is none yet.
    pub log_id: Option<LogId>,
    /// The topics, in the order of [`Stream::ALL`].
    pub topics: Vec<TopicState>,
    /// What could not be looked at, and why: to be shown, since nobody vouches for it.
    pub unchecked: Option<String>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its stream.
    pub stream: Stream,
    /// Its name.
    pub name: String,
    /// Whether it exists; nothing else is known of one that does not.
    pub exists: bool,
    /// Whether nothing was ever written to it, not even the markers that every log begins with.
    pub empty: bool,
    /// Whether it was made just now.
    pub created: bool,
    /// The partitions of its log, or its own where no log was begun.
    pub partitions: u32,
    /// Those that were added later and are not used.
    pub added: u32,
    /// The copies of its records: of the partition that has fewest.
    pub replication: u32,
    /// The settings that matter, with their values, in a fixed order.
    pub settings: Vec<(String, String)>,
    /// What is wrong with it, so that the log cannot be used.
    pub findings: Vec<Finding>,
    /// What is not as it should be, and stops nothing.
    pub warnings: Vec<Finding>,
}

impl TopicState {
    /// Nothing is known of it yet.
    pub(super) const fn of(stream: Stream, name: String) -> Self {
        Self {
            stream,
            name,
            exists: false,
            empty: false,
            created: false,
            partitions: 0,
            added: 0,
            replication: 0,
            settings: Vec::new(),
            findings: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: a setting of the topic, `partitions`, `replication` or `marker`.
    pub about: String,
    /// What was found.
    pub found: String,
    /// What must be.
    pub wanted: String,
    /// Why it must be.
    pub why: String,
    /// What to change, as a command or a setting.
    pub change: String,
}

impl TopicReport {
    /// Whether the log can be used as it is, as far as it was looked at (see [`TopicReport::unchecked`]).
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.log_id.is_some()
            && self
                .topics
                .iter()
                .all(|topic| topic.exists && topic.findings.is_empty())
    }

    /// What to say and to do when a topic is not there.
    #[must_use]
    pub fn missing(&self, topic: &TopicState) -> Option<String> {
        let Some(log) = self.log_id.filter(|_| !topic.exists) else {
            return (!topic.exists).then(|| "there is no such topic: run `rollcall topics`".to_owned());
        };
        let change = match topic.stream {
            Stream::Desired => "restore it, or make it anew with `rollcall topics renew-desired`",
            Stream::Events | Stream::Outcomes => "restore it; never begin it anew",
        };
        Some(format!(
            "it is not there, though others hold log {log}: unless it is being made at this moment, it was deleted: \
             {change}"
        ))
    }

    /// Every finding with its topic.
    pub fn findings(&self) -> impl Iterator<Item = (&TopicState, &Finding)> {
        self.topics
            .iter()
            .flat_map(|topic| topic.findings.iter().map(move |finding| (topic, finding)))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}, must be {} ({}): {}",
            self.about, self.found, self.wanted, self.why, self.change
        )
    }
}

/// One line per finding, for errors; the tables are the command's.
impl fmt::Display for TopicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for topic in &self.topics {
            lines.extend(
                self.missing(topic)
                    .map(|missing| format!("  {}: {missing}", topic.name)),
            );
            lines.extend(
                topic
                    .findings
                    .iter()
                    .map(|finding| format!("  {}: {finding}", topic.name)),
            );
        }
        if lines.is_empty() && self.log_id.is_none() {
            lines.push("  no log was begun in these topics: run `rollcall topics`".to_owned());
        }
        lines.extend(self.unchecked.iter().map(|unchecked| format!("  {unchecked}")));
        f.write_str(&lines.join("\n"))
    }
}
