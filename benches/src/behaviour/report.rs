//! The results of a run: figures, and ratios to the peers, as Markdown for people and JSON for
//! programs.
//!
//! Knows numbers and what they are to reach. Does not measure.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::calendar::moment;
use crate::{
    machine::Machine,
    report::{
        Line, Peer,
        markdown::{self, MoreColumns, mib, thousands},
    },
    targets::{Verdict, judge},
};

/// The form of the JSON file.
pub const FORMAT: u32 = 1;
/// Events imported a second, from a file, over a connection.
const IMPORTED_EVENTS: u64 = 300_000;
/// How many times faster than the best peer every question is to be answered.
const TIMES_FASTER: f64 = 10.0;

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
    /// How many events.
    pub events: u64,
    /// Which data set.
    pub seed: u64,
    /// The moment that the questions were asked at, in seconds since 1970.
    pub now: u32,
    /// How often each question was asked.
    pub runs: usize,
    /// Loading.
    pub load: Load,
    /// The questions.
    pub lines: Vec<Line>,
    /// The peers.
    pub peers: Vec<Peer>,
}

/// Loading the server from files, and the sizes afterwards.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Load {
    /// The users alone, from the importer's start to its end.
    pub users_seconds: f64,
    /// The events then.
    pub events_seconds: f64,
    /// The file of events.
    pub events_bytes: u64,
    /// The server's own memory once everything was asked for.
    pub resident_bytes: Option<u64>,
    /// The data directory.
    pub disk_bytes: u64,
}

impl Report {
    /// As JSON for programs.
    ///
    /// # Errors
    /// Never in practice: every field is a number or a text.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people. Every answer in it agreed with the oracle's.
    pub fn to_markdown(&self) -> String {
        let mut text = self.heading();
        markdown::question_table(&self.lines, &self.peers, &MoreColumns::NONE, &mut text);
        markdown::targets(&self.verdicts(), &mut text);
        self.loading(&mut text);
        markdown::peers(&self.peers, &self.lines, &mut text);
        text
    }

    /// Events imported a second.
    pub fn events_per_second(&self) -> f64 {
        self.events as f64 / self.load.events_seconds
    }

    /// The targets and what became of them.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let questions = self.lines.iter().map(|line| {
            let ratios = line.peers.keys().filter_map(|peer| line.ratio(peer));
            judge(
                line.id.clone(),
                format!("{TIMES_FASTER} × faster than the best peer"),
                ratios.min_by(f64::total_cmp),
                |ratio| ratio >= TIMES_FASTER,
                "×",
            )
        });
        let import = judge(
            "import".to_owned(),
            format!("{} events a second", thousands(IMPORTED_EVENTS)),
            Some(self.events_per_second()),
            |rate| rate >= IMPORTED_EVENTS as f64,
            " a second",
        );
        questions.chain([import]).collect()
    }

    fn heading(&self) -> String {
        format!(
            "## {} users, {} events\n\n{}.\n{}, seed {}, {} runs of each question after warming \
             up; for the questions it is {}.\n\n",
            thousands(u64::from(self.users)),
            thousands(self.events),
            self.machine.words(),
            self.server,
            self.seed,
            self.runs,
            moment(self.now),
        )
    }

    fn loading(&self, text: &mut String) {
        let load = &self.load;
        let _ = writeln!(
            text,
            "The server was loaded from files: the users in {:.1} s, then the events ({} MiB of \
             text) in {:.1} s, {} a second.\n",
            load.users_seconds,
            mib(Some(load.events_bytes)),
            load.events_seconds,
            thousands(self.events_per_second() as u64),
        );
        let seconds = load.users_seconds + load.events_seconds;
        let ours = (seconds, load.resident_bytes, load.disk_bytes);
        markdown::load_table(ours, &self.peers, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{behaviour::calendar::NOW, report::testing};

    fn report() -> Report {
        let like = testing::report(1_000_000);
        Report {
            format: FORMAT,
            machine: like.machine,
            server: like.server,
            users: 1_000,
            events: 20_000,
            seed: 1,
            now: NOW,
            runs: 1,
            load: Load {
                users_seconds: 0.5,
                events_seconds: 0.1,
                events_bytes: 1 << 20,
                resident_bytes: None,
                disk_bytes: 1 << 20,
            },
            lines: like.lines,
            peers: like.peers,
        }
    }

    #[test]
    fn every_row_of_a_table_has_its_columns() {
        let text = report().to_markdown();
        for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
            let columns: Vec<usize> = table
                .lines()
                .map(|line| line.matches('|').count())
                .collect();
            assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        }
    }

    #[test]
    fn a_question_is_judged_by_the_best_peer() {
        let mut report = report();
        let met = |report: &Report, what: &str| {
            let mut verdicts = report.verdicts().into_iter();
            verdicts.find(|v| v.what == what).and_then(|v| v.met)
        };
        assert_eq!(met(&report, "Q1"), Some(false));
        assert_eq!(met(&report, "import"), Some(false));
        report.load.events_seconds = 0.01;
        report.lines[0].ours.median_ms /= 4.0;
        assert_eq!(met(&report, "Q1"), Some(true));
        assert_eq!(met(&report, "import"), Some(true));
        report.lines[0].peers.clear();
        assert_eq!(met(&report, "Q1"), None);
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let text = report().to_json().unwrap_or_default();
        let again: Result<Report, _> = serde_json::from_str(&text);
        let again = again.and_then(|again| again.to_json());
        assert_eq!(again.unwrap_or_default(), text);
    }
}
