//! What every data set in a directory has: files to import, flat files for the peers, the right
//! answers, and a note of what it is.
//!
//! Knows these files. Does not know what a data set is about, nor how it is made.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::oracle::Solutions;

const FACTS: &str = "facts.json";
const FLAT: &str = "flat";
const SOLUTIONS: &str = "solutions.json";

/// Whether the flat files are made, which only peers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flat {
    /// They are.
    Written,
    /// They are not.
    Omitted,
}

/// A complete data set.
#[derive(Debug)]
pub(crate) struct Prepared<Recipe, Found> {
    directory: PathBuf,
    facts: Facts<Recipe, Found>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Facts<Recipe, Found> {
    format: u32,
    recipe: Recipe,
    flat: Flat,
    /// What was found out while the data was made.
    found: Found,
}

/// The data set that is wanted.
pub(crate) struct Wanted<Recipe> {
    /// Changes whenever the same recipe makes other files.
    pub(crate) format: u32,
    pub(crate) recipe: Recipe,
    pub(crate) flat: Flat,
    /// The names of the files to import.
    pub(crate) texts: &'static [&'static str],
}

impl<Recipe, Found> Prepared<Recipe, Found>
where
    Recipe: Serialize + DeserializeOwned + PartialEq,
    Found: Serialize + DeserializeOwned,
{
    /// Makes the data set in this directory, or takes the one that is there if it is the same.
    ///
    /// # Errors
    /// When files cannot be written.
    pub(crate) fn prepare(
        directory: &Path,
        wanted: Wanted<Recipe>,
        make: impl FnOnce(&Path, &Recipe) -> Result<Found>,
    ) -> Result<Self> {
        let set = Self::there(directory);
        if let Some(set) = set.filter(|set| set.serves(&wanted)) {
            return Ok(set);
        }
        fs::create_dir_all(directory)?;
        // What is there is of no use, and half of the new one must not be taken for a whole.
        let _ = fs::remove_file(directory.join(FACTS));
        let found = make(directory, &wanted.recipe)
            .with_context(|| format!("cannot make the data in {}", directory.display()))?;
        let facts = Facts {
            format: wanted.format,
            recipe: wanted.recipe,
            flat: wanted.flat,
            found,
        };
        fs::write(directory.join(FACTS), serde_json::to_string(&facts)?)?;
        Ok(Self {
            directory: directory.to_owned(),
            facts,
        })
    }

    fn there(directory: &Path) -> Option<Self> {
        let facts = fs::read_to_string(directory.join(FACTS)).ok()?;
        let facts = serde_json::from_str(&facts).ok()?;
        Some(Self {
            directory: directory.to_owned(),
            facts,
        })
    }

    fn serves(&self, wanted: &Wanted<Recipe>) -> bool {
        self.facts.format == wanted.format
            && self.facts.recipe == wanted.recipe
            && (wanted.flat == Flat::Omitted || self.facts.flat == Flat::Written)
            && wanted.texts.iter().all(|text| self.file(text).exists())
    }
}

impl<Recipe, Found> Prepared<Recipe, Found> {
    /// A file of the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The directory of flat files.
    pub(crate) fn flat(&self) -> PathBuf {
        flat_path(&self.directory)
    }

    /// What was found out while the data was made.
    pub(crate) fn found(&self) -> &Found {
        &self.facts.found
    }

    /// The right answers.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn solutions(&self) -> Result<Solutions> {
        let file = File::open(self.file(SOLUTIONS))?;
        Ok(serde_json::from_reader(BufReader::new(file))?)
    }
}

/// The directory of flat files.
pub(crate) fn flat_path(directory: &Path) -> PathBuf {
    directory.join(FLAT)
}

/// Writes the right answers.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_solutions(directory: &Path, solutions: &Solutions) -> Result<()> {
    let mut file = BufWriter::new(File::create(directory.join(SOLUTIONS))?);
    serde_json::to_writer(&mut file, solutions)?;
    Ok(file.flush()?)
}

/// Opens a file to import for writing, and writes its mapping beside it.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn text_file(path: &Path, mapping: &str) -> std::io::Result<BufWriter<File>> {
    fs::write(path.with_extension("toml"), mapping)?;
    Ok(BufWriter::with_capacity(1 << 20, File::create(path)?))
}

#[cfg(test)]
pub(crate) mod testing {
    //! What tests of data sets share.
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{
        fs,
        path::{Path, PathBuf},
    };

    /// Every file below a directory.
    pub(crate) fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut waiting = vec![directory.to_owned()];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(path).unwrap();
                waiting.extend(entries.map(|entry| entry.unwrap().path()));
            } else {
                let bytes = fs::read(&path).unwrap();
                files.push((path.strip_prefix(directory).unwrap().to_owned(), bytes));
            }
        }
        files.sort();
        files
    }

    /// Whether a step writes a file again.
    pub(crate) fn writes(file: &Path, step: impl FnOnce()) -> bool {
        let written = || file.metadata().map(|of| of.modified().unwrap()).ok();
        let before = written();
        step();
        before != written()
    }
}
