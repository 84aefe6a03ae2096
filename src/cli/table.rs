//! Tables that fit the width of the terminal.

use super::style::Style;
use crate::report::escape::plain;
use crate::report::ink::Ink;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// No column of words is made narrower than this.
const NARROWEST: usize = 8;
const BETWEEN: usize = 2;

type Paint = fn(Ink, &str) -> String;

pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    name: &'static str,
    number: bool,
    /// Never cut.
    whole: bool,
}

pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// A cell whose colour means something.
    pub fn painted(text: impl AsRef<str>, paint: Paint) -> Cell {
        Cell { text: plain(text.as_ref()), paint: Some(paint) }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: plain(text.as_ref()), paint: None }
    }
}

impl Table {
    /// A name that begins with `#` heads a column of numbers, which stand to the right; one that begins with `=`
    /// a column of words that people copy. Neither is ever cut.
    pub fn new(columns: &[&'static str]) -> Table {
        let column = |name: &&'static str| Column {
            name: name.trim_start_matches(['#', '=']),
            number: name.starts_with('#'),
            whole: name.starts_with(['#', '=']),
        };
        Table { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    pub fn render(&self, style: &Style) -> String {
        let widths = self.widths(style.width);
        let mut out = String::new();
        let head: Vec<Cell> = self.columns.iter().map(|column| Cell::painted(column.name, Ink::dim)).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, column), width) in row.iter().zip(&self.columns).zip(&widths) {
                let text = cut(&cell.text, *width);
                let pad = " ".repeat(width - text.width());
                let text = cell.paint.map_or_else(|| text.clone(), |paint| paint(style.ink, &text));
                let (first, second) = if column.number { (pad, text) } else { (text, pad) };
                line.push_str(&first);
                line.push_str(&second);
                line.push_str(&" ".repeat(BETWEEN));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// As wide as the cells need, the widest columns of words cut until all fits.
    fn widths(&self, available: Option<usize>) -> Vec<usize> {
        let needed = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.width());
            cells.chain([column.name.width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(needed).collect();
        let Some(available) = available else { return widths };
        let taken = |widths: &[usize]| widths.iter().sum::<usize>() + BETWEEN * widths.len().saturating_sub(1);
        while taken(&widths) > available {
            let words =
                widths.iter_mut().zip(&self.columns).filter(|(width, column)| !column.whole && **width > NARROWEST);
            let Some((widest, _)) = words.max_by_key(|(width, _)| **width) else { break };
            *widest -= 1;
        }
        widths
    }
}

/// The text in at most `width` columns, with `…` where something is left out.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 1;
    for letter in text.chars() {
        taken += letter.width().unwrap_or(0);
        if taken > width {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;

    fn table() -> Table {
        let mut table = Table::new(&["name", "#count", "note"]);
        table.row(["日本".into(), "7".into(), "something that goes on for longer than there is room".into()]);
        table.row([Cell::painted("x\u{1b}[2J", Ink::red), "1,000".into(), "short".into()]);
        table
    }

    #[test]
    fn columns_line_up_and_fit() {
        let style = Style { width: Some(40), ..style::plain("2021-07-06T00:00:00Z") };
        insta::assert_snapshot!(table().render(&style), @"
        name   count  note
        日本       7  something that goes on fo…
        x�[2J  1,000  short
        ");
        assert!(table().render(&Style { width: None, ..style }).contains("longer than there is room"));
    }

    #[test]
    fn colour_does_not_count_as_width_and_hostile_text_has_none() {
        let style = Style { ink: Ink { colour: true }, ..style::plain("2021-07-06T00:00:00Z") };
        let painted = table().render(&style);
        assert!(painted.contains("\u{1b}[31mx\u{fffd}[2J\u{1b}[0m"), "{painted:?}");
    }
}
