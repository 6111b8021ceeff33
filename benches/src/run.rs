//! A whole run: make the data, load, ask, write, restart, then the same for each peer, one after
//! the other, so that each has the machine to itself.
//!
//! Knows the order of things. What is measured and how it is told is known elsewhere.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use tessera_client::{Client, ClientOptions};

use crate::{
    ask::{Reply, ask, execute, solution},
    beside,
    bound::read_bandwidth,
    data::{ATTRIBUTES, DataSet, Flat},
    everything,
    generate::Recipe,
    machine::{Machine, kibibytes},
    oracle::{Solution, Solutions},
    peer::{PeerAnswer, PeerReport, Peers},
    questions::{Question, compare, questions},
    report::{Bandwidth, FORMAT, Line, Load, Peer, Report, Spread},
    server::{ServerProcess, directory_bytes, import},
    writes,
};

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The data.
    pub recipe: Recipe,
    /// How it is run.
    pub setting: Setting,
    /// Whether writing is measured.
    pub writing: Writing,
}

/// How a benchmark is run, whatever it is about.
#[derive(Debug, Clone)]
pub struct Setting {
    /// How often each question is asked.
    pub runs: usize,
    /// Where everything is kept meanwhile.
    pub work_dir: PathBuf,
    /// What becomes of the data.
    pub keep: Keep,
    /// For the server's caches; three fifths of the machine's memory if none is given.
    pub memory_bytes: Option<u64>,
    /// Who else is asked.
    pub peers: Vec<String>,
    /// What runs the peers.
    pub runner: Peers,
}

/// What becomes of the generated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It stays in the working directory for the next run.
    Data,
    /// Each part goes as soon as nobody needs it any more.
    Nothing,
}

/// Whether W1 is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// It is.
    Measured,
    /// It is not.
    Omitted,
}

/// Runs it.
///
/// # Errors
/// When the server or the importer fails, or when an answer differs from the oracle's.
pub async fn run(plan: &Plan) -> Result<Report> {
    let setting = &plan.setting;
    let directory = setting.work_dir.join("data");
    tell("making the data");
    let data = DataSet::prepare(&directory, plan.recipe, setting.flat())?;
    let solutions = data.solutions()?;
    let mut report = measure_server(plan, &data, &solutions).await?;
    let questions = questions(&plan.recipe.portrayed());
    setting.ask_peers(&data.flat(), &solutions, &questions, |name, asked| {
        let peer = Peer::asked(name, asked, &mut report.lines);
        report.peers.push(peer);
    })?;
    setting.clear(&directory)?;
    Ok(report)
}

impl Setting {
    /// Whether flat files are needed.
    pub(crate) fn flat(&self) -> Flat {
        match self.peers.is_empty() {
            true => Flat::Omitted,
            false => Flat::Written,
        }
    }

    /// What the server's caches may take.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.unwrap_or_else(memory_share)
    }

    /// Asks one peer after the other, and compares its answers with the oracle's; or why it could
    /// not be asked.
    pub(crate) fn ask_peers(
        &self,
        flat: &Path,
        solutions: &Solutions,
        questions: &[Question],
        mut take: impl FnMut(&str, Result<PeerReport, String>),
    ) -> Result<()> {
        for peer in &self.peers {
            tell(&format!("asking {peer}"));
            let scratch = self.work_dir.join(format!("peer-{peer}"));
            let asked = self.runner.ask(peer, flat, &scratch, self.runs);
            let asked = asked.map_err(|error| format!("{error:#}"));
            let missing = match &asked {
                Ok(report) => report.missing.as_ref(),
                Err(why) => Some(why),
            };
            if let Some(why) = missing {
                tell(&format!("{peer} IS LEFT OUT: {why}"));
            }
            if let Ok(report) = &asked {
                check_peer(report, solutions, questions)?;
            }
            take(peer, asked);
        }
        Ok(())
    }

    /// Asks the server, and compares its answers with the oracle's. `operand_bytes` are those that
    /// a question has to read, where that is known.
    pub(crate) async fn ask_server(
        &self,
        client: &Client,
        solutions: &Solutions,
        questions: &[Question],
        operand_bytes: &BTreeMap<String, u64>,
    ) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for question in questions {
            let asked = ask(client, question, self.runs).await?;
            check("tessera", question, &asked.solution, solutions)?;
            lines.push(Line {
                id: question.id.to_owned(),
                words: question.words.to_owned(),
                rows: asked.solution.len() / question.statements.len(),
                ours: Spread::of(&asked.times),
                operand_bytes: operand_bytes.get(question.id).copied(),
                peers: BTreeMap::new(),
            });
        }
        Ok(lines)
    }

    /// Gives the disk's space back, unless the data are kept.
    pub(crate) fn clear(&self, data: &Path) -> Result<()> {
        match self.keep {
            Keep::Data => Ok(()),
            Keep::Nothing => Ok(std::fs::remove_dir_all(data)?),
        }
    }
}

