//! Helpers shared by the whole-engine tests.
