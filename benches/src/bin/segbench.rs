//! `segbench`: makes the benchmark's data, asks the questions over a real connection and of
//! every peer, compares every answer with the oracle's, and prints the times beside the
//! hardware's limit.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use serde::de::DeserializeOwned;
use tessera_benches::{
    behaviour,
    data::{DataSet, Flat},
    document,
    generate::{self, Recipe},
    peer::{Peers, Workload},
    plot,
    report::Report,
    run::{Keep, Plan, Setting, Writing, run},
};

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
    /// Write the whole data set: CSV, flat files for peers, the right answers.
    Prepare {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// The directory to write it to.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Load the data into a fresh server and into the peers, ask, compare and measure.
    Run(SegmentRunArgs),
    /// Print the Markdown of a run's JSON file again.
    Show {
        /// The JSON file.
        report: PathBuf,
    },
    /// Draw time against users from the JSON files of several runs.
    Plot {
        /// The JSON files.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// The SVG file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Put the tables of several runs into a document, between its marks.
    Doc(DocArgs),
    /// The same about what users did: events over more than a year.
    #[command(subcommand)]
    Behaviour(BehaviourTask),
}

#[derive(Subcommand)]
enum BehaviourTask {
    /// Write the whole data set: CSV, flat files for peers, the right answers.
    Prepare {
        #[command(flatten)]
        recipe: EventRecipeArgs,
        /// The directory to write it to.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Load the data into a fresh server and into the peers, ask, compare and measure.
    Run {
        #[command(flatten)]
        recipe: EventRecipeArgs,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Load the data into the peers alone, ask and compare.
    Peers {
        #[command(flatten)]
        recipe: EventRecipeArgs,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Print the Markdown of a run's JSON file again.
    Show {
        /// The JSON file.
        report: PathBuf,
    },
    /// Put the tables of several runs into a document, between its marks for them.
    Doc(DocArgs),
}

#[derive(clap::Args)]
struct DocArgs {
    /// The JSON files.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// The document.
    #[arg(long)]
    doc: PathBuf,
}

#[derive(clap::Args)]
struct SegmentRunArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Do not measure writing.
    #[arg(long)]
    no_writes: bool,
}

#[derive(clap::Args)]
struct RunArgs {
    /// How often each question is asked.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Who else is asked, separated by commas: the names of the scripts in benches/peers.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// The Python that runs the peers (benches/peers/prepare makes one).
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Where data is made and kept meanwhile; a temporary directory if none is given.
    #[arg(long)]
    work_dir: Option<PathBuf>,
    /// Keep the generated data in the working directory for the next run.
    #[arg(long, requires = "work_dir")]
    keep: bool,
    /// Bytes for the server's caches; three fifths of the machine's memory if not given.
    #[arg(long)]
    memory_bytes: Option<u64>,
    /// Write the results as JSON, too.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the results as Markdown, too.
    #[arg(long)]
    markdown: Option<PathBuf>,
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

#[derive(clap::Args, Clone, Copy)]
struct EventRecipeArgs {
    /// How many users.
    #[arg(long, default_value_t = 1_000_000)]
    users: u32,
    /// About how many events; twenty for each user if not given.
    #[arg(long)]
    events: Option<u64>,
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
        Task::Prepare { recipe, dir } => {
            DataSet::prepare(&dir, recipe.into(), Flat::Written).map(|_| ())
        }
        Task::Run(args) => measure(&args),
        Task::Show { report } => {
            print!("{}", read::<Report>(&report)?.to_markdown());
            Ok(())
        }
        Task::Plot { reports, out } => draw(&reports, &out),
        Task::Doc(DocArgs { reports, doc }) => {
            let tables = document::tables(&read_all(&reports)?);
            publish(&doc, &document::SEGMENTS, &tables)
        }
        Task::Behaviour(task) => about_behaviour(task),
    }
}

fn about_behaviour(task: BehaviourTask) -> Result<()> {
    match task {
        BehaviourTask::Prepare { recipe, dir } => {
            behaviour::data::DataSet::prepare(&dir, recipe.into(), Flat::Written).map(|_| ())
        }
        BehaviourTask::Run { recipe, run } => with_behaviour_plan(recipe, &run, |plan| {
            let runtime = tokio::runtime::Runtime::new()?;
            let report = runtime.block_on(behaviour::run::run(plan))?;
            run.tell(&report.to_markdown(), &report.to_json()?)
        }),
        BehaviourTask::Peers { recipe, run } => with_behaviour_plan(recipe, &run, |plan| {
            for line in behaviour::run::run_peers(plan)? {
                println!("{line}");
            }
            Ok(())
        }),
        BehaviourTask::Show { report } => {
            print!(
                "{}",
                read::<behaviour::report::Report>(&report)?.to_markdown()
            );
            Ok(())
        }
        BehaviourTask::Doc(DocArgs { reports, doc }) => {
            let tables = document::behaviour_tables(read_all(&reports)?);
            publish(&doc, &document::BEHAVIOUR, &tables)
        }
    }
}

fn with_behaviour_plan(
    recipe: EventRecipeArgs,
    args: &RunArgs,
    run: impl FnOnce(&behaviour::run::Plan) -> Result<()>,
) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    run(&behaviour::run::Plan {
        recipe: recipe.into(),
        setting: args.setting(temporary.path(), Workload::Behaviour),
    })
}

impl RunArgs {
    fn setting(&self, temporary: &Path, workload: Workload) -> Setting {
        Setting {
            runs: self.runs.max(1),
            work_dir: self.work_dir.as_deref().unwrap_or(temporary).to_owned(),
            keep: if self.keep { Keep::Data } else { Keep::Nothing },
            memory_bytes: self.memory_bytes,
            peers: self.peers.clone(),
            runner: Peers {
                python: self.python.clone(),
                workload,
            },
        }
    }

    /// Prints the results, and writes them where they are wanted.
    fn tell(&self, markdown: &str, json: &str) -> Result<()> {
        print!("{markdown}");
        if let Some(path) = &self.json {
            write(path, json)?;
        }
        if let Some(path) = &self.markdown {
            write(path, markdown)?;
        }
        Ok(())
    }
}

impl From<EventRecipeArgs> for behaviour::generate::Recipe {
    fn from(args: EventRecipeArgs) -> Self {
        Self {
            users: args.users.max(1),
            events: args.events.unwrap_or(u64::from(args.users) * 20),
            seed: args.seed,
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
    let mapping = match shape {
        Shape::Segbench => {
            generate::write_header(&mut writer)?;
            recipe
                .for_each_chunk(|first, users| generate::write_rows(first, users, &mut writer))?;
            generate::MAPPING
        }
        Shape::Load => {
            generate::write_load_csv(&recipe, &mut writer)?;
            generate::LOAD_MAPPING
        }
    };
    writer.flush()?;
    fs::write(out.with_extension("toml"), mapping)?;
    Ok(())
}

fn measure(args: &SegmentRunArgs) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let plan = Plan {
        recipe: args.recipe.into(),
        setting: args.run.setting(temporary.path(), Workload::Segments),
        writing: if args.no_writes {
            Writing::Omitted
        } else {
            Writing::Measured
        },
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(run(&plan))?;
    args.run.tell(&report.to_markdown(), &report.to_json()?)
}

fn publish(doc: &Path, marks: &document::Marks, tables: &str) -> Result<()> {
    let text = fs::read_to_string(doc).with_context(|| format!("cannot read {}", doc.display()))?;
    let text = marks
        .replaced(&text, tables)
        .with_context(|| format!("{} has no marks", doc.display()))?;
    write(doc, &text)
}

fn read_all<R: DeserializeOwned>(reports: &[PathBuf]) -> Result<Vec<R>> {
    reports.iter().map(|path| read(path)).collect()
}

fn draw(reports: &[PathBuf], out: &Path) -> Result<()> {
    let reports = read_all(reports)?;
    let drawn = plot::svg(&reports).context("there is nothing to draw")?;
    write(out, &drawn)
}

fn read<R: DeserializeOwned>(path: &Path) -> Result<R> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a report of this version", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
