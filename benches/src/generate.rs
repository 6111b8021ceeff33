//! The data: users in the order of their arrival, made chunk by chunk from a seed.
//!
//! Knows the distributions of the benchmark's definition. A chunk depends on the seed and its
//! own number only, so a larger data set begins with a smaller one's users.

use std::io::{self, Write};

use crate::random::{Stream, Weighted};

/// Users a chunk holds.
pub const CHUNK_USERS: u32 = 1_000_000;
/// Tags `t0` to `t999`.
pub const TAGS: u16 = 1_000;
/// Days between the first and the newest day.
pub const DAYS: u32 = 3_650;
/// Arrivals that are dense or sparse together in the tags with odd numbers.
const RUN_ARRIVALS: u64 = 2_000;
/// How many times denser a dense run is.
const RUN_CONTRAST: f64 = 20.0;

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// 0 `f`, 1 `m`, 2 `x`
    pub gender: u8,
    /// Years, 13 to 90.
    pub age: u8,
    /// `r0` to `r33`
    pub region: u8,
    /// `i0` to `i19`
    pub industry: u8,
    /// `s0` to `s11`
    pub source: u8,
    /// `d0` to `d199`
    pub device: u8,
    /// 0 to 3649, growing with arrival.
    pub signup_day: u16,
    /// 0 to 3649, most of them new.
    pub last_seen_day: u16,
    /// Money, 60% zero.
    pub spend_90d: u32,
    /// Numbers of tags, rising.
    pub tags: Vec<u16>,
}

/// What data to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// How many users.
    pub users: u32,
    /// Which data set.
    pub seed: u64,
}

/// The names of genders by number.
pub const GENDERS: [&str; 3] = ["f", "m", "x"];

/// The expected density of a tag.
pub fn tag_density(tag: u16) -> f64 {
    0.5 / (f64::from(tag) + 1.0).powf(0.7)
}

/// The key of the user with this arrival number.
pub fn user_key(arrival: u32) -> String {
    format!("u{arrival:09}")
}

impl Recipe {
    /// Makes the data a chunk at a time, with the arrival number of the chunk's first user.
    pub fn for_each_chunk<E>(
        &self,
        mut visit: impl FnMut(u32, &[User]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut first = 0;
        while first < self.users {
            let length = CHUNK_USERS.min(self.users - first);
            visit(first, &self.chunk(first, length))?;
            first += length;
        }
        Ok(())
    }

    fn chunk(&self, first: u32, length: u32) -> Vec<User> {
        let mut stream = Stream::new([self.seed, 1, u64::from(first)]);
        let shapes = Shapes::new();
        let mut users: Vec<User> = (0..length)
            .map(|i| shapes.user(&mut stream, f64::from(first + i) / f64::from(self.users)))
            .collect();
        for tag in 0..TAGS {
            self.for_each_holder(tag, first, length, |i| users[i as usize].tags.push(tag));
        }
        users
    }

    fn for_each_holder(&self, tag: u16, first: u32, length: u32, mut hold: impl FnMut(u32)) {
        let mut stream = Stream::new([self.seed, 2 + u64::from(tag), u64::from(first)]);
        let density = tag_density(tag);
        if tag.is_multiple_of(2) {
            return skip_through(&mut stream, density, 0, length, &mut hold);
        }
        let dense = (density * RUN_CONTRAST / 1.95).min(0.95);
        let sparse = dense / RUN_CONTRAST;
        let dense_runs = (density - sparse) / (dense - sparse);
        let mut start = 0;
        while start < length {
            // Around the mean, so that runs do not align between tags.
            let run = RUN_ARRIVALS / 2 + stream.below(RUN_ARRIVALS);
            let end = length.min(start + run as u32);
            let p = if stream.unit() < dense_runs {
                dense
            } else {
                sparse
            };
            skip_through(&mut stream, p, start, end, &mut hold);
            start = end;
        }
    }
}

fn skip_through(stream: &mut Stream, p: f64, start: u32, end: u32, hold: &mut impl FnMut(u32)) {
    let mut at = u64::from(start) + stream.geometric(p);
    while at < u64::from(end) {
        hold(at as u32);
        at += 1 + stream.geometric(p);
    }
}

/// The distributions of the attributes.
struct Shapes {
    gender: Weighted,
    region: Weighted,
    source: Weighted,
    device: Weighted,
}

impl Shapes {
    fn new() -> Self {
        Self {
            gender: Weighted::new([0.52, 0.46, 0.02]),
            region: Weighted::zipf(34, 1.1),
            source: Weighted::zipf(12, 1.1),
            device: Weighted::zipf(200, 1.2),
        }
    }

