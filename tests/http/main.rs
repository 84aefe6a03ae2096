//! Everything that is served, over a real socket and a replayed database: a reconstruction of an outage, made by a script.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot be set up fails the test")]

mod api;
mod events;
mod hostile;
mod page;
mod support;
