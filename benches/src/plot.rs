//! Time against the number of users, a small drawing for each question, as SVG.
//!
//! Knows lines and logarithms. Takes the reports of runs with different numbers of users.

use std::{collections::BTreeMap, fmt::Write};

use crate::report::Report;

/// Drawings side by side.
const ACROSS: usize = 4;
/// Of one drawing with its margins, in pixels.
const CELL_WIDTH: f64 = 300.0;
const CELL_HEIGHT: f64 = 240.0;
/// Around the axes.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 32.0;
/// Above all drawings, for the names of the lines.
const LEGEND_HEIGHT: f64 = 64.0;
/// Ours is first; colours that colour-blind people can tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 8] = [
    "#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999",
];
const OURS: &str = "tessera";

/// The points of each engine, users and milliseconds, by question.
type Curves = BTreeMap<String, Vec<(f64, f64)>>;

/// Draws the reports; `None` when there is nothing to draw.
pub fn svg(reports: &[Report]) -> Option<String> {
    let ids: Vec<(&str, &str)> = reports
        .first()?
        .lines
        .iter()
        .map(|line| (line.id.as_str(), line.words.as_str()))
        .collect();
    let names = names(reports);
    let rows = ids.len().div_ceil(ACROSS);
    let (width, height) = (
        ACROSS as f64 * CELL_WIDTH,
        LEGEND_HEIGHT + rows as f64 * CELL_HEIGHT,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\">SegBench: median time in ms against users, both \
         logarithmic</text>\n"
    );
    legend(&names, &mut out);
    for (at, (id, words)) in ids.into_iter().enumerate() {
        let x = (at % ACROSS) as f64 * CELL_WIDTH;
        let y = LEGEND_HEIGHT + (at / ACROSS) as f64 * CELL_HEIGHT;
        let _ = writeln!(out, "<g transform=\"translate({x} {y})\">");
        drawing(id, words, &curves(reports, id), &names, &mut out);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    Some(out)
}

/// The engines: ours, then the peers by name.
fn names(reports: &[Report]) -> Vec<String> {
    let mut peers: Vec<String> = reports
        .iter()
        .flat_map(|report| &report.lines)
        .flat_map(|line| line.peers.keys().cloned())
        .collect();
    peers.sort_unstable();
    peers.dedup();
    peers.insert(0, OURS.to_owned());
    peers
}

fn curves(reports: &[Report], id: &str) -> Curves {
    let mut curves = Curves::new();
    for report in reports {
        let Some(line) = report.line(id) else {
            continue;
        };
        let users = f64::from(report.users);
        let ours = (OURS.to_owned(), Some(line.ours.median_ms));
        let peers = line
            .peers
            .iter()
            .map(|(name, peer)| (name.clone(), peer.median_ms()));
        for (name, ms) in std::iter::once(ours).chain(peers) {
            if let Some(ms) = ms.filter(|ms| *ms > 0.0) {
                curves.entry(name).or_default().push((users, ms));
            }
        }
    }
    for points in curves.values_mut() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    curves
}

fn legend(names: &[String], out: &mut String) {
    for (at, name) in names.iter().enumerate() {
        let x = 12.0 + at as f64 * 110.0;
        let colour = colour(at);
        let _ = writeln!(
            out,
            "<line x1=\"{x}\" y1=\"44\" x2=\"{}\" y2=\"44\" stroke=\"{colour}\" \
             stroke-width=\"{}\"/><text x=\"{}\" y=\"48\">{}</text>",
            x + 22.0,
            stroke(at),
            x + 28.0,
            escaped(name),
        );
    }
}

fn colour(at: usize) -> &'static str {
    COLOURS[at % COLOURS.len()]
}

fn stroke(at: usize) -> f64 {
    if at == 0 { 2.6 } else { 1.4 }
}

fn drawing(id: &str, words: &str, curves: &Curves, names: &[String], out: &mut String) {
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"16\" font-size=\"12\" font-weight=\"bold\">{}</text>\
         <text x=\"{LEFT}\" y=\"30\" font-size=\"9\" fill=\"#555555\">{}</text>",
        escaped(id),
        escaped(&shortened(words)),
    );
    let points = || curves.values().flatten();
    let x = Axis::around(points().map(|point| point.0), (LEFT, CELL_WIDTH - RIGHT));
    let y = Axis::around(points().map(|point| point.1), (CELL_HEIGHT - BOTTOM, TOP));
    let (Some(x), Some(y)) = (x, y) else { return };
    grid(&x, &y, out);
    for (at, name) in names.iter().enumerate() {
        if let Some(points) = curves.get(name) {
            curve(points, &x, &y, at, out);
        }
    }
}

