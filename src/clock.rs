//! The wall clock. No other module reads it, so that a replay of the same posts is the same everywhere.

use chrono::{DateTime, Utc};

/// The time now.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
