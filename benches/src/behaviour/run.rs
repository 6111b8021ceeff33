//! A whole run: make the data, load, ask, then the same for each peer, one after the other, so
//! that each has the machine to itself.
//!
//! Knows the order of things. What is measured and how it is told is known elsewhere.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use tessera_client::Client;

use super::{
    calendar::{NOW, moment},
    data::DataSet,
    generate::Recipe,
    questions::{DEFINITIONS, questions},
    report::{FORMAT, Load, Report},
};
use crate::{
    ask::{ask, execute},
    data::Flat,
    machine::Machine,
    oracle::Solutions,
    peer::{PeerAnswer, PeerReport, Peers},
    report::{Line, Peer, Spread},
    run::{Keep, check, check_peer, memory_share, options, tell},
    server::{ServerProcess, directory_bytes, import},
};

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The data.
    pub recipe: Recipe,
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

/// Runs it.
///
/// # Errors
/// When the server or the importer fails, or when an answer differs from the oracle's.
pub async fn run(plan: &Plan) -> Result<Report> {
    let data = plan.data()?;
    let solutions = data.solutions()?;
    let mut report = measure_server(plan, &data, &solutions).await?;
    for peer in &plan.peers {
        let peer = match plan.ask(peer, &data, &solutions)? {
            Ok(answers) => Peer::of(answers, &mut report.lines),
            Err(why) => Peer::missing(peer, why),
        };
        report.peers.push(peer);
    }
    plan.clear()?;
    Ok(report)
}

/// Asks the peers alone and compares their answers with the oracle's. Returns a line for each
/// peer and question.
///
/// # Errors
/// When an answer differs from the oracle's.
pub fn run_peers(plan: &Plan) -> Result<Vec<String>> {
    let data = plan.data()?;
    let solutions = data.solutions()?;
    let mut lines = Vec::new();
    for peer in &plan.peers {
        match plan.ask(peer, &data, &solutions)? {
            Ok(answers) => lines.extend(told(&answers)),
            Err(why) => lines.push(format!("{peer}: {why}")),
        }
    }
    plan.clear()?;
    Ok(lines)
}

fn told(report: &PeerReport) -> impl Iterator<Item = String> {
    report.questions.iter().map(|(id, answer)| {
        let told = match answer {
            PeerAnswer::Asked { form, times_ms, .. } => {
                let median = Spread::of_ms(times_ms.clone()).median_ms;
                format!("{median:.2} ms, {form}")
            }
            PeerAnswer::Skipped { skipped } => skipped.clone(),
        };
        format!("{} {id}: {told}", report.peer)
    })
}

impl Plan {
    fn data(&self) -> Result<DataSet> {
        tell("making the events");
        let flat = if self.peers.is_empty() {
            Flat::Omitted
        } else {
            Flat::Written
        };
        DataSet::prepare(&self.data_dir(), self.recipe, flat)
    }

    fn data_dir(&self) -> PathBuf {
        self.work_dir.join("behaviour")
    }

    /// What a peer answers, or why it does not.
    fn ask(
        &self,
        peer: &str,
        data: &DataSet,
        solutions: &Solutions,
    ) -> Result<Result<PeerReport, String>> {
        tell(&format!("asking {peer}"));
        let scratch = self.work_dir.join(format!("peer-{peer}"));
        let asked = self.runner.ask(peer, &data.flat(), &scratch, self.runs);
        let missing = match &asked {
            Ok(report) => report.missing.clone(),
            Err(error) => Some(format!("{error:#}")),
        };
        if let Some(why) = &missing {
            tell(&format!("{peer} IS LEFT OUT: {why}"));
        }
        match asked {
            Ok(report) => {
                check_peer(&report, solutions, &questions(&self.recipe.portrayed()))?;
                Ok(Ok(report))
            }
            Err(error) => Ok(Err(format!("{error:#}"))),
        }
    }

    fn clear(&self) -> Result<()> {
        match self.keep {
            Keep::Data => Ok(()),
            Keep::Nothing => Ok(std::fs::remove_dir_all(self.data_dir())?),
        }
    }
}

async fn measure_server(plan: &Plan, data: &DataSet, solutions: &Solutions) -> Result<Report> {
    let directory = plan.work_dir.join("server");
    let _ = std::fs::remove_dir_all(&directory);
    let memory = plan.memory_bytes.unwrap_or_else(memory_share);
    tell("loading the server");
    let server = ServerProcess::start_at(&directory, memory, &moment(NOW))?;
    let client = Client::connect(server.address(), options()).await?;
    let users = import(server.address(), &data.users_csv())?;
    for definition in DEFINITIONS {
        execute(&client, definition).await?;
    }
    let events = import(server.address(), &data.events_csv())?;
    let events_bytes = data.events_csv().metadata()?.len();
    if plan.keep == Keep::Nothing {
        data.remove_csv()?;
    }
    tell("asking the server");
    let lines = ask_all(&client, plan, solutions).await?;
    let load = Load {
        users_seconds: users.as_secs_f64(),
        events_seconds: events.as_secs_f64(),
        events_bytes,
        resident_bytes: server.resident_bytes(),
        disk_bytes: directory_bytes(&directory)?,
    };
    let agent = client.server().await?.agent;
    drop(client);
    server.stop()?;
    std::fs::remove_dir_all(&directory)?;
    Ok(Report {
        format: FORMAT,
        machine: Machine::this(),
        server: agent,
        users: plan.recipe.users,
        events: data.events().values().sum(),
        seed: plan.recipe.seed,
        now: NOW,
        runs: plan.runs,
        load,
        lines,
        peers: Vec::new(),
    })
}

async fn ask_all(client: &Client, plan: &Plan, solutions: &Solutions) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for question in questions(&plan.recipe.portrayed()) {
        let asked = ask(client, &question, plan.runs).await?;
        check("tessera", &question, &asked.solution, solutions)?;
        lines.push(Line {
            id: question.id.to_owned(),
            words: question.words.to_owned(),
            rows: asked.solution.len() / question.statements.len(),
            ours: Spread::of(&asked.times),
            operand_bytes: None,
            peers: BTreeMap::new(),
        });
    }
    Ok(lines)
}
