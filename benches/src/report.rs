//! The results of a run: figures, ratios to the hardware's limit and to the peers, as Markdown
//! for people and JSON for programs.
//!
//! Knows numbers. Does not measure.

pub(crate) mod markdown;

pub(crate) use markdown::thousands;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    beside::Beside,
    machine::Machine,
    peer::{PeerAnswer, PeerLoad, PeerReport},
    writes::WriteRate,
};

/// The form of the JSON file.
pub const FORMAT: u32 = 2;

/// The results of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// Where and what was measured.
    pub machine: Machine,
    /// What the server calls itself.
    pub server: String,
    /// How many users.
    pub users: u32,
    /// Which data set.
    pub seed: u64,
    /// How often each question was asked.
    pub runs: usize,
    /// Streaming reads.
    pub bandwidth: Bandwidth,
    /// W2 and sizes.
    pub load: Load,
    /// What no question shows; not in older files.
    #[serde(default)]
    pub beside: Option<Beside>,
    /// From starting the server on the loaded data until it answered Q1.
    pub first_answer_seconds: f64,
    /// One sync of the disk that the server writes to, when W1 was measured.
    pub sync: Option<Spread>,
    /// W1.
    pub writes: Vec<WriteRate>,
    /// The questions.
    pub lines: Vec<Line>,
    /// The peers.
    pub peers: Vec<Peer>,
}

/// The machine's streaming read bandwidth, in bytes a second.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bandwidth {
    /// With one thread.
    pub one_thread: f64,
    /// With two threads together.
    pub two_threads: f64,
}

/// W2: loading from a file, and the sizes afterwards.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Load {
    /// From the importer's start to its end.
    pub seconds: f64,
    /// Users a second.
    pub users_per_second: f64,
    /// Values set and tags given a second.
    pub facts_per_second: f64,
    /// Tags given a second.
    pub memberships_per_second: f64,
    /// The server's own memory once everything was asked for.
    pub resident_bytes: Option<u64>,
    /// The data directory.
    pub disk_bytes: u64,
    /// Serialised bitmaps and columns, if the server tells.
    pub stored_bytes: Option<u64>,
    /// Keys that a full export delivers a second; not in older files.
    #[serde(default)]
    pub exported_keys_per_second: Option<f64>,
    /// From the end of the import until the server had nothing left to do in the background, in
    /// seconds, before anything was asked; not in older files, where nobody waited.
    #[serde(default)]
    pub settled_seconds: Option<f64>,
}

/// The figures of one question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Q1 to Q12.
    pub id: String,
    /// In words.
    pub words: String,
    /// Of the answer.
    pub rows: usize,
    /// The server's times.
    pub ours: Spread,
    /// What a count has to read.
    pub operand_bytes: Option<u64>,
    /// The peers' times.
    pub peers: BTreeMap<String, PeerLine>,
}

/// A peer's figures of one question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "WrittenLine", into = "WrittenLine")]
pub enum PeerLine {
    /// It answered.
    Asked {
        /// How.
        form: String,
        /// Its times.
        times: Spread,
    },
    /// It cannot.
    Skipped {
        /// Why.
        skipped: String,
    },
}

/// A peer's figures as they are written: which fields there are says which kind it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
}

impl From<PeerLine> for WrittenLine {
    fn from(line: PeerLine) -> Self {
        match line {
            PeerLine::Asked { form, times } => Self {
                form: Some(form),
                times: Some(times),
                skipped: None,
            },
            PeerLine::Skipped { skipped } => Self {
                form: None,
                times: None,
                skipped: Some(skipped),
            },
        }
    }
}

impl TryFrom<WrittenLine> for PeerLine {
    type Error = &'static str;

    fn try_from(written: WrittenLine) -> Result<Self, Self::Error> {
        match (written.form, written.times, written.skipped) {
            (Some(form), Some(times), None) => Ok(Self::Asked { form, times }),
            (None, None, Some(skipped)) => Ok(Self::Skipped { skipped }),
            (_, _, _) => Err("neither figures nor a reason for there being none"),
        }
    }
}

