//! The forms in which commands answer.

use super::failure::Stop;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[value(alias = "table")]
    Text,
    Md,
    Html,
    Json,
    Jsonl,
    Csv,
    Svg,
    /// For `export`, in a program built with it
    Parquet,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Md => "md",
            Format::Html => "html",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
            Format::Svg => "svg",
            Format::Parquet => "parquet",
        }
    }

    /// The wanted format, if the command has it; the first of them where none is wanted.
    pub fn choose(wanted: Option<Format>, has: &[Format]) -> Result<Format, Stop> {
        let wanted = wanted.or(has.first().copied()).unwrap_or(Format::Text);
        if has.contains(&wanted) {
            return Ok(wanted);
        }
        let words: Vec<&str> = has.iter().map(|format| format.word()).collect();
        let message = format!("this command has no format `{}`", wanted.word());
        Err(Stop::usage(message).hint(format!("use --format {}", words.join(", "))))
    }
}