pub(crate) fn tell(what: &str) {
    eprintln!("segbench: {what}");
}

/// Whether a peer's every answer is right, and about questions that there are.
fn check_peer(report: &PeerReport, solutions: &Solutions, questions: &[Question]) -> Result<()> {
    for (id, answer) in &report.questions {
        let question = questions.iter().find(|question| question.id == id);
        let question = question.with_context(|| format!("{} answers {id}", report.peer))?;
        match answer {
            PeerAnswer::Asked { solution, .. } => {
                check(&report.peer, question, solution, solutions)?;
            }
            PeerAnswer::Skipped { .. } => {}
        }
    }
    Ok(())
}

/// Whether an answer is the oracle's.
fn check(who: &str, question: &Question, answer: &Solution, solutions: &Solutions) -> Result<()> {
    let expected = solutions
        .get(question.id)
        .context("the oracle has no such question")?;
    if let Err(difference) = compare(question.agreement, answer, expected) {
        bail!(
            "{who} disagrees with the oracle about {}: {difference}",
            question.id
        );
    }
    Ok(())
}

async fn measure_server(plan: &Plan, data: &DataSet, solutions: &Solutions) -> Result<Report> {
    let setting = &plan.setting;
    let directory = setting.work_dir.join("server");
    let _ = std::fs::remove_dir_all(&directory);
    let memory = setting.memory_bytes();
    tell("loading the server");
    let server = ServerProcess::start(&directory, memory)?;
    let loading = import(server.address(), &data.csv())?;
    if setting.keep == Keep::Nothing {
        data.remove_csv()?;
    }
    tell("waiting until the server has merged its files");
    let settled = server.settle()?;
    let bandwidth = Bandwidth {
        one_thread: read_bandwidth(1),
        two_threads: read_bandwidth(2),
    };
    tell("asking the server");
    let client = Client::connect(server.address(), options()).await?;
    let questions = questions(&plan.recipe.portrayed());
    let lines = setting
        .ask_server(&client, solutions, &questions, data.operand_bytes())
        .await?;
    tell("reading everything");
    let exported_keys_per_second = everything::read_all(&client, plan.recipe.users).await?;
    let status = everything::status(&client).await?;
    let seconds = loading.as_secs_f64();
    let users = f64::from(plan.recipe.users);
    let load = Load {
        seconds,
        users_per_second: users / seconds,
        facts_per_second: (users * ATTRIBUTES as f64 + data.memberships() as f64) / seconds,
        memberships_per_second: data.memberships() as f64 / seconds,
        resident_bytes: server.resident_bytes(),
        disk_bytes: directory_bytes(&directory)?,
        stored_bytes: everything::stored_bytes(&status),
        exported_keys_per_second: Some(exported_keys_per_second),
        settled_seconds: Some(settled.as_secs_f64()),
    };
    tell("counting beside an export");
    let count = questions.first().and_then(|first| first.statements.first());
    let count = count.context("there are no questions")?;
    let beside = beside::measure(server.address(), count, setting.runs).await?;
    let agent = client.server().await?.agent;
    let (sync, rates) = match plan.writing {
        Writing::Measured => {
            tell("writing");
            let sync = writes::sync_latency(&setting.work_dir)?;
            (
                Some(sync),
                writes::measure(server.address(), plan.recipe.users).await?,
            )
        }
        Writing::Omitted => (None, Vec::new()),
    };
    drop(client);
    server.stop()?;
    let first_answer_seconds = restart(plan, &directory, memory, solutions).await?;
    std::fs::remove_dir_all(&directory)?;
    Ok(Report {
        format: FORMAT,
        machine: Machine::this(),
        server: agent,
        users: plan.recipe.users,
        seed: plan.recipe.seed,
        runs: setting.runs,
        bandwidth,
        load,
        beside: Some(beside),
        first_answer_seconds,
        sync,
        writes: rates,
        lines,
        peers: Vec::new(),
    })
}

