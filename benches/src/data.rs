//! The data set in a directory: files to import, flat files for the peers, the right answers.
//!
//! Knows which files there are. All of them are made in one pass over the users, so that 100
//! million fit into little memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    bound::Operands,
    flat::FlatWriter,
    generate::{self, Recipe},
    oracle::{Oracle, Solutions},
};

/// Changes whenever the same recipe makes other files.
const FORMAT: u32 = 1;

/// A complete data set.
#[derive(Debug)]
pub struct DataSet {
    directory: PathBuf,
    facts: Facts,
}

/// What was found out while the data was made.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    format: u32,
    recipe: Recipe,
    flat: Flat,
    memberships: u64,
    operand_bytes: BTreeMap<String, u64>,
}

/// Whether the flat files are made, which only peers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flat {
    /// They are.
    Written,
    /// They are not.
    Omitted,
}

impl DataSet {
    /// Makes the data set in this directory, or takes the one that is there if it is the same.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn prepare(directory: &Path, recipe: Recipe, flat: Flat) -> Result<Self> {
        let set = Self::there(directory);
        if let Some(set) = set.filter(|set| set.serves(&recipe, flat)) {
            return Ok(set);
        }
        fs::create_dir_all(directory)?;
        // What is there is of no use, and half of the new one must not be taken for a whole.
        let _ = fs::remove_file(facts_path(directory));
        let facts = make(directory, recipe, flat)
            .with_context(|| format!("cannot make the data in {}", directory.display()))?;
        fs::write(facts_path(directory), serde_json::to_string(&facts)?)?;
        Ok(Self {
            directory: directory.to_owned(),
            facts,
        })
    }

    fn there(directory: &Path) -> Option<Self> {
        let facts = fs::read_to_string(facts_path(directory)).ok()?;
        let facts = serde_json::from_str(&facts).ok()?;
        Some(Self {
            directory: directory.to_owned(),
            facts,
        })
    }

    fn serves(&self, recipe: &Recipe, flat: Flat) -> bool {
        self.facts.format == FORMAT
            && self.facts.recipe == *recipe
            && (flat == Flat::Omitted || self.facts.flat == Flat::Written)
            && self.csv().exists()
    }

    /// The file to import; the mapping lies beside it.
    pub fn csv(&self) -> PathBuf {
        csv_path(&self.directory)
    }

    /// The directory of flat files.
    pub fn flat(&self) -> PathBuf {
        flat_path(&self.directory)
    }

    /// How many tags all users hold together.
    pub fn memberships(&self) -> u64 {
        self.facts.memberships
    }

    /// Bytes that each count has to read.
    pub fn operand_bytes(&self) -> &BTreeMap<String, u64> {
        &self.facts.operand_bytes
    }

    /// The right answers.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn solutions(&self) -> Result<Solutions> {
        let file = File::open(solutions_path(&self.directory))?;
        Ok(serde_json::from_reader(BufReader::new(file))?)
    }

    /// Gives the disk's space back, as far as it is only needed for loading the server.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove_csv(&self) -> Result<()> {
        Ok(fs::remove_file(self.csv())?)
    }
}

fn csv_path(directory: &Path) -> PathBuf {
    directory.join("users.csv")
}

fn flat_path(directory: &Path) -> PathBuf {
    directory.join("flat")
}

fn facts_path(directory: &Path) -> PathBuf {
    directory.join("facts.json")
}

fn solutions_path(directory: &Path) -> PathBuf {
    directory.join("solutions.json")
}

fn make(directory: &Path, recipe: Recipe, flat: Flat) -> Result<Facts> {
    let csv = csv_path(directory);
    let mut text = BufWriter::with_capacity(1 << 20, File::create(&csv)?);
    fs::write(csv.with_extension("toml"), generate::MAPPING)?;
    generate::write_header(&mut text)?;
    let mut arrays = match flat {
        Flat::Written => Some(FlatWriter::create(&flat_path(directory))?),
        Flat::Omitted => None,
    };
    let (mut oracle, mut operands) = (Oracle::new(&recipe), Operands::default());
    let mut memberships = 0;
    recipe.for_each_chunk(|first, users| -> Result<()> {
        generate::write_rows(first, users, &mut text)?;
        if let Some(arrays) = &mut arrays {
            arrays.append(first, users)?;
        }
        for (user, arrival) in users.iter().zip(first..) {
            oracle.see(arrival, user);
            operands.see(arrival, user);
            memberships += user.tags.len() as u64;
        }
        Ok(())
    })?;
    text.flush()?;
    if let Some(arrays) = arrays {
        arrays.finish(&recipe)?;
    }
    let mut file = BufWriter::new(File::create(solutions_path(directory))?);
    serde_json::to_writer(&mut file, &oracle.solutions())?;
    file.flush()?;
    Ok(Facts {
        format: FORMAT,
        recipe,
        flat,
        memberships,
        operand_bytes: operands.bytes(),
    })
}

/// Attributes that every user has.
pub const ATTRIBUTES: u64 = 9;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const RECIPE: Recipe = Recipe {
        users: 5_000,
        seed: 3,
    };

    fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut waiting = vec![directory.to_owned()];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(
                    fs::read_dir(path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            } else {
                let bytes = fs::read(&path).unwrap();
                files.push((path.strip_prefix(directory).unwrap().to_owned(), bytes));
            }
        }
        files.sort();
        files
    }

    #[test]
    fn the_same_recipe_makes_the_same_files() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        DataSet::prepare(a.path(), RECIPE, Flat::Written).unwrap();
        DataSet::prepare(b.path(), RECIPE, Flat::Written).unwrap();
        let files = contents(a.path());
        assert!(files.len() > 1_000 && files == contents(b.path()));
    }

    #[test]
    fn a_data_set_serves_again_unless_it_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let made = |recipe, flat| {
            let csv = csv_path(directory.path());
            let before = csv.metadata().map(|file| file.modified().unwrap()).ok();
            DataSet::prepare(directory.path(), recipe, flat).unwrap();
            before != csv.metadata().map(|file| file.modified().unwrap()).ok()
        };
        assert!(made(RECIPE, Flat::Omitted));
        assert!(!made(RECIPE, Flat::Omitted));
        assert!(made(RECIPE, Flat::Written));
        assert!(!made(RECIPE, Flat::Omitted));
        assert!(made(Recipe { seed: 4, ..RECIPE }, Flat::Omitted));
    }

    #[test]
    fn a_data_set_without_its_csv_does_not_serve() {
        let directory = tempfile::tempdir().unwrap();
        let set = DataSet::prepare(directory.path(), RECIPE, Flat::Omitted).unwrap();
        set.remove_csv().unwrap();
        assert!(!set.serves(&RECIPE, Flat::Omitted));
    }
}
