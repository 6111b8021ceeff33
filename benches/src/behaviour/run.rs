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
    ask::execute,
    machine::Machine,
    oracle::Solutions,
    peer::{PeerAnswer, PeerReport},
    report::{Peer, Spread},
    run::{Keep, Setting, options, tell},
    server::{ServerProcess, directory_bytes, import},
};

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The data.
    pub recipe: Recipe,
    /// How it is run.
    pub setting: Setting,
}

/// Runs it.
///
/// # Errors
/// When the server or the importer fails, or when an answer differs from the oracle's.
pub async fn run(plan: &Plan) -> Result<Report> {
    let data = plan.data()?;
    let solutions = data.solutions()?;
    let mut report = measure_server(plan, &data, &solutions).await?;
    let questions = questions(&plan.recipe.portrayed());
    let setting = &plan.setting;
    setting.ask_peers(&data.flat(), &solutions, &questions, |name, asked| {
        let peer = Peer::asked(name, asked, &mut report.lines);
        report.peers.push(peer);
    })?;
    setting.clear(&plan.data_dir())?;
    Ok(report)
}

/// Asks the peers alone and compares their answers with the oracle's. Returns a line for each
/// peer and question.
///
/// # Errors
/// When an answer differs from the oracle's.
pub fn run_peers(plan: &Plan) -> Result<Vec<String>> {
    let data = plan.data()?;
    let (solutions, questions) = (data.solutions()?, questions(&plan.recipe.portrayed()));
    let mut lines = Vec::new();
    let setting = &plan.setting;
    setting.ask_peers(
        &data.flat(),
        &solutions,
        &questions,
        |name, asked| match asked {
            Ok(answers) => lines.extend(told(&answers)),
            Err(why) => lines.push(format!("{name}: {why}")),
        },
    )?;
    setting.clear(&plan.data_dir())?;
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
        DataSet::prepare(&self.data_dir(), self.recipe, self.setting.flat())
    }

    fn data_dir(&self) -> PathBuf {
        self.setting.work_dir.join("behaviour")
    }
}

async fn measure_server(plan: &Plan, data: &DataSet, solutions: &Solutions) -> Result<Report> {
    let setting = &plan.setting;
    let directory = setting.work_dir.join("server");
    let _ = std::fs::remove_dir_all(&directory);
    tell("loading the server");
    let server = ServerProcess::start_at(&directory, setting.memory_bytes(), &moment(NOW))?;
    let client = Client::connect(server.address(), options()).await?;
    let users = import(server.address(), &data.users_csv())?;
    for definition in DEFINITIONS {
        execute(&client, definition).await?;
    }
    let events = import(server.address(), &data.events_csv())?;
    let events_bytes = data.events_csv().metadata()?.len();
    if setting.keep == Keep::Nothing {
        data.remove_csv()?;
    }
    tell("waiting until the server has merged its files");
    server.settle()?;
    tell("asking the server");
    let questions = questions(&plan.recipe.portrayed());
    let lines = setting
        .ask_server(&client, solutions, &questions, &BTreeMap::new())
        .await?;
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
        runs: setting.runs,
        load,
        lines,
        peers: Vec::new(),
    })
}
