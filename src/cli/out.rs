//! The one way to stdout. It knows that pipes close.

use super::failure::Stop;
use serde::Serialize;
use std::io::{self, BufWriter, Write};

/// Buffered data for whoever reads us. [`Out::finish`] must be called, or the last of it is lost.
pub struct Out {
    inner: BufWriter<Box<dyn Write>>,
}

impl Out {
    pub fn stdout() -> Out {
        Out::to(Box::new(io::stdout()))
    }

    pub fn to(inner: Box<dyn Write>) -> Out {
        Out { inner: BufWriter::new(inner) }
    }

    /// Writes the text as it is.
    pub fn text(&mut self, text: &str) -> Result<(), Stop> {
        self.inner.write_all(text.as_bytes()).map_err(|error| stop(&error))
    }

    /// Writes one JSON value and ends the line.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        let line = serde_json::to_string(value).map_err(Stop::failed)?;
        self.text(&line)?;
        self.text("\n")
    }

    /// Writes a JSON array with one element a line.
    pub fn json_array<T: Serialize>(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), Stop> {
        let mut before = "[\n";
        for value in values {
            self.text(before)?;
            self.text(&serde_json::to_string(&value).map_err(Stop::failed)?)?;
            before = ",\n";
        }
        self.text(if before == "[\n" { "[]\n" } else { "\n]\n" })
    }

    /// Hands over what is still buffered.
    pub fn finish(&mut self) -> Result<(), Stop> {
        self.inner.flush().map_err(|error| stop(&error))
    }
}

/// What an error of writing to stdout means for the command.
pub fn stop(error: &io::Error) -> Stop {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Stop::ClosedPipe;
    }
    Stop::failed(format!("cannot write to standard output: {error}")).hint("is the disk full?")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
        for (kind, closed) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut out = Out::to(Box::new(Fails(kind)));
            let stopped = out.text(&"x".repeat(100_000)).unwrap_err();
            assert_eq!(matches!(stopped, Stop::ClosedPipe), closed);
        }
    }
}
