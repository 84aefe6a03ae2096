//! Reports against the band in which they are expected, drawn.

use super::escape::html;
use super::{chart, time, words};
use crate::answer::SeriesPoint;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::fmt::Write as _;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 260.0;
/// Room for the numbers on the left, the turns above and the times below.
const LEFT: f64 = 44.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 28.0;
const RIGHT: f64 = 12.0;
/// More points cannot be told apart.
const POINTS: usize = 180;
/// About how wide a letter of a turn's name is, where a narrow screen shows it large.
const LETTER: f64 = 7.6;

/// A self-contained SVG image: no script, no outside request, light and dark.
pub fn chart(points: &[SeriesPoint], marks: &[(DateTime<Utc>, &str)], title: &str, zone: Tz) -> String {
    drawing(points, marks, title, zone, &format!("<style>{STYLE}</style>"))
}

/// The chart to stand in a page that brings [`STYLE`].
pub(crate) fn within_page(points: &[SeriesPoint], marks: &[(DateTime<Utc>, &str)], title: &str, zone: Tz) -> String {
    drawing(points, marks, title, zone, "")
}

fn drawing(points: &[SeriesPoint], marks: &[(DateTime<Utc>, &str)], title: &str, zone: Tz, style: &str) -> String {
    let title = html(title);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" font-family="system-ui, sans-serif" font-size="11"><title>{title}</title>{style}"#
    );
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        let step = chart::step_for(last.at - first.at, POINTS);
        let points = chart::resample(points, step);
        let frame = Frame::around(&points, TimeDelta::minutes(step));
        frame.band(&mut svg, &points);
        frame.silence(&mut svg, &points);
        frame.counts(&mut svg, &points);
        frame.axes(&mut svg, zone);
        frame.marks(&mut svg, marks);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The style of a chart, which a page that holds one must bring.
pub(crate) const STYLE: &str = ".chart .band{fill:#7aa6d8;opacity:.45}.chart .count{fill:none;stroke:#b3410f;\
stroke-width:1.6}.chart .gap{fill:#999;opacity:.25}.chart .axis{stroke:#888;stroke-width:.6}\
.chart .mark{stroke:#555;stroke-dasharray:3 2}.chart text{fill:#333}\
@media(prefers-color-scheme:dark){.chart text{fill:#ddd}.chart .mark{stroke:#bbb}.chart .count{stroke:#fb923c}}";

/// Where times and counts lie on the picture.
struct Frame {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    step: TimeDelta,
    top: f64,
}

impl Frame {
    fn around(points: &[SeriesPoint], step: TimeDelta) -> Frame {
        let highest = points.iter().map(|point| (point.observed as f64).max(point.high)).fold(1.0, f64::max);
        Frame {
            from: points.first().map_or(DateTime::UNIX_EPOCH, |point| point.at),
            until: points.last().map_or(DateTime::UNIX_EPOCH, |point| point.at) + step,
            step,
            top: highest * 1.05,
        }
    }

    fn x(&self, at: DateTime<Utc>) -> f64 {
        let share = (at - self.from).num_seconds() as f64 / (self.until - self.from).num_seconds().max(1) as f64;
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// The middle of the step that begins at `at`.
    fn middle(&self, at: DateTime<Utc>) -> f64 {
        self.x(at + self.step / 2)
    }

    fn y(&self, count: f64) -> f64 {
        HEIGHT - BOTTOM - (count / self.top).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }

    fn band(&self, svg: &mut String, points: &[SeriesPoint]) {
        let upper = points.iter().map(|p| format!("{:.1},{:.1}", self.middle(p.at), self.y(p.high)));
        let lower = points.iter().rev().map(|p| format!("{:.1},{:.1}", self.middle(p.at), self.y(p.low)));
        let outline: Vec<String> = upper.chain(lower).collect();
        let _ = write!(svg, r#"<polygon class="band" points="{}"/>"#, outline.join(" "));
    }

    fn silence(&self, svg: &mut String, points: &[SeriesPoint]) {
        for point in points.iter().filter(|point| point.heard <= 0.0) {
            let (left, right) = (self.x(point.at), self.x(point.at + self.step));
            let (y, height, width) = (TOP, HEIGHT - BOTTOM - TOP, right - left);
            let _ = write!(
                svg,
                r#"<rect class="gap" x="{left:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"><title>nobody listened</title></rect>"#
            );
        }
    }

    /// One line for each stretch that was listened to.
    fn counts(&self, svg: &mut String, points: &[SeriesPoint]) {
        for stretch in points.split(|point| point.heard <= 0.0).filter(|stretch| !stretch.is_empty()) {
            let line: Vec<String> =
                stretch.iter().map(|p| format!("{:.1},{:.1}", self.middle(p.at), self.y(p.observed as f64))).collect();
            let _ = write!(svg, r#"<polyline class="count" points="{}"/>"#, line.join(" "));
        }
    }

    fn axes(&self, svg: &mut String, zone: Tz) {
        let (left, right, floor) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
        let _ = write!(svg, r#"<line class="axis" x1="{left}" x2="{right}" y1="{floor}" y2="{floor}"/>"#);
        for count in [self.top / 2.1, self.top / 1.05] {
            let y = self.y(count);
            let label = words::thousands(count.round() as u64);
            let (x, base) = (LEFT - 6.0, y + 4.0);
            let _ = write!(
                svg,
                r#"<line class="axis" x1="{left}" x2="{right}" y1="{y:.1}" y2="{y:.1}" opacity=".4"/><text x="{x}" y="{base:.1}" text-anchor="end">{label}</text>"#
            );
        }
        let tick = chart::step_for(self.until - self.from, 8) * 60;
        let mut at = (self.from.timestamp().div_euclid(tick) + 1) * tick;
        while let Some(time) = DateTime::from_timestamp(at, 0).filter(|time| *time < self.until) {
            let label = if tick < 86_400 { time::clock(time, zone) } else { time.format("%-d %b").to_string() };
            let (x, base) = (self.x(time), HEIGHT - BOTTOM + 16.0);
            let _ = write!(svg, r#"<text x="{x:.1}" y="{base}" text-anchor="middle">{}</text>"#, html(&label));
            at += tick;
        }
        let mean = format!("reports in {}; the band holds 90% of what is usual", time::duration(self.step));
        let _ = write!(svg, r#"<text x="{left}" y="12">{}</text>"#, html(&mean));
    }

    fn marks(&self, svg: &mut String, marks: &[(DateTime<Utc>, &str)]) {
        // Up to where each of the two lines of names is taken.
        let mut taken = [f64::MIN; 2];
        for (at, name) in marks.iter().filter(|(at, _)| self.from <= *at && *at <= self.until) {
            let x = self.x(*at);
            let (anchor, x_text) = if x > WIDTH - 90.0 { ("end", x - 3.0) } else { ("start", x + 3.0) };
            let width = LETTER * name.len() as f64;
            let begins = if anchor == "end" { x_text - width } else { x_text };
            let upper = taken[0] + LETTER < begins || taken[0] <= taken[1];
            taken[usize::from(!upper)] = begins + width;
            let (base, floor) = (if upper { TOP - 18.0 } else { TOP - 5.0 }, HEIGHT - BOTTOM);
            let top = base - 9.0;
            let _ = write!(
                svg,
                r#"<line class="mark" x1="{x:.1}" x2="{x:.1}" y1="{top:.1}" y2="{floor}"/><text x="{x_text:.1}" y="{base:.1}" text-anchor="{anchor}">{}</text>"#,
                html(name)
            );
        }
    }
}
