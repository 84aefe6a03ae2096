//! Any bytes as a line of a recording.
#![no_main]

use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use whatsdown::post::Event;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = Event::parse(bytes, DateTime::<Utc>::MAX_UTC) {
        assert!(!error.to_string().is_empty());
    }
});