/// What is to be said of a peer beside its answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Why there is nothing else.
    pub missing: Option<String>,
    /// Of everything that took part.
    pub versions: BTreeMap<String, String>,
    /// How it keeps the data.
    pub schema: String,
    /// Loading.
    pub load: Option<PeerLoad>,
    /// W1.
    pub writes: Vec<WriteRate>,
}

impl Peer {
    /// Takes what it printed apart: its figures go beside ours.
    fn of(report: PeerReport, lines: &mut [Line]) -> Self {
        for line in lines {
            let Some(answer) = report.questions.get(&line.id) else {
                continue;
            };
            let theirs = match answer {
                PeerAnswer::Asked { form, times_ms, .. } => PeerLine::Asked {
                    form: form.clone(),
                    times: Spread::of_ms(times_ms.clone()),
                },
                PeerAnswer::Skipped { skipped } => PeerLine::Skipped {
                    skipped: skipped.clone(),
                },
            };
            line.peers.insert(report.peer.clone(), theirs);
        }
        Self {
            name: report.peer,
            missing: report.missing,
            versions: report.versions,
            schema: report.schema,
            load: report.load,
            writes: report.writes,
        }
    }

    /// One that could not be asked.
    fn missing(name: &str, why: String) -> Self {
        Self {
            name: name.to_owned(),
            missing: Some(why),
            versions: BTreeMap::new(),
            schema: String::new(),
            load: None,
            writes: Vec::new(),
        }
    }

    /// What a peer printed, or why it could not be asked.
    pub(crate) fn asked(name: &str, asked: Result<PeerReport, String>, lines: &mut [Line]) -> Self {
        match asked {
            Ok(report) => Self::of(report, lines),
            Err(why) => Self::missing(name, why),
        }
    }
}

/// How times are spread, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many times.
    pub runs: usize,
    /// The shortest.
    pub min_ms: f64,
    /// Half of them are no longer.
    pub median_ms: f64,
    /// 99 of 100 are no longer; of fewer than a hundred, the longest.
    pub p99_ms: f64,
}

