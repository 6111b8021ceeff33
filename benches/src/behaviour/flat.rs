//! The events as flat files, which any program can map into memory: a peer loads from them
//! without reading text.
//!
//! Knows arrays of little-endian numbers:
//! - `user.u32`, `time.u32` (seconds since 1970), `kind.u8`, `amount.u32` (hundredths),
//!   `category.u8`, `channel.u8`: an event's fields, by arrival;
//! - `gender.u8`: the users' genders, by arrival number;
//! - `meta.json`: the recipe, what the codes mean, the moment of the questions, and the users
//!   whose portraits are asked for.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    calendar::NOW,
    generate::{CATEGORIES, CHANNELS, Event, Kind, Recipe},
};
use crate::generate::GENDERS;

/// Bytes that a file collects before it writes.
const BUFFER_BYTES: usize = 1 << 18;

/// A field of an event: its file's name and its bytes.
type Field = (&'static str, fn(&Event, &mut Vec<u8>));

const FIELDS: [Field; 6] = [
    ("user.u32", |e, out| out.extend(e.user.to_le_bytes())),
    ("time.u32", |e, out| out.extend(e.time.to_le_bytes())),
    ("kind.u8", |e, out| out.push(e.kind as u8)),
    ("amount.u32", |e, out| out.extend(e.amount.to_le_bytes())),
    ("category.u8", |e, out| out.push(e.category)),
    ("channel.u8", |e, out| out.push(e.channel)),
];

/// Writes the flat files while days pass by.
#[derive(Debug)]
pub struct FlatWriter {
    directory: PathBuf,
    files: Vec<BufWriter<File>>,
    bytes: Vec<u8>,
}

/// What a peer must know beside the arrays.
#[derive(Serialize)]
struct Meta {
    users: u32,
    seed: u64,
    events: u64,
    now: u32,
    kinds: [&'static str; 4],
    categories: [&'static str; 20],
    channels: [&'static str; 5],
    genders: [&'static str; 3],
    portrayed: Vec<u32>,
}

impl FlatWriter {
    /// Begins the files in this directory, in place of those that are there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let open = |(name, _): &Field| {
            let file = File::create(directory.join(name))?;
            Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
        };
        Ok(Self {
            directory: directory.to_owned(),
            files: FIELDS.iter().map(open).collect::<io::Result<_>>()?,
            bytes: Vec::new(),
        })
    }

    /// Appends events in the order of their arrival.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn append(&mut self, events: &[Event]) -> io::Result<()> {
        for ((_, write), file) in FIELDS.iter().zip(&mut self.files) {
            self.bytes.clear();
            for event in events {
                write(event, &mut self.bytes);
            }
            file.write_all(&self.bytes)?;
        }
        Ok(())
    }

    /// Ends the files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self, recipe: &Recipe, events: u64) -> io::Result<()> {
        for file in &mut self.files {
            file.flush()?;
        }
        let genders: Vec<u8> = (0..recipe.users).map(|user| recipe.gender(user)).collect();
        fs::write(self.directory.join("gender.u8"), genders)?;
        let meta = Meta {
            users: recipe.users,
            seed: recipe.seed,
            events,
            now: NOW,
            kinds: Kind::ALL.map(Kind::name),
            categories: CATEGORIES,
            channels: CHANNELS,
            genders: GENDERS,
            portrayed: recipe.portrayed(),
        };
        let meta = serde_json::to_string(&meta)?;
        fs::write(self.directory.join("meta.json"), meta)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_files_are_the_events_in_order() {
        let recipe = Recipe {
            users: 100,
            events: 2_000,
            seed: 1,
        };
        let directory = tempfile::tempdir().unwrap();
        let mut writer = FlatWriter::create(directory.path()).unwrap();
        let mut arrived = Vec::new();
        recipe
            .for_each_day(|day| {
                arrived.extend_from_slice(&day.arrived);
                writer.append(&day.arrived)
            })
            .unwrap();
        writer.finish(&recipe, arrived.len() as u64).unwrap();
        let read = |name: &str| fs::read(directory.path().join(name)).unwrap();
        let users: Vec<u8> = arrived.iter().flat_map(|e| e.user.to_le_bytes()).collect();
        assert!(read("user.u32") == users);
        let kinds: Vec<u8> = arrived.iter().map(|e| e.kind as u8).collect();
        assert!(read("kind.u8") == kinds);
        assert_eq!(read("channel.u8").len(), arrived.len());
        assert_eq!(read("gender.u8").len(), 100);
    }
}
