//! What the program says of its own work, on stderr.

use std::io;
use tracing_subscriber::filter::LevelFilter;

/// Starts telling: warnings, or with `verbose` more; with `quiet` errors only. Called once, at the start.
pub fn start(quiet: bool, verbose: u8) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_ansi(false).finish();
    // A second start, as in tests, leaves the first one's choice.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
