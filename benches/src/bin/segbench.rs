//! `segbench`: makes the benchmark's data, asks the questions over a real connection, compares
//! every answer with the oracle's, and prints the times beside the hardware's limit.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use tessera_benches::{
    bound::{Operands, read_bandwidth},
    generate::{self, Recipe},
    oracle::{Oracle, Rows},
    questions::{Question, compare, questions},
    report::{Line, Report},
};
use tessera_client::{Answer, Client, ClientOptions, Datum, Params, ResultKind};

#[derive(Parser)]
#[command(about = "The Tessera segment benchmark")]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the data as CSV, with the import mapping beside it.
    Generate {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// The CSV file to write.
        #[arg(long)]
        out: PathBuf,
        /// Which users.
        #[arg(long, value_enum, default_value_t = Shape::Segbench)]
        shape: Shape,
    },
    /// Load the data into a fresh server, ask, compare and measure.
    Run {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// How often each question is asked.
        #[arg(long, default_value_t = 20)]
        runs: usize,
        /// Write the results as JSON, too.
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

#[derive(clap::Args, Clone, Copy)]
struct RecipeArgs {
    /// How many users.
    #[arg(long, default_value_t = 1_000_000)]
    users: u32,
    /// Which data set.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    /// The benchmark's users.
    Segbench,
    /// Eight attributes and exactly twenty tags each.
    Load,
}

fn main() -> Result<()> {
    match Args::parse().command {
        Task::Generate { recipe, out, shape } => generate(recipe.into(), &out, shape),
        Task::Run { recipe, runs, json } => {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(run(recipe.into(), runs.max(1), json.as_deref()))
        }
    }
}

impl From<RecipeArgs> for Recipe {
    fn from(args: RecipeArgs) -> Self {
        Self {
            users: args.users,
            seed: args.seed,
        }
    }
}

fn generate(recipe: Recipe, out: &Path, shape: Shape) -> Result<()> {
    let file = File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    match shape {
        Shape::Segbench => generate::write_csv(&recipe, &mut writer)?,
        Shape::Load => generate::write_load_csv(&recipe, &mut writer)?,
    }
    writer.flush()?;
    let mapping = match shape {
        Shape::Segbench => generate::MAPPING,
        Shape::Load => generate::LOAD_MAPPING,
    };
    std::fs::write(out.with_extension("toml"), mapping)?;
    Ok(())
}

async fn run(recipe: Recipe, runs: usize, json: Option<&Path>) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let csv = scratch.path().join("users.csv");
    generate(recipe, &csv, Shape::Segbench)?;
    let server = ServerProcess::start(&scratch.path().join("data"))?;
    let load = import(&server.address, &csv)?;
    std::fs::remove_file(&csv)?;

    let (oracle, operands) = right_answers(&recipe);
    let (answers, bytes) = (oracle.answers(), operands.bytes());
    let mut report = Report::new(recipe, load, read_bandwidth());
    let client = Client::connect(&server.address, ClientOptions::default()).await?;
    for question in questions() {
        let (answer, times) = ask(&client, &question.statement, runs).await?;
        let expected = answers
            .get(question.id)
            .context("the oracle has no such question")?;
        check(&question, &texts(&answer)?, expected)?;
        report.push(Line::new(
            question.id,
            times,
            answer.rows.len(),
            bytes.get(question.id).copied(),
        ));
    }
    let key = generate::user_key(recipe.users / 2);
    let (answer, times) = ask(&client, &format!("PORTRAIT \"{key}\""), runs).await?;
    ensure!(!answer.rows.is_empty(), "Q12: no portrait of {key}");
    report.push(Line::new("Q12", times, answer.rows.len(), None));

    print!("{}", report.to_markdown());
    if let Some(path) = json {
        std::fs::write(path, report.to_json()?)?;
    }
    Ok(())
}

fn check(question: &Question, answer: &Rows, expected: &Rows) -> Result<()> {
    compare(question.agreement, answer, expected).map_err(|difference| {
        anyhow::anyhow!("{} disagrees with the oracle: {difference}", question.id)
    })
}

fn right_answers(recipe: &Recipe) -> (Oracle, Operands) {
    let (mut oracle, mut operands) = (Oracle::default(), Operands::default());
    let seen: Result<(), std::convert::Infallible> = recipe.for_each_chunk(|first, users| {
        for (user, arrival) in users.iter().zip(first..) {
            oracle.see(arrival, user);
            operands.see(arrival, user);
        }
        Ok(())
    });
    match seen {
        Ok(()) => (oracle, operands),
    }
}

/// Asks once to warm up and then `runs` times; the last answer and all the times.
async fn ask(client: &Client, statement: &str, runs: usize) -> Result<(Answer, Vec<Duration>)> {
    let mut answer = execute(client, statement).await?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        answer = execute(client, statement).await?;
        times.push(start.elapsed());
    }
    Ok((answer, times))
}

async fn execute(client: &Client, statement: &str) -> Result<Answer> {
    let mut stream = client.stream(statement, Params::default()).await?;
    let mut answer = Answer {
        kind: stream.kind(),
        columns: stream.columns().to_vec(),
        ..Answer::default()
    };
    while let Some(rows) = stream.next_rows().await {
        answer.rows.extend(rows?);
    }
    Ok(answer)
}

fn texts(answer: &Answer) -> Result<Rows> {
    let digits = match answer.kind {
        Some(ResultKind::Dimension) => 6,
        _ => 0,
    };
    answer
        .rows
        .iter()
        .map(|row| row.iter().map(|datum| text(datum, digits)).collect())
        .collect()
}

fn text(datum: &Datum, digits: usize) -> Result<String> {
    Ok(match datum {
        Datum::Text(text) => text.clone(),
        Datum::Integer(integer) => integer.to_string(),
        Datum::Real(real) => format!("{real:.digits$}"),
        other @ (Datum::Null
        | Datum::Boolean(_)
        | Datum::Decimal { .. }
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_)) => bail!("an answer to the benchmark holds {other:?}"),
    })
}

/// A server of our own, stopped when dropped.
struct ServerProcess {
    child: Child,
    address: String,
}

impl ServerProcess {
    fn start(data_dir: &Path) -> Result<Self> {
        let mut child = Command::new(sibling("tessera-server")?)
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .context("the server did not start")?
            .to_owned();
        Ok(Self { child, address })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Its directory goes away with it, so there is nothing to lose by being quick.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn import(address: &str, csv: &Path) -> Result<Duration> {
    let start = Instant::now();
    let status = Command::new(sibling("tessera")?)
        .args(["--connect", address, "import", "--strict", "--mapping"])
        .arg(csv.with_extension("toml"))
        .arg(csv)
        .status()
        .context("cannot start the importer")?;
    ensure!(status.success(), "the import failed");
    Ok(start.elapsed())
}

fn sibling(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built", path.display());
    Ok(path)
}
