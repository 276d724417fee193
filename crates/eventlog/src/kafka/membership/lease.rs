//! Until when what a member owns is certainly its own. Pure: time is an argument.

use std::time::{Duration, Instant};

/// The lease of one member.
///
/// A commit that the coordinator took renews the member's session: the coordinator hands nothing on before
/// the session time-out has passed by its own clock since then. We count from before the commit was sent, and
/// stop a margin earlier, so ours always ends first.
///
/// The clock is the monotonic one: it runs while the process is stopped, but not while the whole machine is
/// suspended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    session: Duration,
    margin: Duration,
    /// The start of the last commit that was taken; none while not known to belong to the group.
    proven: Option<Instant>,
    /// Counts how often everything was lost: a commit begun before proves nothing any more.
    epoch: u64,
}

/// A proof on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    began: Instant,
    epoch: u64,
}

impl Lease {
    /// Nothing is proven yet. `session` is the session time-out.
    pub(crate) fn new(session: Duration) -> Self {
        Self {
            session,
            // A tenth for clocks that do not run alike and for the moment between looking and sending.
            margin: session / 10,
            proven: None,
            epoch: 0,
        }
    }

    /// A commit is about to be sent.
    pub(crate) fn proof(&self, now: Instant) -> Proof {
        Proof {
            began: now,
            epoch: self.epoch,
        }
    }

    /// The coordinator took it.
    pub(crate) fn prove(&mut self, proof: Proof) {
        if proof.epoch == self.epoch {
            self.proven = self.proven.max(Some(proof.began));
        }
    }

    /// The member does not belong to the group any more.
    pub(crate) fn lose(&mut self) {
        self.proven = None;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// How long the lease lasts from now on.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        let lasts = self.session.saturating_sub(self.margin);
        self.proven.map_or(Duration::ZERO, |proven| {
            lasts.saturating_sub(now.saturating_duration_since(proven))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(10);

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_lasts_from_before_the_commit_was_sent() {
        let start = Instant::now();
        let mut lease = Lease::new(SESSION);
        assert_eq!(lease.remaining(start), Duration::ZERO, "nothing is proven");
        let proof = lease.proof(start);
        lease.prove(proof);
        assert_eq!(lease.remaining(start), Duration::from_secs(9));
        assert_eq!(lease.remaining(after(start, 4)), Duration::from_secs(5));
        assert_eq!(lease.remaining(after(start, 9)), Duration::ZERO);
        assert_eq!(lease.remaining(after(start, 100)), Duration::ZERO);
    }

    #[test]
    fn a_later_proof_renews_and_an_earlier_one_takes_nothing_back() {
        let start = Instant::now();
        let mut lease = Lease::new(SESSION);
        let (early, late) = (lease.proof(start), lease.proof(after(start, 3)));
        lease.prove(late);
        lease.prove(early);
        assert_eq!(lease.remaining(after(start, 3)), Duration::from_secs(9));
    }

    #[test]
    fn a_commit_begun_before_the_loss_proves_nothing() {
        let start = Instant::now();
        let mut lease = Lease::new(SESSION);
        let proof = lease.proof(start);
        lease.prove(proof);
        lease.lose();
        lease.prove(proof);
        assert_eq!(lease.remaining(start), Duration::ZERO);
        let anew = lease.proof(after(start, 1));
        lease.prove(anew);
        assert_eq!(lease.remaining(after(start, 1)), Duration::from_secs(9));
    }
}
