//! The text that people see of a post written in HTML. It is never rendered again, so hostile markup is
//! only more text.

/// The text of an HTML fragment: line breaks and paragraphs as newlines, entities decoded, what the markup
/// hides left out, and an ellipsis where it shortens a link.
pub fn to_text(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push(&rest[..at]);
        rest = &rest[at..];
        if let Some((tag, after)) = tag(rest) {
            text.tag(tag);
            rest = after;
        } else if let Some((decoded, after)) = entity(rest) {
            text.push(decoded.encode_utf8(&mut [0; 4]));
            rest = after;
        } else {
            // A lone `<` or `&` is what it looks like.
            text.push(&rest[..1]);
            rest = &rest[1..];
        }
    }
    text.push(rest);
    text.out.trim().to_owned()
}

/// Splits a tag or a comment off the front: its inside, and what follows it.
fn tag(html: &str) -> Option<(&str, &str)> {
    if let Some(comment) = html.strip_prefix("<!--") {
        return comment.split_once("-->").map(|(_, after)| ("!", after));
    }
    let inside = html.strip_prefix('<')?;
    if !inside.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?')) {
        return None;
    }
    let mut quote = None;
    for (at, byte) in inside.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some((&inside[..at], &inside[at + 1..])),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Splits an entity off the front.
fn entity(html: &str) -> Option<(char, &str)> {
    let (name, after) = html.strip_prefix('&')?.split_at_checked(html.find(';')?.checked_sub(1)?)?;
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let decoded = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "hellip" => '…',
        _ => match name.strip_prefix('#')? {
            hex if hex.starts_with(['x', 'X']) => number(&hex[1..], 16)?,
            decimal => number(decimal, 10)?,
        },
    };
    Some((decoded, &after[1..]))
}

/// The text so far, and where in the markup we are.
#[derive(Default)]
struct Text {
    out: String,
    /// The open `span`s, and whether each hides or shortens what it holds.
    spans: Vec<Span>,
    /// The element whose content is no text, while within one.
    skipped: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq)]
enum Span {
    Plain,
    Invisible,
    Ellipsis,
}

impl Text {
    fn push(&mut self, text: &str) {
        if self.skipped.is_none() && !self.spans.contains(&Span::Invisible) {
            self.out.push_str(text);
        }
    }

    fn tag(&mut self, inside: &str) {
        let name_end = inside.find(|c: char| c.is_whitespace()).unwrap_or(inside.len());
        let name = inside[..name_end].trim_end_matches('/').to_ascii_lowercase();
        if let Some(element) = self.skipped {
            if name.strip_prefix('/') == Some(element) {
                self.skipped = None;
            }
            return;
        }
        match name.as_str() {
            "br" | "li" | "/ul" | "/ol" => self.newline(1),
            "p" | "/p" | "blockquote" | "/blockquote" | "pre" | "/pre" => self.newline(2),
            "span" => self.spans.push(span(&inside[name_end..])),
            "/span" => self.close_span(),
            "script" => self.skipped = Some("script"),
            "style" => self.skipped = Some("style"),
            _ => {}
        }
    }

    fn close_span(&mut self) {
        if self.spans.pop() == Some(Span::Ellipsis) {
            self.push("…");
        }
    }

    /// Ends the line, and leaves `count - 1` empty ones, unless the text begins here.
    fn newline(&mut self, count: usize) {
        let trimmed = self.out.trim_end_matches(' ').len();
        self.out.truncate(trimmed);
        let held = self.out.len() - self.out.trim_end_matches('\n').len();
        if held < self.out.len() {
            // A line break always counts; paragraphs share theirs.
            let missing = if count == 1 { 1 } else { count.saturating_sub(held) };
            self.out.extend(std::iter::repeat_n('\n', missing));
        }
    }
}

fn span(attributes: &str) -> Span {
    let classes = attributes.split_once("class").and_then(|(_, after)| after.trim_start().strip_prefix('='));
    let classes = classes.map(str::trim_start).unwrap_or_default();
    let classes = match classes.chars().next() {
        Some(quote @ ('"' | '\'')) => classes[1..].split(quote).next(),
        _ => classes.split_whitespace().next(),
    };
    let mut classes = classes.unwrap_or_default().split_whitespace();
    classes
        .find_map(|class| match class {
            "invisible" => Some(Span::Invisible),
            "ellipsis" => Some(Span::Ellipsis),
            _ => None,
        })
        .unwrap_or(Span::Plain)
}

#[cfg(test)]
mod tests {
    use super::to_text;
    use proptest::prelude::*;

    #[test]
    fn a_post_reads_as_people_see_it() {
        let html = concat!(
            r#"<p>Is <a href="https://m.example/tags/tiktokdown" class="mention hashtag" rel="tag">#<span>tiktokdown</span></a>"#,
            r#" for you &amp; me?<br />I can&#39;t log in &lt;again&gt;</p><p>See <a href="https://status.example/very/long">"#,
            r#"<span class="invisible">https://</span><span class="ellipsis">status.example/ve</span>"#,
            r#"<span class="invisible">ry/long</span></a></p>"#,
        );
        let text = "Is #tiktokdown for you & me?\nI can't log in <again>\n\nSee status.example/ve…";
        assert_eq!(to_text(html), text);
    }

    #[test]
    fn hostile_and_broken_markup_is_only_text() {
        for (html, text) in [
            ("a < b && c > d", "a < b && c > d"),
            ("1 <2", "1 <2"),
            ("<p", "<p"),
            ("<a title='>'>x</a>", "x"),
            ("<script>alert('<p>')</script>down", "down"),
            ("<style>p{}</style >x", "x"),
            ("<!-- <p>hidden</p> -->seen", "seen"),
            ("&#x1F4A5;&#0;&#55296;&bogus;&", "💥\0&#55296;&bogus;&"),
            ("&amp;lt;script&amp;gt;", "&lt;script&gt;"),
            ("</span></span>ok", "ok"),
            ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
            ("é<br>ü", "é\nü"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_read(html in r#"([<>&;/!"'=#x -]|span|class|invisible|p|br|é|&#|amp){0,60}"#) {
            prop_assert!(to_text(&html).len() <= html.len() * 3);
        }

        #[test]
        fn plain_text_stays(text in "[a-zA-Zé#.!? ]{0,40}") {
            prop_assert_eq!(to_text(&text), text.trim());
        }
    }
}
