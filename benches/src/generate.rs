//! The data: users in the order of their arrival, made chunk by chunk from a seed.
//!
//! Knows the distributions of the benchmark's definition. A chunk depends on the seed and its
//! own number only, so a larger data set begins with a smaller one's users.

use std::{
    io::{self, Write},
    sync::mpsc::sync_channel,
};

use serde::{Deserialize, Serialize};

use crate::random::{Stream, Weighted};

/// Users a chunk holds.
pub const CHUNK_USERS: u32 = 1_000_000;
/// Tags `t0` to `t999`.
pub const TAGS: u16 = 1_000;
/// How many users' portraits are asked for.
const PORTRAITS: usize = 32;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// Digits of a user's key.
const KEY_DIGITS: usize = 9;

/// The key of the user with this arrival number.
pub fn user_key(arrival: u32) -> String {
    format!("u{arrival:0KEY_DIGITS$}")
}

/// The arrival number of the user with this key; `None` for what is no user's key.
pub fn arrival_of(key: &str) -> Option<u32> {
    let digits = key.strip_prefix('u')?;
    (digits.len() == KEY_DIGITS).then_some(())?;
    digits.parse().ok()
}

impl Recipe {
    /// Makes the data a chunk at a time, with the arrival number of the chunk's first user.
    /// The next chunk is made by a thread of its own while one is visited; at most three are in
    /// memory.
    ///
    /// # Errors
    /// The visitor's first, which ends the making.
    pub fn for_each_chunk<E>(
        &self,
        visit: impl FnMut(u32, &[User]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_chunk_of(CHUNK_USERS, visit)
    }

    fn for_each_chunk_of<E>(
        &self,
        chunk_users: u32,
        mut visit: impl FnMut(u32, &[User]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (sender, receiver) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut first = 0;
                while first < self.users {
                    let length = chunk_users.min(self.users - first);
                    // Nobody receives any more when the visitor has failed.
                    if sender.send((first, self.chunk(first, length))).is_err() {
                        return;
                    }
                    first += length;
                }
            });
            receiver
                .into_iter()
                .try_for_each(|(first, users): (u32, Vec<User>)| visit(first, &users))
        })
    }

    /// The arrival numbers of the users whose portraits are asked for.
    pub fn portrayed(&self) -> Vec<u32> {
        let mut stream = Stream::new([self.seed, 4_000, 0]);
        (0..PORTRAITS)
            .map(|_| stream.below(u64::from(self.users)) as u32)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
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

/// Writes the header of the CSV file.
///
/// # Errors
/// When the writer fails.
pub fn write_header(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{CSV_HEADER}")
}

/// Writes a chunk of users, the first of whom has this arrival number, as rows of the CSV file.
///
/// # Errors
/// When the writer fails.
pub fn write_rows(first: u32, users: &[User], out: &mut impl Write) -> io::Result<()> {
    // By hand: formatting by `write!` would take longer than making the users.
    let mut row = Vec::with_capacity(1 << 10);
    for (user, arrival) in users.iter().zip(first..) {
        row.clear();
        push_row(user, arrival, &mut row);
        out.write_all(&row)?;
    }
    Ok(())
}

fn push_row(user: &User, arrival: u32, row: &mut Vec<u8>) {
    push_key(row, arrival);
    row.push(b',');
    row.extend_from_slice(GENDERS[usize::from(user.gender)].as_bytes());
    for (prefix, number) in [
        ("", u32::from(user.age)),
        ("r", u32::from(user.region)),
        ("i", u32::from(user.industry)),
        ("s", u32::from(user.source)),
        ("d", u32::from(user.device)),
        ("", u32::from(user.signup_day)),
        ("", u32::from(user.last_seen_day)),
        ("", user.spend_90d),
    ] {
        row.push(b',');
        row.extend_from_slice(prefix.as_bytes());
        push_digits(row, number, 1);
    }
    row.push(b',');
    for (i, tag) in user.tags.iter().enumerate() {
        row.extend_from_slice(if i == 0 { b"t" } else { b" t" });
        push_digits(row, u32::from(*tag), 1);
    }
    row.push(b'\n');
}

/// Appends the key of the user with this arrival number.
pub(crate) fn push_key(row: &mut Vec<u8>, arrival: u32) {
    row.push(b'u');
    push_digits(row, arrival, KEY_DIGITS);
}

/// Appends a number in decimal digits, with leading zeros up to this width.
pub(crate) fn push_digits(row: &mut Vec<u8>, number: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let (mut rest, mut at) = (number, digits.len());
    while rest > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    row.extend_from_slice(&digits[at..]);
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
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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
    fn a_row_is_what_the_formatter_would_write() {
        let user = User {
            gender: 2,
            age: 90,
            region: 0,
            industry: 19,
            source: 11,
            device: 199,
            signup_day: 0,
            last_seen_day: 3_649,
            spend_90d: u32::MAX,
            tags: vec![0, 10, 999],
        };
        let mut row = Vec::new();
        write_rows(123, &[user], &mut row).unwrap();
        assert_eq!(
            String::from_utf8(row).unwrap(),
            "u000000123,x,90,r0,i19,s11,d199,0,3649,4294967295,t0 t10 t999\n"
        );
    }

    #[test]
    fn keys_and_arrivals_are_each_others_inverse() {
        let check = |key: &str, arrival| assert_eq!(arrival_of(key), arrival, "{key}");
        check(&user_key(0), Some(0));
        check(&user_key(123_456_789), Some(123_456_789));
        check("u12", None);
        check("u00000000x", None);
        check("v000000001", None);
    }

    #[test]
    fn a_failing_visitor_ends_the_making() {
        let recipe = Recipe {
            users: 5_000,
            seed: 1,
        };
        let mut visits = 0;
        let end = recipe.for_each_chunk_of(1_000, |_, _| {
            visits += 1;
            Err("enough")
        });
        assert_eq!((visits, end), (1, Err("enough")));
    }

    #[test]
    fn the_portrayed_are_users() {
        let portrayed = Recipe {
            users: 100,
            seed: 1,
        }
        .portrayed();
        assert!(portrayed.len() > 16 && portrayed.iter().all(|&user| user < 100));
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
