//! The fold: events to directory to desired users; derivations and checkpoints.
