//! The log's contract, its conformance suite and its engines.
