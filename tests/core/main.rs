//! The core against its adversary: synthetic recordings that are shuffled, split, cut, damaged and interrupted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod alerts;
mod input;
mod kill;
mod order;
mod outages;
mod privacy;
mod recordings;
mod related;
mod resume;
mod shapes;
mod silence;
mod store;
mod stream;
mod support;
mod volumes;
