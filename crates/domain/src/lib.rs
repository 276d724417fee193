//! The shared language: ids, events, app roles, grants, desired users. No I/O, no async.