impl Spread {
    /// Of durations.
    pub fn of(times: &[Duration]) -> Self {
        Self::of_ms(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// Of milliseconds. Without any, every figure is not a number.
    pub fn of_ms(mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        Self {
            runs: times.len(),
            min_ms: quantile(&times, 0.0),
            median_ms: quantile(&times, 0.5),
            p99_ms: quantile(&times, 0.99),
        }
    }
}

/// The nearest-rank quantile of sorted numbers.
fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

impl PeerLine {
    /// Its median, if it answered.
    pub fn median_ms(&self) -> Option<f64> {
        match self {
            Self::Asked { times, .. } => Some(times.median_ms),
            Self::Skipped { .. } => None,
        }
    }
}

impl Line {
    /// The time that reading the operands takes at this bandwidth, for a count.
    pub fn bound_ms(&self, bytes_per_second: f64) -> Option<f64> {
        self.operand_bytes
            .map(|bytes| bytes as f64 / bytes_per_second * 1e3)
    }

    /// How many times longer a peer takes.
    pub fn ratio(&self, peer: &str) -> Option<f64> {
        let theirs = self.peers.get(peer)?.median_ms()?;
        Some(theirs / self.ours.median_ms)
    }
}

impl Report {
    /// A question's figures.
    pub fn line(&self, id: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }

    /// Writes with so many connections.
    pub fn write_rate(&self, connections: usize) -> Option<&WriteRate> {
        self.writes
            .iter()
            .find(|rate| rate.connections == connections)
    }

    /// As JSON for programs.
    ///
    /// # Errors
    /// Never in practice: every field is a number or a text.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people. Every answer in it agreed with the oracle's.
    pub fn to_markdown(&self) -> String {
        markdown::of(self)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A made-up report.

    use super::*;

    /// Ours a millisecond, the peer three, at this many users.
    pub(crate) fn report(users: u32) -> Report {
        let spread = |ms| Spread::of_ms(vec![ms]);
        let line = |id: &str| Line {
            id: id.to_owned(),
            words: format!("question {id}"),
            rows: 1,
            ours: spread(f64::from(users) / 1e6),
            operand_bytes: (id == "Q1").then_some(u64::from(users) * 4),
            peers: BTreeMap::from([
                (
                    "slate".to_owned(),
                    PeerLine::Asked {
                        form: "by hand".to_owned(),
                        times: spread(3.0 * f64::from(users) / 1e6),
                    },
                ),
                (
                    "wax".to_owned(),
                    PeerLine::Skipped {
                        skipped: "it melts".to_owned(),
                    },
                ),
            ]),
        };
        let peer = |name: &str, missing: Option<&str>| Peer {
            name: name.to_owned(),
            missing: missing.map(str::to_owned),
            versions: BTreeMap::from([(name.to_owned(), "1.2".to_owned())]),
            schema: "chalk & board".to_owned(),
            load: None,
            writes: Vec::new(),
        };
        Report {
            format: FORMAT,
            machine: Machine {
                processor: "abacus".to_owned(),
                threads: 2,
                memory_bytes: 24 << 30,
                system: "none".to_owned(),
                commit: "abc".to_owned(),
                measured: "2026-01-01 00:00:00".to_owned(),
            },
            server: "tessera-server 0.1.0".to_owned(),
            users,
            seed: 1,
            runs: 1,
            bandwidth: Bandwidth {
                one_thread: 8e9,
                two_threads: 16e9,
            },
            load: Load {
                seconds: 1.0,
                users_per_second: 1e6,
                facts_per_second: 2e7,
                memberships_per_second: 1.2e7,
                resident_bytes: Some(1 << 30),
                disk_bytes: 1 << 30,
                stored_bytes: None,
                exported_keys_per_second: Some(2.5e6),
                settled_seconds: Some(4.0),
            },
            beside: Some(Beside {
                behind_export: spread(2.0),
                exports: 3,
                many_groups: spread(1_200.0),
                groups: 20_000,
            }),
            first_answer_seconds: 0.5,
            sync: Some(spread(0.2)),
            writes: vec![WriteRate {
                connections: 1,
                per_second: 4_000.0,
                latency: Some(spread(0.25)),
            }],
            lines: (1..=12).map(|n| line(&format!("Q{n}"))).collect(),
            peers: vec![
                peer("slate", None),
                peer("wax", None),
                peer("clay", Some("dug out")),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let times: Vec<Duration> = (1..=20).rev().map(Duration::from_millis).collect();
        let spread = Spread::of(&times);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(spread.min_ms, 1.0), "{spread:?}");
        assert!(close(spread.median_ms, 10.0), "{spread:?}");
        assert!(close(spread.p99_ms, 20.0), "{spread:?}");
        assert!(Spread::of(&[]).median_ms.is_nan());
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let report = testing::report(1_000_000);
        let text = report.to_json().unwrap_or_default();
        let again: Result<Report, _> = serde_json::from_str(&text);
        assert_eq!(
            again.and_then(|again| again.to_json()).unwrap_or_default(),
            text
        );
    }

    #[test]
    fn a_peers_figures_stand_beside_ours() {
        let mut report = testing::report(1_000_000);
        let text = r#"{"peer": "slate2", "questions": {
            "Q1": {"form": "f", "times_ms": [5.0, 4.0, 6.0], "solution": {"rows": []}}}}"#;
        let peer = serde_json::from_str(text);
        assert!(peer.is_ok());
        let peer = peer.unwrap_or_else(|_| unanswered());
        report.peers.push(Peer::of(peer, &mut report.lines));
        let ratio = report.line("Q1").and_then(|line| line.ratio("slate2"));
        assert_eq!(ratio, Some(5.0));
        assert_eq!(
            report.line("Q2").and_then(|line| line.ratio("slate2")),
            None
        );
    }

    fn unanswered() -> PeerReport {
        PeerReport {
            peer: String::new(),
            missing: None,
            versions: BTreeMap::new(),
            schema: String::new(),
            load: None,
            questions: BTreeMap::new(),
            writes: Vec::new(),
        }
    }
}
