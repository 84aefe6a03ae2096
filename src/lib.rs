//! Turns public posts about services that fail into dated, evidenced incidents.
//!
//! Data flows one way: source → post → reading → count → detect → incident → report.

pub mod answer;
pub mod clock;
pub mod config;
pub mod incident;
pub mod minute;
pub mod post;
pub mod reading;
pub mod region;
pub mod report;
pub mod telemetry;
