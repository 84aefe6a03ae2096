//! Posts are hostile text: what makes them harmless in each format.

use std::fmt::{self, Write as _};
use unicode_normalization::char::is_combining_mark;

/// Characters that stack on one letter in any living script, and no more.
const STACKED_MARKS: usize = 5;

/// The text as one line without anything that acts on a terminal or on the text around it: control characters
/// become `�`; invisible characters and those that turn the writing direction are left out.
pub fn plain(text: &str) -> String {
    harmless(text.trim())
}

/// [`plain`] with what blanks stand at its ends.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for letter in text.chars() {
        marks = if is_combining_mark(letter) { marks + 1 } else { 0 };
        match letter {
            _ if letter.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ if letter.is_control() => out.push('\u{fffd}'),
            _ if is_invisible(letter) || marks > STACKED_MARKS => {}
            _ => out.push(letter),
        }
    }
    out
}

/// Writing-direction controls, zero-width characters (but those that join letters and emoji), tags, annotations, and what
/// XML does not allow.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// [`plain`] for HTML and SVG, in text and in quoted attributes.
pub fn html(text: &str) -> String {
    entities(&plain(text))
}

/// What templates escape everything with, unless they are told that it is safe: [`html`], but it may be given a text
/// piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page;

impl askama::filters::Escaper for Page {
    fn write_escaped_str<W: fmt::Write>(&self, mut out: W, text: &str) -> fmt::Result {
        out.write_str(&entities(&harmless(text)))
    }
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

/// [`plain`] for a line of Markdown: it shows as it is written, without markup, HTML, mentions or links.
pub fn markdown(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let first = out.is_empty();
        let escaped = match letter {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '@' | '$' => true,
            // List markers and rules, where the line begins.
            '-' | '+' | '=' => first,
            // `1.` begins a list; `www.` and `https:` become links by themselves.
            '.' | ')' => {
                (before.is_ascii_digit() && out.chars().all(|c| c.is_ascii_digit())) || before == 'w' || before == 'W'
            }
            ':' => letters.peek() == Some(&'/'),
            _ => false,
        };
        if escaped {
            out.push('\\');
        }
        out.push(letter);
        before = letter;
    }
    out
}

/// The reference where it is a web address that may be made a link, with what could end it in HTML or Markdown encoded.
pub fn link(reference: &str) -> Option<String> {
    let web = ["https://", "http://"].iter().any(|scheme| reference.starts_with(scheme));
    if !web {
        return None;
    }
    let mut out = String::with_capacity(reference.len());
    for letter in plain(reference).chars() {
        match letter {
            ' ' | '"' | '\'' | '<' | '>' | '(' | ')' | '\\' | '`' | '[' | ']' | '|' => {
                let _ = write!(out, "%{:02X}", letter as u32);
            }
            _ => out.push(letter),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_commanded() {
        let hostile = "down\u{1b}[2J\u{7}\u{9b}31m\r\nagain\u{2028}and\tagain \u{202e}txet\u{2066}\u{200f}";
        assert_eq!(plain(hostile), "down\u{fffd}[2J\u{fffd}\u{fffd}31m again and again txet");
        assert_eq!(plain(&format!("a{}", "\u{301}".repeat(500))).chars().count(), 1 + STACKED_MARKS);
        assert_eq!(plain("👨‍👩‍👧 नमस्ते"), "👨‍👩‍👧 नमस्ते", "joined emoji and letters stay whole");
    }

    #[test]
    fn markup_shows_as_it_is_written() {
        assert_eq!(
            html("<script>'a' & \"b\"</script>"),
            "&lt;script&gt;&#39;a&#39; &amp; &quot;b&quot;&lt;/script&gt;"
        );
        assert_eq!(markdown("# *a* [b](javascript:x) <i> @you"), r"\# \*a\* \[b\](javascript:x) \<i\> \@you");
        assert_eq!(
            markdown("1. see https://evil.example www.evil.example"),
            r"1\. see https\://evil.example www\.evil.example"
        );
        assert_eq!(markdown("- at 19:29 it was 1.5"), r"\- at 19:29 it was 1.5");
    }

    #[test]
    fn only_the_web_is_linked() {
        assert_eq!(link("javascript:alert(1)"), None);
        assert_eq!(link("at://did:plc:x/app.bsky.feed.post/1"), None);
        let broken = link("https://a.example/\"><script>(1)\n").unwrap();
        assert_eq!(broken, "https://a.example/%22%3E%3Cscript%3E%281%29");
    }
}
