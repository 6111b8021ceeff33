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
use tessera_benches::{
    data::{DataSet, Flat},
    document,
    generate::{self, Recipe},
    peer::Peers,
    plot,
    report::Report,
    run::{Keep, Plan, Writing, run},
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
    Run(RunArgs),
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
    Doc {
        /// The JSON files.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// The document.
        #[arg(long)]
        doc: PathBuf,
    },
}

#[derive(clap::Args)]
struct RunArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
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
    /// Do not measure writing.
    #[arg(long)]
    no_writes: bool,
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
            print!("{}", read(&report)?.to_markdown());
            Ok(())
        }
        Task::Plot { reports, out } => draw(&reports, &out),
        Task::Doc { reports, doc } => publish(&reports, &doc),
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

fn measure(args: &RunArgs) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let plan = Plan {
        recipe: args.recipe.into(),
        runs: args.runs.max(1),
        work_dir: args
            .work_dir
            .clone()
            .unwrap_or_else(|| temporary.path().to_owned()),
        keep: if args.keep { Keep::Data } else { Keep::Nothing },
        memory_bytes: args.memory_bytes,
        writing: if args.no_writes {
            Writing::Omitted
        } else {
            Writing::Measured
        },
        peers: args.peers.clone(),
        runner: Peers {
            python: args.python.clone(),
        },
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(run(&plan))?;
    let markdown = report.to_markdown();
    print!("{markdown}");
    if let Some(path) = &args.json {
        write(path, &report.to_json()?)?;
    }
    if let Some(path) = &args.markdown {
        write(path, &markdown)?;
    }
    Ok(())
}

fn publish(reports: &[PathBuf], doc: &Path) -> Result<()> {
    let tables = document::tables(&read_all(reports)?);
    let text = fs::read_to_string(doc).with_context(|| format!("cannot read {}", doc.display()))?;
    let text = document::replaced(&text, &tables)
        .with_context(|| format!("{} has no marks", doc.display()))?;
    write(doc, &text)
}

fn read_all(reports: &[PathBuf]) -> Result<Vec<Report>> {
    reports.iter().map(|path| read(path)).collect()
}

fn draw(reports: &[PathBuf], out: &Path) -> Result<()> {
    let reports = read_all(reports)?;
    let drawn = plot::svg(&reports).context("there is nothing to draw")?;
    write(out, &drawn)
}

fn read(path: &Path) -> Result<Report> {
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
