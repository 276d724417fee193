//! `policy.activated`.

use rollcall_domain::{Policy, Revision};

use super::state::TenantState;
use crate::Verdict;

impl TenantState {
    pub(super) fn policy_activated(&mut self, policy: &Policy) -> Verdict {
        self.release_all_desired();
        let sequence = self.sequence;
        self.put_policy(policy.clone(), sequence);
        self.touched.policy = true;
        self.mark_everybody();
        Verdict::Accepted {
            revision: Revision(0),
        }
    }

    /// Puts a policy into force. Grants follow from it only through the account's own name, and a name that
    /// no longer leads to the account is like a place that vanished: what was granted stays.
    pub(crate) fn put_policy(&mut self, policy: Policy, since: rollcall_domain::Sequence) {
        let renamed = self.policy.account_name != policy.account_name;
        if renamed && let Some(old) = self.policy.account_name.take() {
            self.catalog.account_name_was(old);
            self.touched.catalog = true;
        }
        self.policy = policy;
        self.policy_since = since;
        if renamed {
            self.reread_roles();
        }
    }
}
