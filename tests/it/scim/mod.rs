//! The SCIM service as identity providers meet it, over real HTTP: the lists that Okta and Microsoft have new
//! applications pass, and a whole day in each dialect, which must end in the right Fluent.
//!
//! A [`dialect::Dialect`] is a value that shapes requests; what is asked for and what must come of it is the same for
//! all of them.

mod client;
mod dialect;
mod docs;

mod entra;
mod okta;
mod reference;
mod sessions;
mod tolerance;
mod traps;
