//! The hardware's limit: how fast this machine reads memory, and how many bytes a count has to
//! read at the least.
//!
//! Knows bitmaps of the questions' operands and nothing of how an engine reads them.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use roaring::RoaringBitmap;

use crate::generate::User;

/// Bits of an age.
const AGE_SLICES: u8 = 7;

/// The bitmaps that the counts Q1 to Q5 must read, in portable roaring form.
#[derive(Debug, Default)]
pub struct Operands {
    rows: BTreeMap<String, RoaringBitmap>,
}

impl Operands {
    /// Takes note of one user. Users come in the order of arrival.
    pub fn see(&mut self, arrival: u32, user: &User) {
        let counted = |tag: &&u16| **tag <= 4 || **tag == 7 || (100..150).contains(*tag);
        for tag in user.tags.iter().filter(counted) {
            self.note(format!("t{tag}"), arrival);
        }
        if user.gender == 0 {
            self.note("gender f".into(), arrival);
        }
        if user.region == 3 {
            self.note("region r3".into(), arrival);
        }
        for slice in (0..AGE_SLICES).filter(|slice| user.age >> slice & 1 == 1) {
            self.note(format!("age {slice}"), arrival);
        }
    }

    fn note(&mut self, row: String, arrival: u32) {
        self.rows.entry(row).or_default().insert(arrival);
    }

    /// Bytes of the operands of each count.
    pub fn bytes(mut self) -> BTreeMap<&'static str, u64> {
        for bitmap in self.rows.values_mut() {
            bitmap.optimize();
        }
        let tags = |tags: &mut dyn Iterator<Item = u16>| {
            tags.map(|tag| format!("t{tag}")).collect::<Vec<_>>()
        };
        let mut q1 = tags(&mut [7, 1].into_iter());
        q1.push("gender f".into());
        let mut q4: Vec<String> = (0..AGE_SLICES)
            .map(|slice| format!("age {slice}"))
            .collect();
        q4.extend(["region r3".into(), "t1".into()]);
        BTreeMap::from([
            ("Q1", self.sum(&q1)),
            ("Q2", self.sum(&tags(&mut [0, 2].into_iter()))),
            ("Q3", self.sum(&tags(&mut (100..150)))),
            ("Q4", self.sum(&q4)),
            ("Q5", self.sum(&tags(&mut (0..5)))),
        ])
    }

    fn sum(&self, rows: &[String]) -> u64 {
        rows.iter()
            .filter_map(|row| self.rows.get(row))
            .map(|bitmap| bitmap.serialized_size() as u64)
            .sum()
    }
}

/// The machine's streaming read bandwidth with one thread, in bytes a second: the best of
/// several passes over memory far larger than any cache.
pub fn read_bandwidth() -> f64 {
    let words = vec![1_u64; 64 << 20];
    let best = (0..5)
        .map(|_| time_one_pass(&words))
        .min()
        .unwrap_or(Duration::MAX);
    (words.len() * size_of::<u64>()) as f64 / best.as_secs_f64()
}

fn time_one_pass(words: &[u64]) -> Duration {
    let start = Instant::now();
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
    start.elapsed()
}
