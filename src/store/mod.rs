//! The embedded database: one interface that appends a counted batch, one that answers queries.

use rusqlite::Connection;
use std::path::{Path, PathBuf};

mod alerts;
mod lock;
mod mark;
mod overview;
pub mod reader;
mod schema;
mod series;
mod sources;
mod sql;
pub mod writer;

pub use lock::beside;
pub use mark::{Mark, NotAMark};
pub use reader::{Filter, Reader};
pub use writer::{Append, Writer};

use crate::reading::words;

words! {
    /// Where a database's posts come from. The two are never mixed, since they have different clocks.
    Stamp { Live = "live", Replayed = "replayed" }
}

/// Why the database cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no database at {0}")]
    Missing(PathBuf),
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} was written by a newer whatsdown (schema {found}, this one knows {known})")]
    Newer { path: PathBuf, found: usize, known: usize },
    #[error("{path} is in use by a whatsdown that is older than this one (schema {found}, this one needs {known})")]
    Older { path: PathBuf, found: usize, known: usize },
    #[error("{path} is in use by another whatsdown{by}")]
    InUse { path: PathBuf, by: String },
    #[error("{path} is a {found} database")]
    Stamp { path: PathBuf, found: Stamp },
    #[error("{path} is not a whatsdown database: {why}")]
    Foreign { path: PathBuf, why: String },
    #[error("the database cannot be written on: the disk is full or failing, or a limit on files is reached")]
    Full,
    #[error("the database says: {0}")]
    Sqlite(rusqlite::Error),
    #[error("the database holds what this program never writes: {0}")]
    Corrupt(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
        match error.sqlite_error().map(|error| error.extended_code) {
            Some(SQLITE_FULL | SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_WRITE) => StoreError::Full,
            _ => StoreError::Sqlite(error),
        }
    }
}

impl StoreError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            StoreError::Missing(_) => {
                "start `whatsdown run`, or `whatsdown replay FILE`, to make one; `--db` says where it is"
            }
            StoreError::Io { .. } => "check that the path exists and that you may write there; `--db` chooses another",
            StoreError::Newer { .. } => "use the newer program, or another database with `--db`",
            StoreError::Older { .. } => {
                "stop that one and start the job with this program: it brings the database up to date"
            }
            StoreError::InUse { .. } => "stop the other one first, or use another database with `--db`",
            StoreError::Stamp { found: Stamp::Live, .. } => "replay into a database of its own with `--db`",
            StoreError::Stamp { found: Stamp::Replayed, .. } => "let the job write a database of its own with `--db`",
            StoreError::Foreign { .. } => "choose another path with `--db`; the file was left as it is",
            StoreError::Full => "free some space and run the same command again: what was committed is kept",
            StoreError::Sqlite(_) => "run the same command again; if it stays so, move the file away and start anew",
            StoreError::Corrupt(_) => "move the file away and start anew, and please report this",
        }
    }
}

/// Opens the connection and sets what every connection needs.
fn connect(path: &Path, flags: rusqlite::OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}
