//! HTTP around the decisions: routes, bounds, negotiation, answers. Nothing here knows users or groups.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod failure;
pub(crate) mod headers;
pub(crate) mod route;
pub(crate) mod sending;
