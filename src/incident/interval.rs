//! A time that is known only within bounds.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An estimated time and its 90% interval: `low` ≤ `estimate` ≤ `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    pub estimate: DateTime<Utc>,
    pub low: DateTime<Utc>,
    pub high: DateTime<Utc>,
}
