//! The hardware's limit: how fast this machine reads memory, and how many bytes a count has to
//! read at the least.
//!
//! Knows bitmaps of the questions' operands and nothing of how an engine reads them.

use std::{
    collections::BTreeMap,
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use roaring::RoaringBitmap;

use crate::generate::User;

/// Bits of an age.
const AGE_SLICES: u8 = 7;
/// Memory that one thread streams through: far more than any cache.
const STREAMED_WORDS: usize = 64 << 20;
/// How often; the best pass counts.
const PASSES: usize = 5;

/// The bitmaps that the counts Q1 to Q5 must read, in portable roaring form.
#[derive(Debug, Default)]
pub struct Operands {
    rows: BTreeMap<Row, RoaringBitmap>,
}

/// A row of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Tag(u16),
    GenderF,
    RegionR3,
    AgeSlice(u8),
}

impl Operands {
    /// Takes note of one user. Users come in the order of arrival.
    pub fn see(&mut self, arrival: u32, user: &User) {
        let counted = |tag: &&u16| **tag <= 4 || **tag == 7 || (100..150).contains(*tag);
        for tag in user.tags.iter().filter(counted) {
            self.note(Row::Tag(*tag), arrival);
        }
        if user.gender == 0 {
            self.note(Row::GenderF, arrival);
        }
        if user.region == 3 {
            self.note(Row::RegionR3, arrival);
        }
        for slice in (0..AGE_SLICES).filter(|slice| user.age >> slice & 1 == 1) {
            self.note(Row::AgeSlice(slice), arrival);
        }
    }

    fn note(&mut self, row: Row, arrival: u32) {
        self.rows.entry(row).or_default().insert(arrival);
    }

    /// Bytes of the operands of each count.
    pub fn bytes(mut self) -> BTreeMap<String, u64> {
        for bitmap in self.rows.values_mut() {
            bitmap.optimize();
        }
        let ages = (0..AGE_SLICES).map(Row::AgeSlice);
        let q4 = ages.chain([Row::RegionR3, Row::Tag(1)]);
        [
            (
                "Q1",
                self.sum([Row::Tag(7), Row::Tag(1), Row::GenderF].into_iter()),
            ),
            ("Q2", self.sum([Row::Tag(0), Row::Tag(2)].into_iter())),
            ("Q3", self.sum((100..150).map(Row::Tag))),
            ("Q4", self.sum(q4)),
            ("Q5", self.sum((0..5).map(Row::Tag))),
        ]
        .into_iter()
        .map(|(id, bytes)| (id.to_owned(), bytes))
        .collect()
    }

    fn sum(&self, rows: impl Iterator<Item = Row>) -> u64 {
        rows.filter_map(|row| self.rows.get(&row))
            .map(|bitmap| bitmap.serialized_size() as u64)
            .sum()
    }
}

/// The machine's streaming read bandwidth with so many threads together, in bytes a second: the
/// best of several passes, each thread over memory of its own.
pub fn read_bandwidth(threads: usize) -> f64 {
    let memory: Vec<Vec<u64>> = (0..threads).map(|_| vec![1; STREAMED_WORDS]).collect();
    let best = (0..PASSES)
        .map(|_| time_one_pass(&memory))
        .min()
        .unwrap_or(Duration::MAX);
    (threads * STREAMED_WORDS * size_of::<u64>()) as f64 / best.as_secs_f64()
}

fn time_one_pass(memory: &[Vec<u64>]) -> Duration {
    let start = Instant::now();
    match memory {
        [only] => read(only),
        several => thread::scope(|scope| {
            for words in several {
                scope.spawn(|| read(words));
            }
        }),
    }
    start.elapsed()
}

fn read(words: &[u64]) {
    // Four streams, as a fused count of four rows would have.
    let quarter = words.len() / 4;
    let (a, rest) = words.split_at(quarter);
    let (b, rest) = rest.split_at(quarter);
    let (c, d) = rest.split_at(quarter);
    let mut sum = 0_u64;
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        sum = sum.wrapping_add(a ^ b).wrapping_add(c ^ d);
    }
    black_box(sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Recipe;

    #[test]
    fn a_counts_operands_are_as_large_as_its_rows() {
        let recipe = Recipe {
            users: 70_000,
            seed: 1,
        };
        let mut operands = Operands::default();
        let seen: Result<(), std::convert::Infallible> = recipe.for_each_chunk(|first, users| {
            for (user, arrival) in users.iter().zip(first..) {
                operands.see(arrival, user);
            }
            Ok(())
        });
        assert!(seen.is_ok());
        let bytes = operands.bytes();
        // Two dense rows of two containers: the first is a bitmap of 8 KiB.
        assert!((16_384..36_000).contains(&bytes["Q2"]), "{bytes:?}");
        assert!(bytes["Q5"] > bytes["Q2"] && bytes["Q4"] > 50_000);
    }
}
