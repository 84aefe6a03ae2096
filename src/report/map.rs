//! The map of the world with the countries that are named in an answer, drawn.

use super::escape::html;
use super::words;
use crate::region::Region;
use std::fmt::Write as _;
use std::sync::OnceLock;

/// One line a country: code, the point in its middle, its outline. Built by `data/map/build.py`.
const COUNTRIES: &str = include_str!("../../data/map/countries.tsv");
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 434.0;
/// The radii of the dots for the fewest and for the most reports.
const SMALL: f64 = 4.0;
const LARGE: f64 = 20.0;

/// A country to be marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub country: Region,
    /// What is said of it: `Japan: 31 reports`.
    pub label: String,
    /// How large its dot is, beside the others'.
    pub weight: u64,
}

impl Mark {
    pub fn new(country: Region, name: &str, reports: u64) -> Mark {
        Mark { country, label: format!("{name}: {}", words::count(reports, "report")), weight: reports }
    }
}

struct Country {
    code: &'static str,
    /// `None` for land whose code is not agreed.
    middle: Option<(f64, f64)>,
    /// Empty for a country that is too small to be drawn.
    outline: &'static str,
}

fn countries() -> &'static [Country] {
    static PARSED: OnceLock<Vec<Country>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let country = |line: &'static str| {
            let mut parts = line.split('\t');
            let (code, middle, outline) = (parts.next()?, parts.next()?, parts.next()?);
            let middle = middle.split_once(' ').and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)));
            Some(Country { code, middle, outline })
        };
        COUNTRIES.lines().filter_map(country).collect()
    })
}

/// The map with its marks, to stand in a page that brings the style: no script, no outside request. Empty where none of
/// the marks is on the map.
pub(crate) fn map(marks: &[Mark]) -> String {
    let mark = |country: &Country| marks.iter().find(|mark| mark.country.as_str() == country.code);
    let marked: Vec<(&Country, &Mark)> =
        countries().iter().filter_map(|country| Some((country, mark(country)?))).collect();
    let most = marked.iter().map(|(_, mark)| mark.weight).max().unwrap_or_default().max(1) as f64;
    if marked.is_empty() {
        return String::new();
    }
    let labels: Vec<String> = marked.iter().map(|(_, mark)| html(&mark.label)).collect();
    let mut svg = format!(
        r#"<svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Map of the world. {}"><path class="land" d=""#,
        labels.join("; ")
    );
    for country in countries().iter().filter(|country| mark(country).is_none()) {
        svg.push_str(country.outline);
    }
    svg.push_str(r#""/>"#);
    for (country, mark) in &marked {
        let _ = write!(svg, r#"<path class="hit" d="{}"><title>{}</title></path>"#, country.outline, html(&mark.label));
    }
    for (country, mark) in &marked {
        let Some((x, y)) = country.middle else { continue };
        // The dot's area grows with the weight.
        let radius = SMALL + (LARGE - SMALL) * (mark.weight as f64 / most).sqrt();
        let label = html(&mark.label);
        let _ = write!(svg, r#"<circle class="dot" cx="{x}" cy="{y}" r="{radius:.1}"><title>{label}</title></circle>"#);
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::place::Places;

    fn mark(code: &str, label: &str, weight: u64) -> Mark {
        Mark { country: code.parse().unwrap(), label: label.to_owned(), weight }
    }

    #[test]
    fn every_line_of_the_table_is_a_country_that_is_known() {
        assert_eq!(countries().len(), COUNTRIES.lines().count());
        for country in countries().iter().filter(|country| country.code != "-") {
            assert!(Places::embedded().known(country.code.parse().unwrap()), "{}", country.code);
            let (x, y) = country.middle.unwrap();
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{}", country.code);
        }
    }

    #[test]
    fn a_marked_country_has_a_shape_and_a_dot_and_says_what_it_is() {
        let svg = map(&[mark("US", "United States: 420 reports", 420), mark("SG", "Singapore: 5 reports", 5)]);
        assert!(svg.contains("Map of the world. Singapore: 5 reports; United States: 420 reports"), "{svg}");
        assert_eq!(svg.matches(r#"class="dot""#).count(), 2, "a country too small to be drawn has its dot");
        assert!(svg.contains(r#"r="20.0""#), "the most reports have the largest dot");
    }

    #[test]
    fn what_is_not_on_the_map_draws_none_and_names_are_harmless() {
        assert_eq!(map(&[]), "");
        assert_eq!(map(&[mark("AQ", "Antarctica: 1 report", 1)]), "");
        let svg = map(&[mark("GB", "\"><script>alert(1)</script>", 1)]);
        assert!(!svg.contains("<script"), "{svg}");
    }
}
