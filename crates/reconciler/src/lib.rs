//! Plan, guard, queue, apply: makes Fluent hold what is desired.
