//! Turns public posts about services that fail into dated, evidenced incidents.
//!
//! Data flows one way: source → post → reading → count → track (detect → incident) → store → report.

pub mod alert;
pub mod answer;
pub mod backtest;
pub mod cli;
pub mod clock;
pub mod config;
pub mod count;
pub mod daemon;
pub mod detect;
pub mod http;
pub mod incident;
pub mod intake;
pub mod minute;
pub mod pipeline;
pub mod post;
pub mod reading;
pub mod region;
pub mod report;
pub mod secret;
pub mod select;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod track;
pub mod when;
