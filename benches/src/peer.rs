//! The peers: programs that answer the same questions on the same data their own way.
//!
//! Knows how a peer's script is called and what it prints. Does not know how a peer answers.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{oracle::Solution, writes::WriteRate};

/// What a peer's script prints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerReport {
    /// Its name.
    pub peer: String,
    /// Why it could not be asked at all.
    #[serde(default)]
    pub missing: Option<String>,
    /// Of everything that takes part, by name.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// How it keeps the data, in words.
    #[serde(default)]
    pub schema: String,
    /// Loading.
    #[serde(default)]
    pub load: Option<PeerLoad>,
    /// Answers by question.
    #[serde(default)]
    pub questions: BTreeMap<String, PeerAnswer>,
    /// W1, if it can write durably.
    #[serde(default)]
    pub writes: Vec<WriteRate>,
}

/// What loading took.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct PeerLoad {
    /// From the flat files until it could answer.
    pub seconds: f64,
    /// Resident afterwards.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// On disk afterwards.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
}

/// A peer's answer to one question.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenAnswer")]
pub enum PeerAnswer {
    /// It answered.
    Asked {
        /// The fastest of the forms that were tried.
        form: String,
        /// Of each run.
        times_ms: Vec<f64>,
        /// The answer.
        solution: Solution,
    },
    /// It cannot, for this reason.
    Skipped {
        /// In words.
        skipped: String,
    },
}

/// A peer's answer as it is written: which fields there are says which kind it is. An untagged
/// enum would lose numbers where JSON keeps their digits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    form: Option<String>,
    times_ms: Option<Vec<f64>>,
    solution: Option<Solution>,
    skipped: Option<String>,
}

impl TryFrom<WrittenAnswer> for PeerAnswer {
    type Error = &'static str;

    fn try_from(written: WrittenAnswer) -> Result<Self, Self::Error> {
        match written {
            WrittenAnswer {
                form: Some(form),
                times_ms: Some(times_ms),
                solution: Some(solution),
                skipped: None,
            } => Ok(Self::Asked {
                form,
                times_ms,
                solution,
            }),
            WrittenAnswer {
                form: None,
                times_ms: None,
                solution: None,
                skipped: Some(skipped),
            } => Ok(Self::Skipped { skipped }),
            WrittenAnswer { .. } => Err("neither an answer nor a reason for there being none"),
        }
    }
}

/// What the peers are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Users, their attributes and tags.
    Segments,
    /// What users did.
    Behaviour,
}

impl Workload {
    fn script(self, peer: &str) -> String {
        match self {
            Self::Segments => format!("{peer}_peer.py"),
            Self::Behaviour => format!("{peer}_behaviour.py"),
        }
    }
}

/// Where the peers' scripts are and what runs them.
#[derive(Debug, Clone)]
pub struct Peers {
    /// The interpreter, with the peers' packages.
    pub python: PathBuf,
    /// Which of the scripts.
    pub workload: Workload,
}

impl Peers {
    /// Lets a peer load and answer, in a directory of its own that is gone afterwards.
    ///
    /// # Errors
    /// When it fails, other than by not being there.
    pub fn ask(&self, peer: &str, flat: &Path, scratch: &Path, runs: usize) -> Result<PeerReport> {
        let script = scripts().join(self.workload.script(peer));
        ensure!(script.exists(), "there is no peer {peer:?}");
        fs::create_dir_all(scratch)?;
        let output = Command::new(&self.python)
            .arg(&script)
            .arg("--flat")
            .arg(flat)
            .arg("--scratch")
            .arg(scratch)
            .args(["--runs", &runs.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start {}", self.python.display()))?;
        fs::remove_dir_all(scratch)?;
        ensure!(
            output.status.success(),
            "peer {peer} ended with {}",
            output.status
        );
        let report: PeerReport = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("peer {peer} printed something else than its report"))?;
        ensure!(
            report.peer == peer,
            "peer {peer} calls itself {}",
            report.peer
        );
        Ok(report)
    }
}

/// Beside the source, where whoever builds this program has it.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_peers_report_is_read() {
        let text = r#"{
            "peer": "slate", "versions": {"slate": "1"}, "schema": "chalk",
            "load": {"seconds": 1.5, "memory_bytes": 10},
            "questions": {
                "Q1": {"form": "by hand", "times_ms": [2.0], "solution": {"rows": [["3"]]}},
                "Q6": {"form": "by hand", "times_ms": [2.0], "solution": {"users": [1, 2]}},
                "Q12": {"skipped": "no names"}
            },
            "writes": [{"connections": 1, "per_second": 0.5}]
        }"#;
        let report: PeerReport = serde_json::from_str(text).unwrap();
        let users = |answer: &PeerAnswer| match answer {
            PeerAnswer::Asked { solution, .. } => solution.len(),
            PeerAnswer::Skipped { .. } => 0,
        };
        assert_eq!(users(&report.questions["Q6"]), 2);
        assert_eq!(users(&report.questions["Q12"]), 0);
        assert_eq!(report.writes.len(), 1);
    }

    #[test]
    fn a_missing_peer_says_why() {
        let report: PeerReport =
            serde_json::from_str(r#"{"peer": "slate", "missing": "no chalk"}"#).unwrap();
        assert_eq!(report.missing.as_deref(), Some("no chalk"));
    }
}
