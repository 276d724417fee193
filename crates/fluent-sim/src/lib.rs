//! A Fluent that behaves as documented, and as badly as reality, for the demo and the tests.
