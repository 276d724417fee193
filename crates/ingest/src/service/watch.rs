//! What requests show of known traps: fed when a request is decided, whatever came of it.

use rollcall_domain::{AssignedRole, Shape, Timestamp};
use rollcall_scim::patch::{Patch, PatchKind, PatchOperation};
use rollcall_scim::roles::IDP_ID_KEY;
use rollcall_scim::tolerance::Quirk;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Call, Service};
use crate::http::failure::Failure;
use crate::http::route::Endpoint;
use crate::seat::Seat;
use crate::traps::Traps;

/// What the operations of a PATCH show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Shown {
    active_named: bool,
    /// Elements are added as `AppRoleAssignmentsComplex` adds them: a whole assignment, with the id it has there, or
    /// in the flagged style with its `displayName`.
    assignments_added: bool,
    /// Roles are taken away, or others put in their place.
    roles_taken: bool,
}

impl Service {
    /// Puts what a request showed on the connection's record.
    pub(super) fn watch(&self, seat: &Seat, saw: impl FnOnce(&mut Traps, Timestamp)) {
        saw(&mut seat.traps.lock(), self.writer.clock.now());
    }

    pub(super) fn watch_user_patch(&self, seat: &Seat, patch: &Patch) {
        let shown = shown(&patch.operations, patch.tolerated.has(Quirk::RoleDisplayName));
        self.watch(seat, |traps, now| {
            traps.user_patched(shown.active_named);
            if shown.roles_taken {
                traps.roles_taken();
            } else if shown.assignments_added {
                traps.roles_added_one_by_one(now);
            }
        });
    }

    pub(super) fn watch_failure(&self, endpoint: &Endpoint, call: Call<'_>, failure: &Failure) {
        let creates =
            matches!(endpoint, Endpoint::Users | Endpoint::Groups) && *call.method == http::Method::POST;
        // What the client said is at fault, not this server or the moment.
        let refused = failure.status.is_client_error() && failure.retry_after.is_none();
        self.watch(call.seat, |traps, now| {
            if failure.nobody {
                traps.unknown_members(now);
            }
            if failure.scim_type == Some("invalidFilter") && !call.changes() {
                traps.filter_refused(now);
            }
            if creates && refused {
                traps.creation_refused(digest(call.body), now);
            }
        });
    }
}

impl Call<'_> {
    /// Whether it may change something.
    fn changes(&self) -> bool {
        matches!(self.method.as_str(), "PUT" | "PATCH" | "DELETE")
    }
}

/// Whether one of the roles has the shape of an app role; none when there are no roles.
pub(super) fn any_app_role(roles: &[AssignedRole]) -> Option<bool> {
    let is_app_role = |role: &AssignedRole| !matches!(role.value.shape(), Shape::NotConvention);
    (!roles.is_empty()).then(|| roles.iter().any(is_app_role))
}

fn shown(operations: &[PatchOperation], with_display_names: bool) -> Shown {
    let mut shown = Shown::default();
    for operation in operations {
        let path = &operation.path.attr;
        shown.active_named |= path.is_core("active", None);
        if path.extension.is_some() || path.attribute.name != "roles" {
            continue;
        }
        match operation.op {
            PatchKind::Remove | PatchKind::Replace => shown.roles_taken = true,
            PatchKind::Add => {
                let value = operation.value.as_ref();
                shown.assignments_added |= has_assignment(value, with_display_names);
            }
        }
    }
    shown
}

fn has_assignment(value: Option<&Value>, with_display_names: bool) -> bool {
    let list = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().chain(value).any(|element| {
        let named = with_display_names && element.get("display").is_some();
        named || element.get(IDP_ID_KEY).is_some()
    })
}

/// Stands for a body without keeping it.
fn digest(body: &[u8]) -> u64 {
    let hash = Sha256::digest(body);
    hash.iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
