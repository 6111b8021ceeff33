//! The data set in a directory: files to import, flat files for the peers, the right answers.
//!
//! Knows which files there are. All of them are made in one pass over the days, so that 200
//! million events fit into little memory.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    calendar::{DAY_SECONDS, clock, date},
    flat::FlatWriter,
    generate::{CATEGORIES, CHANNELS, Event, Kind, Recipe},
    oracle::Oracle,
};
use crate::{
    generate::{GENDERS, push_digits, push_key},
    oracle::Solutions,
    prepared::{Flat, Prepared, Wanted, flat_path, text_file, write_solutions},
};

/// Changes whenever the same recipe makes other files.
const FORMAT: u32 = 3;

/// The import mappings that go with the files.
const USERS_MAPPING: &str = include_str!("users.toml");
const EVENTS_MAPPING: &str = include_str!("events.toml");

const USERS: &str = "users.csv";
const EVENTS: &str = "events.csv";

/// A complete data set.
#[derive(Debug)]
pub struct DataSet(Prepared<Recipe, Found>);

/// What was found out while the data was made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    /// Events by kind.
    events: BTreeMap<String, u64>,
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
            texts: &[USERS, EVENTS],
        };
        Prepared::prepare(directory, wanted, |directory, recipe| {
            make(directory, recipe, flat)
        })
        .map(Self)
    }

    /// The file of users to import first; its mapping lies beside it.
    pub fn users_csv(&self) -> PathBuf {
        self.0.file(USERS)
    }

    /// The file of events to import then; its mapping lies beside it.
    pub fn events_csv(&self) -> PathBuf {
        self.0.file(EVENTS)
    }

    /// The directory of flat files.
    pub fn flat(&self) -> PathBuf {
        self.0.flat()
    }

    /// How many events there are of each kind.
    pub fn events(&self) -> &BTreeMap<String, u64> {
        &self.0.found().events
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
        fs::remove_file(self.users_csv())?;
        Ok(fs::remove_file(self.events_csv())?)
    }
}

fn make(directory: &Path, recipe: &Recipe, flat: Flat) -> Result<Found> {
    write_users(&directory.join(USERS), recipe)?;
    let mut text = text_file(&directory.join(EVENTS), EVENTS_MAPPING)?;
    writeln!(text, "{EVENTS_HEADER}")?;
    let mut arrays = match flat {
        Flat::Written => Some(FlatWriter::create(&flat_path(directory))?),
        Flat::Omitted => None,
    };
    let mut oracle = Oracle::new(recipe);
    let (mut events, mut rows) = ([0_u64; Kind::ALL.len()], Vec::new());
    recipe.for_each_day(|day| -> Result<()> {
        rows.clear();
        for event in &day.arrived {
            push_row(event, &mut rows);
            events[event.kind as usize] += 1;
        }
        text.write_all(&rows)?;
        if let Some(arrays) = &mut arrays {
            arrays.append(&day.arrived)?;
        }
        day.happened.iter().for_each(|event| oracle.see(event));
        Ok(())
    })?;
    text.flush()?;
    if let Some(arrays) = arrays {
        arrays.finish(recipe, events.iter().sum())?;
    }
    write_solutions(directory, &oracle.solutions())?;
    let names = Kind::ALL.map(|kind| kind.name().to_owned());
    Ok(Found {
        events: names.into_iter().zip(events).collect(),
    })
}

fn write_users(path: &Path, recipe: &Recipe) -> io::Result<()> {
    let mut out = text_file(path, USERS_MAPPING)?;
    writeln!(out, "user,gender")?;
    let mut row = Vec::new();
    for user in 0..recipe.users {
        row.clear();
        push_key(&mut row, user);
        row.push(b',');
        row.extend_from_slice(GENDERS[usize::from(recipe.gender(user))].as_bytes());
        row.push(b'\n');
        out.write_all(&row)?;
    }
    out.flush()
}

const EVENTS_HEADER: &str = "user,event,time,amount,category,channel";

/// By hand: formatting by `write!` would take longer than making the events.
fn push_row(event: &Event, row: &mut Vec<u8>) {
    push_key(row, event.user);
    row.push(b',');
    row.extend_from_slice(event.kind.name().as_bytes());
    row.push(b',');
    row.extend_from_slice(date(event.time / DAY_SECONDS).as_bytes());
    for (before, number) in [b'T', b':', b':'].into_iter().zip(clock(event.time)) {
        row.push(before);
        push_digits(row, number, 2);
    }
    row.extend_from_slice(b"Z,");
    match event.kind {
        Kind::Purchase => {
            push_digits(row, event.amount / 100, 1);
            row.push(b'.');
            push_digits(row, event.amount % 100, 2);
            row.push(b',');
            row.extend_from_slice(CATEGORIES[usize::from(event.category)].as_bytes());
            row.push(b',');
            row.extend_from_slice(CHANNELS[usize::from(event.channel)].as_bytes());
        }
        Kind::Login | Kind::View | Kind::Cart => row.extend_from_slice(b",,"),
    }
    row.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{
        behaviour::calendar::NOW,
        prepared::testing::{contents, writes},
    };

    const RECIPE: Recipe = Recipe {
        users: 500,
        events: 10_000,
        seed: 3,
    };

    #[test]
    fn the_same_recipe_makes_the_same_files() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for directory in [a.path(), b.path()] {
            DataSet::prepare(directory, RECIPE, Flat::Written).unwrap();
        }
        let files = contents(a.path());
        assert!(files.len() > 6 && files == contents(b.path()));
    }

    #[test]
    fn a_data_set_serves_again_unless_it_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let made = |recipe, flat| {
            writes(&directory.path().join(EVENTS), || {
                DataSet::prepare(directory.path(), recipe, flat).unwrap();
            })
        };
        assert!(made(RECIPE, Flat::Omitted));
        assert!(!made(RECIPE, Flat::Omitted));
        assert!(made(RECIPE, Flat::Written));
        assert!(made(Recipe { seed: 4, ..RECIPE }, Flat::Omitted));
    }

    #[test]
    fn a_row_says_what_the_event_has() {
        let check = |kind, expected: &str| {
            let event = Event {
                time: NOW,
                user: 7,
                amount: 1_205,
                kind,
                category: 1,
                channel: 4,
            };
            let mut row = Vec::new();
            push_row(&event, &mut row);
            assert_eq!(String::from_utf8(row).unwrap(), expected);
        };
        check(
            Kind::Purchase,
            "u000000007,purchase,2026-06-30T12:00:00Z,12.05,books,phone\n",
        );
        check(Kind::View, "u000000007,view,2026-06-30T12:00:00Z,,,\n");
    }
}