fn curve(points: &[(f64, f64)], x: &Axis, y: &Axis, at: usize, out: &mut String) {
    let places: Vec<(f64, f64)> = points
        .iter()
        .map(|point| (x.place(point.0), y.place(point.1)))
        .collect();
    let path: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let colour = colour(at);
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\"/>",
        path.join(" "),
        stroke(at),
    );
    for (x, y) in places {
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{colour}\"/>"
        );
    }
}

fn grid(x: &Axis, y: &Axis, out: &mut String) {
    let (top, bottom) = (TOP, CELL_HEIGHT - BOTTOM);
    let (left, right) = (LEFT, CELL_WIDTH - RIGHT);
    for power in x.powers() {
        let at = x.place(10_f64.powi(power));
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            users_label(power),
        );
    }
    for power in y.powers() {
        let at = y.place(10_f64.powi(power));
        let _ = writeln!(
            out,
            "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 5.0,
            at + 4.0,
            10_f64.powi(power),
        );
    }
    let _ = writeln!(
        out,
        "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#333333\"/>"
    );
}

fn users_label(power: i32) -> String {
    match power {
        0..3 => format!("{}", 10_u32.pow(power.unsigned_abs())),
        3..6 => format!("{} k", 10_u32.pow(power.unsigned_abs() - 3)),
        6..9 => format!("{} M", 10_u32.pow(power.unsigned_abs() - 6)),
        _ => format!("10^{power}"),
    }
}

/// A logarithmic axis over whole powers of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    lowest: i32,
    highest: i32,
    start: f64,
    end: f64,
}

impl Axis {
    /// The powers of ten around these numbers, all above zero, from one place to another.
    fn around(numbers: impl Iterator<Item = f64>, (start, end): (f64, f64)) -> Option<Self> {
        let logarithms: Vec<f64> = numbers.map(f64::log10).collect();
        let least = logarithms.iter().copied().min_by(f64::total_cmp)?;
        let most = logarithms.iter().copied().max_by(f64::total_cmp)?;
        let lowest = least.floor() as i32;
        Some(Self {
            lowest,
            highest: (most.ceil() as i32).max(lowest + 1),
            start,
            end,
        })
    }

    fn place(&self, number: f64) -> f64 {
        let part =
            (number.log10() - f64::from(self.lowest)) / f64::from(self.highest - self.lowest);
        self.start + part * (self.end - self.start)
    }

    fn powers(&self) -> impl Iterator<Item = i32> {
        self.lowest..=self.highest
    }
}

fn shortened(words: &str) -> String {
    const LETTERS: usize = 48;
    match words.char_indices().nth(LETTERS) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn an_axis_covers_whole_powers() {
        let axis = Axis::around([20.0, 3_000.0].into_iter(), (0.0, 300.0));
        let axis = axis.unwrap_or(Axis {
            lowest: 0,
            highest: 0,
            start: 0.0,
            end: 0.0,
        });
        assert_eq!((axis.lowest, axis.highest), (1, 4));
        assert!((axis.place(10.0)).abs() < 1e-9);
        assert!((axis.place(100.0) - 100.0).abs() < 1e-9);
        assert!((axis.place(10_000.0) - 300.0).abs() < 1e-9);
        assert_eq!(Axis::around(std::iter::empty(), (0.0, 1.0)), None);
    }

    #[test]
    fn every_question_and_engine_is_drawn() {
        let reports = [testing::report(10_000_000), testing::report(1_000_000)];
        let drawn = svg(&reports).unwrap_or_default();
        assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
        for n in 1..=12 {
            assert!(drawn.contains(&format!(">Q{n}</text>")), "Q{n}");
        }
        // Two engines that answered, twelve questions, two points each; one only in the legend.
        assert_eq!(drawn.matches("<polyline").count(), 24);
        assert_eq!(drawn.matches("<circle").count(), 48);
        assert!(drawn.contains(">wax</text>") && drawn.contains(">10 M</text>"));
        assert_eq!(drawn.matches("<g ").count(), drawn.matches("</g>").count());
    }

    #[test]
    fn points_rise_with_the_users() {
        let reports = [testing::report(10_000_000), testing::report(1_000_000)];
        let curves = curves(&reports, "Q3");
        assert_eq!(curves[OURS], [(1e6, 1.0), (1e7, 10.0)]);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(svg(&[]), None);
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"x".repeat(60)).chars().count(), 49);
    }
}
