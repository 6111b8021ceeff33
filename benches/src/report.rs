//! The results: times, ratios to the hardware's limit, as Markdown and JSON.
//!
//! Knows numbers. Does not measure.

use std::{fmt::Write, time::Duration};

use serde::Serialize;

use crate::generate::Recipe;

/// The results of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    users: u32,
    seed: u64,
    load_seconds: f64,
    read_bandwidth_gb_s: f64,
    lines: Vec<Line>,
}

/// The results of one question.
#[derive(Debug, Serialize)]
pub struct Line {
    id: &'static str,
    rows: usize,
    median_ms: f64,
    p99_ms: f64,
    operand_bytes: Option<u64>,
}

impl Line {
    /// The figures of these runs.
    pub fn new(
        id: &'static str,
        mut times: Vec<Duration>,
        rows: usize,
        operand_bytes: Option<u64>,
    ) -> Self {
        times.sort_unstable();
        Self {
            id,
            rows,
            median_ms: quantile_ms(&times, 0.5),
            p99_ms: quantile_ms(&times, 0.99),
            operand_bytes,
        }
    }
}

/// The nearest-rank quantile of sorted times.
fn quantile_ms(times: &[Duration], quantile: f64) -> f64 {
    let rank = (times.len() as f64 * quantile).ceil() as usize;
    times
        .get(rank.saturating_sub(1))
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

impl Report {
    /// A report without questions yet.
    pub fn new(recipe: Recipe, load: Duration, read_bandwidth: f64) -> Self {
        Self {
            users: recipe.users,
            seed: recipe.seed,
            load_seconds: load.as_secs_f64(),
            read_bandwidth_gb_s: read_bandwidth / 1e9,
            lines: Vec::new(),
        }
    }

    /// Adds a question's figures.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// As a table for people. Every answer in it agreed with the oracle's.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "SegBench, {} users (seed {}), loaded in {:.1} s; streaming reads {:.1} GB/s with one thread\n\n\
             | question | rows | median ms | p99 ms | bound ms | median ÷ bound |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |\n",
            self.users, self.seed, self.load_seconds, self.read_bandwidth_gb_s,
        );
        for line in &self.lines {
            let (bound, ratio) =
                self.bound_ms(line)
                    .map_or(("".to_owned(), "".to_owned()), |bound| {
                        (
                            format!("{bound:.3}"),
                            format!("{:.1}", line.median_ms / bound),
                        )
                    });
            let _ = writeln!(
                text,
                "| {} | {} | {:.3} | {:.3} | {bound} | {ratio} |",
                line.id, line.rows, line.median_ms, line.p99_ms
            );
        }
        text
    }

    fn bound_ms(&self, line: &Line) -> Option<f64> {
        line.operand_bytes
            .map(|bytes| bytes as f64 / (self.read_bandwidth_gb_s * 1e9) * 1e3)
    }

    /// As JSON for programs.
    ///
    /// # Errors
    /// Never in practice: every field is a number or a text.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        assert!((quantile_ms(&times, 0.5) - 10.0).abs() < 1e-9);
        assert!((quantile_ms(&times, 0.99) - 20.0).abs() < 1e-9);
    }
}
