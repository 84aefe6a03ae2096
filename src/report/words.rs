//! The words in which an incident is told.

use super::escape;
use crate::answer::Quote;
use crate::reading::{Surface, Symptom};

/// The longest quotation, in characters.
const QUOTE_LENGTH: usize = 280;

/// What fails, to stand after 'people say what fails is'.
pub fn symptom(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::Login => "logging in",
        Symptom::Feed => "the feed",
        Symptom::Search => "search",
        Symptom::Profile => "profiles and account data",
        Symptom::Upload => "posting and uploading",
        Symptom::Playback => "playback",
        Symptom::Messaging => "messages",
        Symptom::Crash => "crashes",
        Symptom::Slow => "slowness",
        Symptom::Payment => "payment",
        Symptom::Notifications => "notifications",
        Symptom::Connection => "connecting",
        Symptom::Other => "something else",
    }
}

pub fn surface(surface: Surface) -> &'static str {
    match surface {
        Surface::App => "the app",
        Surface::Web => "the website",
        Surface::Api => "the API",
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A place's name as it stands within a sentence: `the United States`, `Japan`.
pub fn within_sentence(place: &str) -> String {
    let starts = ["United ", "Netherlands", "Philippines", "Bahamas", "Maldives", "Gambia", "Seychelles", "Comoros"];
    let ends = [" Islands", " Republic", " Emirates", " Territories"];
    let article = starts.iter().any(|start| place.starts_with(start)) || ends.iter().any(|end| place.ends_with(end));
    if article { format!("the {place}") } else { place.to_owned() }
}

/// `1 report`, `12,345 reports`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// `1 person`, `797 people`.
pub fn people(number: u64) -> String {
    if number == 1 { "1 person".to_owned() } else { format!("{} people", thousands(number)) }
}

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share in whole per cent: `31%`, `under 1%`.
pub fn percent(share: f64) -> String {
    let rounded = (share * 100.0).round();
    if share > 0.0 && rounded < 1.0 { "under 1%".to_owned() } else { format!("{rounded}%") }
}

/// A probability in per cent that never claims to be certain: `99.9%`, `over 99.9%`.
pub fn probability(value: f64) -> String {
    if value > 0.999 {
        "over 99.9%".to_owned()
    } else if value >= 0.99 {
        // Rounded down: 99.9% is not said of less.
        format!("{:.1}%", (value * 1000.0).floor() / 10.0)
    } else {
        percent(value)
    }
}

/// An expected count: `0.3`, `12`.
pub fn expected(value: f64) -> String {
    if value < 0.05 {
        "almost none".to_owned()
    } else if value < 10.0 {
        format!("{value:.1}")
    } else {
        thousands(value.round() as u64)
    }
}

/// A post's words, harmless and cut to length; they still need the escaping of the format they go into.
pub fn quotation(quote: &Quote) -> String {
    let Some(text) = &quote.text else { return "a post by an author who is not quoted".to_owned() };
    let text = escape::plain(text);
    if text.chars().count() <= QUOTE_LENGTH {
        return format!("“{text}”");
    }
    let cut: String = text.chars().take(QUOTE_LENGTH).collect();
    format!("“{}…”", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_easily() {
        assert_eq!(count(1, "report"), "1 report");
        assert_eq!(count(1_234_567, "report"), "1,234,567 reports");
        assert_eq!(percent(0.004), "under 1%");
        assert_eq!([probability(0.93), probability(0.9985), probability(1.0)], ["93%", "99.8%", "over 99.9%"]);
        assert_eq!([expected(0.0), expected(0.31), expected(4321.4)], ["almost none", "0.3", "4,321"]);
    }

    #[test]
    fn lists_end_with_and() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([list(&items[..1]), list(&items[..2]), list(&items)], ["a", "a and b", "a, b and c"]);
    }
}