    /// A user who arrives when this part (0 to 1) of all users has arrived.
    fn user(&self, stream: &mut Stream, arrived: f64) -> User {
        let last = f64::from(DAYS - 1);
        let signup = (arrived * last + stream.normal() * 30.0).clamp(0.0, last);
        let days_away = -(1.0 - stream.unit()).ln() * 120.0;
        let spend = if stream.unit() < 0.6 {
            0.0
        } else {
            (5.5 + 1.2 * stream.normal()).exp()
        };
        User {
            gender: self.gender.choose(stream),
            age: (34.0 + 12.0 * stream.normal()).round().clamp(13.0, 90.0) as u8,
            region: self.region.choose(stream),
            industry: stream.below(20) as u8,
            source: self.source.choose(stream),
            device: self.device.choose(stream),
            signup_day: signup as u16,
            last_seen_day: (last - days_away).max(signup) as u16,
            spend_90d: spend as u32,
            tags: Vec::new(),
        }
    }
}

/// The header of the CSV file.
pub const CSV_HEADER: &str =
    "user,gender,age,region,industry,source,device,signup_day,last_seen_day,spend_90d,tags";

/// The import mapping that goes with the CSV file.
pub const MAPPING: &str = include_str!("segbench.toml");

/// The import mapping that goes with the load test's CSV file.
pub const LOAD_MAPPING: &str = include_str!("load.toml");

/// Writes the users as a CSV file with a header.
///
/// # Errors
/// When the writer fails.
pub fn write_csv(recipe: &Recipe, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{CSV_HEADER}")?;
    recipe.for_each_chunk(|first, users| {
        users
            .iter()
            .zip(first..)
            .try_for_each(|(user, arrival)| write_row(user, arrival, out))
    })
}

fn write_row(user: &User, arrival: u32, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "{},{},{},r{},i{},s{},d{},{},{},{},",
        user_key(arrival),
        GENDERS[usize::from(user.gender)],
        user.age,
        user.region,
        user.industry,
        user.source,
        user.device,
        user.signup_day,
        user.last_seen_day,
        user.spend_90d,
    )?;
    for (i, tag) in user.tags.iter().enumerate() {
        write!(out, "{}t{tag}", if i == 0 { "" } else { " " })?;
    }
    writeln!(out)
}

/// The users of the load test: eight attributes and exactly twenty tags each.
///
/// # Errors
/// When the writer fails.
pub fn write_load_csv(recipe: &Recipe, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "user,gender,age,region,industry,source,device,signup_day,spend_90d,tags"
    )?;
    let weights = Weighted::new((0..250).map(|tag| tag_density(tag * 4)));
    recipe.for_each_chunk(|first, users| {
        let mut stream = Stream::new([recipe.seed, 3_000, u64::from(first)]);
        users.iter().zip(first..).try_for_each(|(user, arrival)| {
            let mut tags = std::collections::BTreeSet::new();
            while tags.len() < 20 {
                tags.insert(u64::from(weights.choose(&mut stream)) * 4 + stream.below(4));
            }
            let tags: Vec<String> = tags.iter().map(|tag| format!("t{tag}")).collect();
            writeln!(
                out,
                "{},{},{},r{},i{},s{},d{},{},{},{}",
                user_key(arrival),
                GENDERS[usize::from(user.gender)],
                user.age,
                user.region,
                user.industry,
                user.source,
                user.device,
                user.signup_day,
                user.spend_90d,
                tags.join(" "),
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: Recipe = Recipe {
        users: 200_000,
        seed: 1,
    };

    fn users() -> Vec<User> {
        RECIPE.chunk(0, RECIPE.users)
    }

    #[test]
    fn the_same_seed_makes_the_same_users() {
        assert!(users() == users());
        assert_ne!(
            RECIPE.chunk(0, 10),
            Recipe { seed: 2, ..RECIPE }.chunk(0, 10)
        );
    }

    #[test]
    fn tags_are_as_dense_as_defined() {
        let users = users();
        for tag in [0, 1, 2, 3, 7, 20, 100, 101] {
            let holders = users.iter().filter(|user| user.tags.contains(&tag)).count();
            let expected = tag_density(tag) * f64::from(RECIPE.users);
            let ratio = holders as f64 / expected;
            assert!(
                (0.7..1.3).contains(&ratio),
                "t{tag}: {holders} of expected {expected}"
            );
        }
    }

    #[test]
    fn odd_tags_come_in_clusters() {
        let users = users();
        let spread = |tag: u16| {
            let held: Vec<f64> = users
                .chunks(1_000)
                .map(|run| run.iter().filter(|user| user.tags.contains(&tag)).count() as f64)
                .collect();
            let mean = held.iter().sum::<f64>() / held.len() as f64;
            held.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / held.len() as f64 / mean
        };
        assert!(
            spread(101) > 3.0 * spread(100),
            "{} and {}",
            spread(101),
            spread(100)
        );
    }

    #[test]
    fn attributes_stay_in_their_ranges() {
        let users = users();
        assert!(
            users
                .iter()
                .all(|u| (13..=90).contains(&u.age) && u.region < 34 && u.device < 200)
        );
        let women = users.iter().filter(|u| u.gender == 0).count();
        assert!((100_000..108_000).contains(&women), "{women}");
        let zero = users.iter().filter(|u| u.spend_90d == 0).count();
        assert!((118_000..123_000).contains(&zero), "{zero}");
    }
}
