//! Looking at the topics of an open log again: what was in order at the start need not stay so.

use std::fmt;
use std::sync::Arc;

use super::plan::TopicPlan;
use super::report::TopicState;
use super::{Admin, setting_findings};
use crate::contract::Stream;
use crate::kafka::KafkaLog;
use crate::kafka::error::KafkaError;
use crate::kafka::heads::Heads;
use crate::kafka::options::KafkaOptions;

/// The setting of a topic that says how many replicas must be in step for an append.
const MIN_INSYNC: &str = "min.insync.replicas";

/// Looks at the topics of an open log. The markers are compared by the log itself.
pub struct TopicWatch {
    heads: Arc<Heads>,
    admin: Option<Admin>,
    options: KafkaOptions,
    plan: TopicPlan,
}

impl fmt::Debug for TopicWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicWatch").finish_non_exhaustive()
    }
}

/// What was found at one look; nothing when all is in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicsNow {
    /// Streams whose topic takes no append now, and why. Not known where settings may not be read.
    pub closed: Vec<(Stream, String)>,
    /// Settings of topics that are not what they must be, each with what changes it.
    pub findings: Vec<String>,
}

impl TopicWatch {
    /// Looks at the topics of `log`, which should be as `plan` says.
    ///
    /// # Errors
    /// [`KafkaError::Setting`]; nothing is asked of the brokers yet.
    pub fn new(log: &KafkaLog, plan: &TopicPlan) -> Result<Self, KafkaError> {
        let options = log.options().clone();
        Ok(Self {
            heads: Arc::clone(&log.heads),
            admin: Admin::new(&options)?,
            options,
            plan: *plan,
        })
    }

    /// Looks now. Settings that may not be read are passed over. Blocks for a few round trips,
    /// [`KafkaOptions::request_timeout`] at most for each.
    ///
    /// # Errors
    /// When it could not be learnt.
    pub fn look(&self) -> Result<TopicsNow, KafkaError> {
        let mut now = TopicsNow::default();
        for stream in Stream::ALL {
            let topic = self.options.topic(stream);
            // A topic that is gone is the log's own concern.
            let Some(shape) = self.heads.shape(&topic)? else {
                continue;
            };
            let admin = self.admin.as_ref();
            let settings = admin.map(|admin| admin.settings(&topic)).transpose()?.flatten();
            let Some(settings) = settings else {
                continue;
            };
            let mut state = TopicState::of(stream, topic.clone());
            setting_findings(&mut state, &self.plan, &settings);
            let found = state.findings.iter().map(|finding| format!("{topic}: {finding}"));
            now.findings.extend(found);
            let told = settings
                .get(MIN_INSYNC)
                .and_then(|value| value.parse::<u32>().ok());
            if let Some(wanted) = told.filter(|wanted| shape.in_step < *wanted) {
                let why = format!(
                    "{topic}: a partition has {} copies in step, and nothing is appended below {wanted}",
                    shape.in_step
                );
                now.closed.push((stream, why));
            }
        }
        Ok(now)
    }
}
