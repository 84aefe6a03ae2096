//! Everything that is served, over a real socket and a replayed database: a reconstruction of an outage, made by a script.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod api;
mod events;
mod page;
mod support;
