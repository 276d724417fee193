//! The two things that cannot be computed, behind small traits: what time it is, and a new id.

use std::fmt;

use rollcall_domain::{EventId, GroupId, Timestamp, UserId};
use uuid::Uuid;

/// Tells the time at which a request was received.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Makes ids that nobody made before.
pub trait IdSource: fmt::Debug + Send + Sync {
    /// An id for an event received at `now`: a UUIDv7.
    fn event(&self, now: Timestamp) -> EventId;
    /// An id for a user.
    fn user(&self) -> UserId;
    /// An id for a group.
    fn group(&self) -> GroupId;
    /// An id for a request, as it stands in traces and in `x-request-id`.
    fn request(&self) -> Uuid;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where this crate reads the clock"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Random ids of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn event(&self, now: Timestamp) -> EventId {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let nanos = u32::try_from(millis % 1000)
            .unwrap_or(0)
            .saturating_mul(1_000_000);
        let time = uuid::Timestamp::from_unix(uuid::NoContext, millis / 1000, nanos);
        EventId(Uuid::new_v7(time))
    }

    fn user(&self) -> UserId {
        UserId(Uuid::new_v4())
    }

    fn group(&self) -> GroupId {
        GroupId(Uuid::new_v4())
    }

    fn request(&self) -> Uuid {
        Uuid::new_v4()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_a_version_7_uuid_of_its_time() {
        let time = Timestamp::from_millis(1_767_225_600_123);
        let EventId(id) = RandomIds.event(time);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.as_u128() >> 80, 1_767_225_600_123);
        assert_ne!(RandomIds.event(time), RandomIds.event(time));
    }
}
