//! The data set in a directory: files to import, flat files for the peers, the right answers.
//!
//! Knows which files there are. All of them are made in one pass over the users, so that 100
//! million fit into little memory.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use crate::prepared::Flat;
use crate::{
    bound::Operands,
    flat::FlatWriter,
    generate::{self, Recipe},
    oracle::{Oracle, Solutions},
    prepared::{Prepared, Wanted, flat_path, text_file, write_solutions},
};

/// Changes whenever the same recipe makes other files.
const FORMAT: u32 = 2;
const USERS: &str = "users.csv";

/// A complete data set.
#[derive(Debug)]
pub struct DataSet(Prepared<Recipe, Found>);

/// What was found out while the data was made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    memberships: u64,
    operand_bytes: BTreeMap<String, u64>,
}

impl DataSet {
    /// Makes the data set in this directory, or takes the one that is there if it is the same.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn prepare(directory: &Path, recipe: Recipe, flat: Flat) -> Result<Self> {
        let wanted = Wanted {
            format: FORMAT,
            recipe,
            flat,
            texts: &[USERS],
        };
        Prepared::prepare(directory, wanted, |directory, recipe| {
            make(directory, recipe, flat)
        })
        .map(Self)
    }

    /// The file to import; the mapping lies beside it.
    pub fn csv(&self) -> PathBuf {
        self.0.file(USERS)
    }

    /// The directory of flat files.
    pub fn flat(&self) -> PathBuf {
        self.0.flat()
    }

    /// How many tags all users hold together.
    pub fn memberships(&self) -> u64 {
        self.0.found().memberships
    }

    /// Bytes that each count has to read.
    pub fn operand_bytes(&self) -> &BTreeMap<String, u64> {
        &self.0.found().operand_bytes
    }

    /// The right answers.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn solutions(&self) -> Result<Solutions> {
        self.0.solutions()
    }

    /// Gives the disk's space back, as far as it is only needed for loading the server.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove_csv(&self) -> Result<()> {
        Ok(fs::remove_file(self.csv())?)
    }
}

fn make(directory: &Path, recipe: &Recipe, flat: Flat) -> Result<Found> {
    let mut text = text_file(&directory.join(USERS), generate::MAPPING)?;
    generate::write_header(&mut text)?;
    let mut arrays = match flat {
        Flat::Written => Some(FlatWriter::create(&flat_path(directory))?),
        Flat::Omitted => None,
    };
    let (mut oracle, mut operands) = (Oracle::new(recipe), Operands::default());
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
        arrays.finish(recipe)?;
    }
    write_solutions(directory, &oracle.solutions())?;
    Ok(Found {
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
    use crate::prepared::testing::{contents, writes};

    const RECIPE: Recipe = Recipe {
        users: 5_000,
        seed: 3,
    };

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
            writes(&directory.path().join(USERS), || {
                DataSet::prepare(directory.path(), recipe, flat).unwrap();
            })
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
        let again = DataSet::prepare(directory.path(), RECIPE, Flat::Omitted).unwrap();
        assert!(again.csv().exists());
    }
}
