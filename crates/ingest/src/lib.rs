//! The doors: SCIM server and webhooks to events.
