//! Carrying a plan out: read, plan, intent, send, read back, outcome.

mod carry;
mod endings;
mod mutations;
mod outcomes;
mod rename;
mod visit;

pub(crate) use visit::visit;
