//! Every bound of the projector, with its reason.
//!
//! Some decide what an event does, so they belong to the frozen rules of acceptance (DESIGN 5): with another
//! value an old log would fold to other verdicts or other desired users. Those are [`VERDICTS_MAX`],
//! [`GUARD_WINDOW_MS`], [`GUARD_AHEAD_MS`], [`PARTS_REQUESTS_MAX`] and [`PARTS_BYTES_MAX`]; with them, in the
//! domain, `LOSS_ENTRIES_MAX` and `LOSS_PERCENT_MAX` (a catalog loss that waits), `EVENT_PARTS_MAX`, and
//! `EVENT_BYTES_MAX`, by which waiting parts of a catalog are weighed. Changing one needs a new version of the
//! events that it judges. All others bound work and memory only and may change freely.

use std::time::Duration;

/// Event ids whose verdict is remembered per tenant: hours of a busy tenant, far longer than any producer
/// repeats.
pub const VERDICTS_MAX: usize = 65_536;
/// Longest wait for the fold: it is microseconds behind the log, so a longer wait means that it is catching
/// up.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Most ids of one page, and most accounts looked at for one page of holds: bounds the time of a shared lock.
pub const PAGE_MAX: usize = 1_000;
/// The window in which losses of access are summed for the safety catch, in ms of event time (DESIGN 8).
pub const GUARD_WINDOW_MS: i64 = 10 * 60 * 1000;
/// The catch's clock follows events that are at most this far ahead of it, in ms: a day, far more than clocks
/// of honest senders differ by. Further it goes only as far as two events in a row agree, so that a single one
/// dated years ahead does not stop the window for years, and a quiet week does not stop it either.
pub const GUARD_AHEAD_MS: i64 = 24 * 60 * 60 * 1000;
/// Requests in parts that wait for their rest; the oldest gives way. A door sends the parts of a request in
/// one go.
pub const PARTS_REQUESTS_MAX: usize = 64;
/// Bytes of all waiting parts together: one request of the largest size that a door accepts.
pub const PARTS_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Tenants of one partition that are folded without being configured: those that were, or will be. More than that is
/// somebody who writes what they like; their records are put aside, and the state is built anew should one be
/// configured.
pub const STRANGERS_MAX: usize = 1_000;
/// Most records of one turn of the driver: bounds what one commit writes and how long it takes.
pub const TURN_RECORDS: usize = 2_048;
/// Records after which a driver that is catching up commits. Documents and pages that many of them change are read and
/// written once then, and not at every turn; some seconds of folding are lost when the process dies meanwhile. Not used
/// once it has caught up: a commit of that size would keep a leaver waiting.
pub const CATCH_UP_RECORDS: usize = 1 << 20;
/// Bytes of documents after which it commits, whatever their number: they are held in memory until then, and once more
/// while they are written.
pub const CATCH_UP_BYTES: usize = 64 * 1024 * 1024;
/// Most records folded under one lock: about a millisecond, the longest that a reader waits.
pub const STEP_RECORDS: usize = 256;
/// How long desired users are computed before the driver reads again (DESIGN 6).
pub const SLICE: Duration = Duration::from_millis(5);
/// Accounts computed under one lock: a fraction of a millisecond.
pub const STEP_ACCOUNTS: usize = 128;
/// Accounts that are put on the list at once when everybody is to be looked at.
pub const EXPAND_ACCOUNTS: u32 = 1_024;
/// Desired users of one append: a group commit of a few milliseconds.
pub const PUBLISH_RECORDS: usize = 512;
/// Bytes of one append of desired users; below the log's bound of a batch.
pub const PUBLISH_BYTES: usize = 4 * 1024 * 1024;