/// Of the machine's memory: the rest is for the system's cache, the importer and answers.
fn memory_share() -> u64 {
    kibibytes("/proc/meminfo", "MemTotal").map_or(1 << 30, |bytes| bytes / 5 * 3)
}

/// A question may take as long as it wants: slowness is what is measured.
pub(crate) fn options() -> ClientOptions {
    ClientOptions {
        request_timeout: std::time::Duration::from_secs(600),
        ..ClientOptions::default()
    }
}

/// Starts the server on its data again; the time until it has answered Q1.
async fn restart(plan: &Plan, directory: &Path, memory: u64, solutions: &Solutions) -> Result<f64> {
    let questions = questions(&plan.recipe.portrayed());
    let first = questions.first().context("there are no questions")?;
    let start = Instant::now();
    let server = ServerProcess::start(directory, memory)?;
    let client = Client::connect(server.address(), options()).await?;
    let mut answers: Vec<Reply> = Vec::new();
    for statement in &first.statements {
        answers.push(execute(&client, statement).await?);
    }
    let seconds = start.elapsed().as_secs_f64();
    check(
        "tessera, restarted,",
        first,
        &solution(&answers)?,
        solutions,
    )?;
    drop(client);
    server.stop()?;
    ensure!(seconds.is_finite(), "the clock failed");
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn solutions() -> Solutions {
        let rows = Solution::Rows(vec![vec!["3".to_owned()]]);
        let users = Solution::Users(vec![1, 2, 3]);
        Solutions::from([("Q1".to_owned(), rows), ("Q7".to_owned(), users)])
    }

    fn peer(questions: &str) -> PeerReport {
        let text = format!(r#"{{"peer": "slate", "questions": {questions}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_peer_that_disagrees_fails_the_run() {
        let check = |questions: &str, expected: Option<&str>| {
            let found = check_peer(&peer(questions), &solutions(), &super::questions(&[1]));
            let message = found.err().map(|error| error.to_string());
            assert_eq!(message.as_deref(), expected, "{questions}");
        };
        check(
            r#"{"Q1": {"form": "", "times_ms": [], "solution": {"rows": [["3"]]}}}"#,
            None,
        );
        check(
            r#"{"Q1": {"form": "", "times_ms": [], "solution": {"rows": [["4"]]}}}"#,
            Some(r#"slate disagrees with the oracle about Q1: at 0 is ["4"] instead of ["3"]"#),
        );
        check(
            r#"{"Q7": {"form": "", "times_ms": [], "solution": {"users": [3, 2]}}}"#,
            Some("slate disagrees with the oracle about Q7: at 0 is 2 instead of 1"),
        );
        check(r#"{"Q1": {"skipped": "cannot count"}}"#, None);
        check(r#"{"Q99": {"skipped": "what"}}"#, Some("slate answers Q99"));
    }
}
