//! Fluent's API: typed operations, OAuth, error codes, paging.
