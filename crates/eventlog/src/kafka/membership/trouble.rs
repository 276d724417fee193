//! What stands between a member and its group, told once and not at every attempt.

use parking_lot::Mutex;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

/// What a member met last that its coordinator has not answered since.
#[derive(Debug)]
pub(crate) struct Trouble {
    group: String,
    met: Mutex<Option<RDKafkaErrorCode>>,
}

impl Trouble {
    pub(crate) fn new(group: String) -> Self {
        Self {
            group,
            met: Mutex::new(None),
        }
    }

    /// An attempt failed. A line of the log only when it is another failure than the last one.
    pub(crate) fn met(&self, error: &ClientError) {
        let Some(code) = error.rdkafka_error_code().filter(|code| !is_usual(*code)) else {
            tracing::debug!(%error, group = %self.group, "member");
            return;
        };
        if self.met.lock().replace(code) != Some(code) {
            tracing::warn!(group = %self.group, reason = %code, "the group cannot be reached, or refuses this process");
        }
    }

    /// The coordinator answered.
    pub(crate) fn over(&self) {
        if self.met.lock().take().is_some() {
            tracing::info!(group = %self.group, "this process belongs to the group");
        }
    }

    /// What is in the way now.
    pub(crate) fn now(&self) -> Option<String> {
        self.met.lock().map(|code| code.to_string())
    }
}

/// What comes with every change of the group, and with every broker that restarts, and passes by itself.
fn is_usual(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::BrokerTransportFailure
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_there_until_the_coordinator_answers_and_the_newest_counts() {
        let trouble = Trouble::new("a.reconcile".to_owned());
        let failed = |code| ClientError::MessageConsumption(code);
        trouble.met(&failed(RDKafkaErrorCode::RebalanceInProgress));
        assert_eq!(trouble.now(), None, "it passes by itself");
        trouble.met(&failed(RDKafkaErrorCode::CoordinatorNotAvailable));
        trouble.met(&failed(RDKafkaErrorCode::GroupAuthorizationFailed));
        let now = trouble.now().unwrap_or_default();
        assert!(now.to_lowercase().contains("authorization"), "{now}");
        trouble.over();
        assert_eq!(trouble.now(), None);
    }
}
