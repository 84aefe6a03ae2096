//! Rows as a Parquet file, a group of rows at a time.

use super::failure::Stop;
use super::out::stop;
use chrono::DateTime;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows that are held in memory until they are written together.
const GROUP: usize = 50_000;

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Whole,
    Real,
    /// Milliseconds since 1970, UTC.
    Time,
}

/// The columns' names tell what they hold.
fn kind(name: &str) -> Kind {
    match name {
        "posts" | "authors" | "observed" | "reports" => Kind::Whole,
        "expected" | "score" | "confidence" | "heard" => Kind::Real,
        "at" | "until" | "start" | "start_low" | "start_high" | "end" | "end_low" | "end_high" | "detected_at"
        | "acknowledged_at" | "retracted_at" => Kind::Time,
        _ => Kind::Text,
    }
}

/// A table on its way out. [`Table::finish`] must be called.
pub struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    kinds: Vec<Kind>,
    rows: Vec<Vec<String>>,
}

impl<W: Write + Send> Table<W> {
    pub fn new(to: W, columns: &[&str]) -> Result<Table<W>, Stop> {
        let field = |name: &&str| match kind(name) {
            Kind::Text => format!("optional binary {name} (UTF8);"),
            Kind::Whole => format!("optional int64 {name};"),
            Kind::Real => format!("optional double {name};"),
            Kind::Time => format!("optional int64 {name} (TIMESTAMP(MILLIS,true));"),
        };
        let schema = format!("message whatsdown {{ {} }}", columns.iter().map(field).collect::<String>());
        let schema = Arc::new(parse_message_type(&schema).map_err(failed)?);
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let writer = SerializedFileWriter::new(to, schema, properties).map_err(failed)?;
        Ok(Table { writer, kinds: columns.iter().map(|name| kind(name)).collect(), rows: Vec::new() })
    }

    /// The cells as they stand in CSV; an empty one is null.
    pub fn row(&mut self, cells: Vec<String>) -> Result<(), Stop> {
        self.rows.push(cells);
        if self.rows.len() >= GROUP { self.write_group().map_err(failed) } else { Ok(()) }
    }

    pub fn finish(mut self) -> Result<(), Stop> {
        self.write_group().map_err(failed)?;
        self.writer.close().map(|_| ()).map_err(failed)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        for (index, kind) in self.kinds.iter().enumerate() {
            let cells = || rows.iter().filter_map(|row| row.get(index)).map(String::as_str);
            let there: Vec<i16> = cells().map(|cell| i16::from(!cell.is_empty())).collect();
            let there = Some(there.as_slice());
            let filled = || cells().filter(|cell| !cell.is_empty());
            let Some(mut column) = group.next_column()? else { break };
            match kind {
                Kind::Text => {
                    let values: Vec<ByteArray> = filled().map(ByteArray::from).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, there, None)?;
                }
                Kind::Whole => {
                    column.typed::<Int64Type>().write_batch(&parsed(filled(), |c| c.parse().ok())?, there, None)?;
                }
                Kind::Real => {
                    column.typed::<DoubleType>().write_batch(&parsed(filled(), |c| c.parse().ok())?, there, None)?;
                }
                Kind::Time => {
                    let time = |cell: &str| Some(DateTime::parse_from_rfc3339(cell).ok()?.timestamp_millis());
                    column.typed::<Int64Type>().write_batch(&parsed(filled(), time)?, there, None)?;
                }
            }
            column.close()?;
        }
        group.close().map(|_| ())
    }
}

fn parsed<'a, T>(
    cells: impl Iterator<Item = &'a str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ParquetError> {
    let one = |cell: &str| parse(cell).ok_or_else(|| ParquetError::General(format!("`{cell}` is of another kind")));
    cells.map(one).collect()
}

fn failed(error: ParquetError) -> Stop {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => stop(&error),
            Err(other) => Stop::failed(other),
        },
        other => Stop::failed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    #[test]
    fn what_is_written_is_read_back() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut table = Table::new(path.reopen().unwrap(), &["at", "service", "posts", "score", "incident"]).unwrap();
        let cells = |cells: [&str; 5]| cells.map(str::to_owned).to_vec();
        table.row(cells(["2021-07-06T19:29:00Z", "tiktok", "7", "0.5", ""])).unwrap();
        table.row(cells(["2021-07-06T19:30:00Z", "=x", "8", "1e9", "tiktok-1"])).unwrap();
        table.finish().unwrap();
        let reader = SerializedFileReader::new(path.reopen().unwrap()).unwrap();
        let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(rows.len(), 2);
        assert!(rows[0].contains("service: \"tiktok\", posts: 7, score: 0.5, incident: null"), "{}", rows[0]);
        assert!(rows[1].contains("2021-07-06 19:30:00") && rows[1].contains("service: \"=x\""), "{}", rows[1]);
    }
}
