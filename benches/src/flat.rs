//! The data as flat files, which any program can map into memory: a peer loads from them
//! without reading text.
//!
//! Knows arrays of little-endian numbers:
//! - `NAME.u8`, `NAME.u16`, `NAME.u32`: an attribute's codes or numbers, by arrival;
//! - `tags/tK.u32`: the arrivals of the users who hold tag K, rising;
//! - `tag_counts.u16`: how many tags each user holds, by arrival;
//! - `tag_lists.u16`: all users' tags one after the other, each user's rising;
//! - `meta.json`: the recipe, and the users whose portraits are asked for.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::generate::{Recipe, TAGS, User};

/// Bytes that a file collects before it writes.
const BUFFER_BYTES: usize = 1 << 18;

/// Writes the flat files while chunks of users pass by.
#[derive(Debug)]
pub struct FlatWriter {
    directory: PathBuf,
    columns: Vec<(Column, BufWriter<File>)>,
    /// Holders of each tag within a chunk, kept for their memory.
    holders: Vec<Vec<u8>>,
}

/// What a file holds of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Gender,
    Age,
    Region,
    Industry,
    Source,
    Device,
    SignupDay,
    LastSeenDay,
    Spend,
    TagCount,
    TagList,
}

impl Column {
    const ALL: [Self; 11] = [
        Self::Gender,
        Self::Age,
        Self::Region,
        Self::Industry,
        Self::Source,
        Self::Device,
        Self::SignupDay,
        Self::LastSeenDay,
        Self::Spend,
        Self::TagCount,
        Self::TagList,
    ];

    fn file_name(self) -> &'static str {
        match self {
            Self::Gender => "gender.u8",
            Self::Age => "age.u8",
            Self::Region => "region.u8",
            Self::Industry => "industry.u8",
            Self::Source => "source.u8",
            Self::Device => "device.u8",
            Self::SignupDay => "signup_day.u16",
            Self::LastSeenDay => "last_seen_day.u16",
            Self::Spend => "spend_90d.u32",
            Self::TagCount => "tag_counts.u16",
            Self::TagList => "tag_lists.u16",
        }
    }

    fn write(self, user: &User, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Gender => out.write_all(&[user.gender]),
            Self::Age => out.write_all(&[user.age]),
            Self::Region => out.write_all(&[user.region]),
            Self::Industry => out.write_all(&[user.industry]),
            Self::Source => out.write_all(&[user.source]),
            Self::Device => out.write_all(&[user.device]),
            Self::SignupDay => out.write_all(&user.signup_day.to_le_bytes()),
            Self::LastSeenDay => out.write_all(&user.last_seen_day.to_le_bytes()),
            Self::Spend => out.write_all(&user.spend_90d.to_le_bytes()),
            Self::TagCount => out.write_all(&(user.tags.len() as u16).to_le_bytes()),
            Self::TagList => user
                .tags
                .iter()
                .try_for_each(|tag| out.write_all(&tag.to_le_bytes())),
        }
    }
}

/// What a peer must know beside the arrays.
#[derive(Serialize)]
struct Meta {
    users: u32,
    seed: u64,
    tags: u16,
    portrayed: Vec<u32>,
}

impl FlatWriter {
    /// Begins in an empty directory, which is made.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn create(directory: &Path) -> io::Result<Self> {
        let tags = directory.join("tags");
        fs::create_dir_all(&tags)?;
        for tag in 0..TAGS {
            File::create(tag_path(directory, tag))?;
        }
        let columns = Column::ALL
            .into_iter()
            .map(|column| {
                let file = File::create(directory.join(column.file_name()))?;
                Ok((column, BufWriter::with_capacity(BUFFER_BYTES, file)))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            directory: directory.to_owned(),
            columns,
            holders: vec![Vec::new(); usize::from(TAGS)],
        })
    }

    /// Appends a chunk of users, the first of whom has this arrival number.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn append(&mut self, first: u32, users: &[User]) -> io::Result<()> {
        for (column, file) in &mut self.columns {
            users
                .iter()
                .try_for_each(|user| column.write(user, &mut *file))?;
        }
        for (user, arrival) in users.iter().zip(first..) {
            for &tag in &user.tags {
                self.holders[usize::from(tag)].extend_from_slice(&arrival.to_le_bytes());
            }
        }
        for (holders, tag) in self.holders.iter_mut().zip(0..) {
            // Opened anew for every chunk: a thousand files are more than many systems let a
            // process keep open.
            OpenOptions::new()
                .append(true)
                .open(tag_path(&self.directory, tag))?
                .write_all(holders)?;
            holders.clear();
        }
        Ok(())
    }

    /// Ends the files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self, recipe: &Recipe) -> io::Result<()> {
        for (_, file) in &mut self.columns {
            file.flush()?;
        }
        let meta = Meta {
            users: recipe.users,
            seed: recipe.seed,
            tags: TAGS,
            portrayed: recipe.portrayed(),
        };
        fs::write(
            self.directory.join("meta.json"),
            serde_json::to_string(&meta)?,
        )
    }
}

fn tag_path(directory: &Path, tag: u16) -> PathBuf {
    directory.join("tags").join(format!("t{tag}.u32"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const RECIPE: Recipe = Recipe {
        users: 3_000,
        seed: 7,
    };

    fn written() -> (tempfile::TempDir, Vec<User>) {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = FlatWriter::create(directory.path()).unwrap();
        let mut seen = Vec::new();
        RECIPE
            .for_each_chunk(|first, users| {
                // In two pieces, as chunks would come.
                let (some, others) = users.split_at(1_000);
                writer.append(first, some)?;
                writer.append(first + 1_000, others)?;
                seen.extend_from_slice(users);
                Ok::<_, io::Error>(())
            })
            .unwrap();
        writer.finish(&RECIPE).unwrap();
        (directory, seen)
    }

    fn numbers<const BYTES: usize>(path: &Path) -> Vec<u64> {
        let bytes = fs::read(path).unwrap();
        let number = |piece: &[u8]| {
            piece
                .iter()
                .rev()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        bytes.chunks_exact(BYTES).map(number).collect()
    }

    #[test]
    fn columns_are_the_users_in_order() {
        let (directory, users) = written();
        let check = |name: &str, expected: Vec<u64>| {
            let path = directory.path().join(name);
            let found = match name.rsplit('.').next() {
                Some("u8") => numbers::<1>(&path),
                Some("u16") => numbers::<2>(&path),
                _ => numbers::<4>(&path),
            };
            assert!(found == expected, "{name}");
        };
        check("gender.u8", users.iter().map(|u| u.gender.into()).collect());
        check("device.u8", users.iter().map(|u| u.device.into()).collect());
        let days = users.iter().map(|u| u.signup_day.into()).collect();
        check("signup_day.u16", days);
        let spend = users.iter().map(|u| u.spend_90d.into()).collect();
        check("spend_90d.u32", spend);
        let counts = users.iter().map(|u| u.tags.len() as u64).collect();
        check("tag_counts.u16", counts);
        let lists = users.iter().flat_map(|u| &u.tags).map(|&t| t.into());
        check("tag_lists.u16", lists.collect());
    }

    #[test]
    fn tags_are_their_holders() {
        let (directory, users) = written();
        for tag in [0, 1, 7, 500, 999] {
            let holders: Vec<u64> = (0..)
                .zip(&users)
                .filter(|(_, user)| user.tags.contains(&tag))
                .map(|(arrival, _)| arrival)
                .collect();
            assert!(numbers::<4>(&tag_path(directory.path(), tag)) == holders);
        }
    }
}
