//! How a command ends other than well, and what is said about it.

use crate::config::ConfigError;
use std::fmt;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Unreadable input, an unknown incident, a full disk.
    Failed = 1,
    /// The words or the configuration are wrong.
    Usage = 2,
    /// Something is down; only with `--exit-code`.
    Down = 3,
}

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// Whoever read our output has had enough. That is no error.
    ClosedPipe,
    Failure(Failure),
}

/// What went wrong, and what to do next.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: Option<String>,
}

impl Stop {
    /// The command was right, but could not be carried out.
    pub fn failed(message: impl fmt::Display) -> Stop {
        Stop::Failure(Failure { exit: Exit::Failed, message: message.to_string(), hint: None })
    }

    /// The words were wrong.
    pub fn usage(message: impl fmt::Display) -> Stop {
        Stop::Failure(Failure { exit: Exit::Usage, message: message.to_string(), hint: None })
    }

    #[must_use]
    pub fn hint(self, hint: impl fmt::Display) -> Stop {
        match self {
            Stop::Failure(failure) => Stop::Failure(Failure { hint: Some(hint.to_string()), ..failure }),
            Stop::ClosedPipe => Stop::ClosedPipe,
        }
    }
}

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Stop {
        // A configuration that was named but cannot be read is as wrong as one that says the wrong thing.
        Stop::usage(&error).hint(error.hint)
    }
}
