//! The loops under every query, over one shard, each beside the same work by the `roaring` crate
//! and beside a plain pass over the same bytes, which is the hardware's limit.
//!
//! `cargo bench -p tessera-engine --bench kernels`, a filter after it for some of them. The
//! column of throughput counts the operands' bytes in portable form.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark with wrong data has nothing to measure"
)]

use std::{hint::black_box, sync::Arc};

use divan::{Bencher, counter::BytesCount};
use roaring::{MultiOps, RoaringBitmap};
use tessera_engine::{
    bitmap::{
        Block, Fragment, NumberSlices, PACKING_SLACK, Sieve, SliceScratch, ThresholdCounter,
        pack_codes,
    },
    column::{Codes, ColumnBlock},
    ids::SliceRow,
};

/// Places in a shard and in a block, blocks in a shard.
const SHARD: u32 = 1 << 20;
const BLOCK: u32 = 1 << 16;
const BLOCKS: u32 = SHARD / BLOCK;

fn main() {
    divan::main();
}

/// The three forms a container can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// 2% of all places, at random.
    Array,
    /// 30% of all places, at random.
    Bitmap,
    /// Runs of about 600 places, half of all.
    Runs,
}

const FORMS: [Form; 3] = [Form::Array, Form::Bitmap, Form::Runs];

/// A row of a shard in both worlds.
struct Row {
    fragment: Fragment,
    roaring: RoaringBitmap,
}

impl Row {
    fn new(places: impl Iterator<Item = u32>) -> Self {
        let mut roaring: RoaringBitmap = places.collect();
        roaring.optimize();
        let fragment = Fragment::from_sorted(&roaring).unwrap();
        Self { fragment, roaring }
    }

    fn of(form: Form, seed: u64) -> Self {
        match form {
            Form::Array => Self::random(0.02, seed),
            Form::Bitmap => Self::random(0.3, seed),
            Form::Runs => Self::new((0..SHARD).filter(|place| {
                let piece = u64::from(place / 600);
                mix(piece ^ seed << 32) & 1 == 1
            })),
        }
    }

    /// Each place with this probability.
    fn random(density: f64, seed: u64) -> Self {
        let most = (density * 2_f64.powi(64)) as u64;
        Self::new((0..SHARD).filter(|place| mix(u64::from(*place) ^ seed << 32) < most))
    }

    fn bytes(&self) -> BytesCount {
        BytesCount::new(self.fragment.portable_len())
    }
}

/// SplitMix64's step (Steele, Lea, Flood 2014): places without a pattern, the same every time.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A row combined with a dense one, block by block; the dense one is copied into the block first,
/// as a plan does. The library makes a new bitmap, as it must.
mod combine {
    use super::*;

    fn blocks(bencher: Bencher, form: Form, step: impl Fn(&Fragment, u32, &mut Block)) {
        let (dense, row) = (Row::of(Form::Bitmap, 1), Row::of(form, 2));
        let mut block = Block::new();
        bencher.counter(row.bytes()).bench_local(|| {
            for index in 0..BLOCKS {
                dense.fragment.copy_into(index, &mut block);
                step(&row.fragment, index, &mut block);
                black_box(&block);
            }
        });
    }

    fn library<T>(
        bencher: Bencher,
        form: Form,
        step: impl Fn(&RoaringBitmap, &RoaringBitmap) -> T,
    ) {
        let (dense, row) = (Row::of(Form::Bitmap, 1), Row::of(form, 2));
        bencher
            .counter(row.bytes())
            .bench_local(|| step(&dense.roaring, &row.roaring));
    }

    #[divan::bench(args = FORMS)]
    fn and(bencher: Bencher, form: Form) {
        blocks(bencher, form, |row, index, block| {
            row.and_into(index, block);
        });
    }

    #[divan::bench(args = FORMS)]
    fn and_roaring(bencher: Bencher, form: Form) {
        library(bencher, form, |dense, row| dense & row);
    }

    #[divan::bench(args = FORMS)]
    fn or(bencher: Bencher, form: Form) {
        blocks(bencher, form, |row, index, block| row.or_into(index, block));
    }

    #[divan::bench(args = FORMS)]
    fn or_roaring(bencher: Bencher, form: Form) {
        library(bencher, form, |dense, row| dense | row);
    }

    #[divan::bench(args = FORMS)]
    fn and_not(bencher: Bencher, form: Form) {
        blocks(bencher, form, |row, index, block| {
            row.and_not_into(index, block);
        });
    }

    #[divan::bench(args = FORMS)]
    fn and_not_roaring(bencher: Bencher, form: Form) {
        library(bencher, form, |dense, row| dense - row);
    }

    #[divan::bench(args = FORMS)]
    fn count_and(bencher: Bencher, form: Form) {
        blocks(bencher, form, |row, index, block| {
            black_box(row.count_and(index, block));
        });
    }

    #[divan::bench(args = FORMS)]
    fn count_and_roaring(bencher: Bencher, form: Form) {
        library(bencher, form, RoaringBitmap::intersection_len);
    }

    /// Users who lie together: half of those in every eighth run of 125 places.
    fn together() -> Block {
        let mut block = Block::new();
        let is_in = |place: &u16| {
            let run = u64::from(*place / 125);
            mix(run ^ 5 << 32) & 7 == 0 && mix(u64::from(*place) ^ 6 << 32) & 1 == 1
        };
        (0..=u16::MAX)
            .filter(is_in)
            .for_each(|place| block.insert(place));
        block
    }

    /// A row within users who lie together, as the tags of a segment are counted.
    #[divan::bench(args = FORMS)]
    fn count_and_together(bencher: Bencher, form: Form) {
        let (row, block) = (Row::of(form, 2), together());
        bencher.counter(row.bytes()).bench_local(|| {
            (0..BLOCKS)
                .map(|index| row.fragment.count_and(index, &block))
                .sum::<u32>()
        });
    }

    /// The same, asking first whether a word has anybody.
    #[divan::bench(args = FORMS)]
    fn count_and_together_sifted(bencher: Bencher, form: Form) {
        let (row, block) = (Row::of(form, 2), together());
        bencher.counter(row.bytes()).bench_local(|| {
            let sieve = Sieve::of(&block);
            (0..BLOCKS)
                .map(|index| row.fragment.count_and_sifted(index, &block, sieve.as_ref()))
                .sum::<u32>()
        });
    }

    /// What the bytes alone take: copied, as a block is filled.
    #[divan::bench(args = FORMS)]
    fn bound_copy(bencher: Bencher, form: Form) {
        let row = Row::of(form, 2);
        let mut to = row.fragment.containers().to_vec();
        bencher.counter(row.bytes()).bench_local(|| {
            to.copy_from_slice(black_box(row.fragment.containers()));
            black_box(&to);
        });
    }

    /// What the bytes alone take: read once.
    #[divan::bench(args = FORMS)]
    fn bound_sum(bencher: Bencher, form: Form) {
        let row = Row::of(form, 2);
        bencher
            .counter(row.bytes())
            .bench_local(|| sum(black_box(row.fragment.containers())));
    }
}

/// A row on its way from the store, and to it. What is counted are its bytes in memory.
mod storing {
    use super::*;

    #[divan::bench(args = FORMS)]
    fn read(bencher: Bencher, form: Form) {
        let row = Row::of(form, 1);
        let mut stored = Vec::new();
        row.fragment.write_stored(&mut stored);
        bencher
            .counter(row.bytes())
            .bench_local(|| Fragment::from_stored(black_box(&stored)));
    }

    /// As older versions stored it.
    #[divan::bench(args = FORMS)]
    fn read_portable(bencher: Bencher, form: Form) {
        let row = Row::of(form, 1);
        let stored = row.fragment.portable();
        bencher
            .counter(row.bytes())
            .bench_local(|| Fragment::from_stored(black_box(&stored)));
    }

    #[divan::bench(args = FORMS)]
    fn write(bencher: Bencher, form: Form) {
        let row = Row::of(form, 1);
        bencher.counter(row.bytes()).bench_local(|| {
            let mut stored = Vec::new();
            row.fragment.write_stored(&mut stored);
            stored
        });
    }
}

/// Adds up the words of some bytes.
fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks();
    words.iter().fold(0, |sum, word| {
        u64::wrapping_add(sum, u64::from_le_bytes(*word))
    })
}

/// Several rows at once.
mod many {
    use super::*;

    fn sparse() -> Vec<Row> {
        (0..50).map(|seed| Row::random(0.01, seed)).collect()
    }

    fn dense() -> Vec<Row> {
        (0..5).map(|seed| Row::random(0.3, seed)).collect()
    }

    fn bytes(rows: &[Row]) -> BytesCount {
        BytesCount::new(
            rows.iter()
                .map(|row| row.fragment.portable_len())
                .sum::<usize>(),
        )
    }

    #[divan::bench]
    fn union_of_50_sparse(bencher: Bencher) {
        let rows = sparse();
        let mut block = Block::new();
        bencher.counter(bytes(&rows)).bench_local(|| {
            let mut users = 0;
            for index in 0..BLOCKS {
                block.clear();
                for row in &rows {
                    row.fragment.or_into(index, &mut block);
                }
                users += block.count();
            }
            users
        });
    }

    #[divan::bench]
    fn union_of_50_sparse_roaring(bencher: Bencher) {
        let rows = sparse();
        bencher
            .counter(bytes(&rows))
            .bench_local(|| rows.iter().map(|row| &row.roaring).union().len());
    }

    #[divan::bench]
    fn union_of_50_sparse_bound_sum(bencher: Bencher) {
        bound(bencher, &sparse());
    }

    #[divan::bench]
    fn at_least_3_of_5(bencher: Bencher) {
        let rows = dense();
        let (mut block, mut found) = (Block::new(), Block::new());
        let mut counter = ThresholdCounter::new(3);
        bencher.counter(bytes(&rows)).bench_local(|| {
            let mut users = 0;
            for index in 0..BLOCKS {
                for row in &rows {
                    row.fragment.copy_into(index, &mut block);
                    counter.add(&block);
                }
                counter.finish(&mut found);
                users += found.count();
            }
            users
        });
    }

    #[divan::bench]
    fn at_least_3_of_5_roaring(bencher: Bencher) {
        let rows = dense();
        bencher.counter(bytes(&rows)).bench_local(|| {
            let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|row: usize| &rows[row].roaring);
            let (both, either, pair, any) = (a & b, a | b, c & d, c | d);
            let three = &pair & e;
            let two = (pair | (&any & e)) & either;
            let one = (any | e) & both;
            (three | two | one).len()
        });
    }

    #[divan::bench]
    fn at_least_3_of_5_bound_sum(bencher: Bencher) {
        bound(bencher, &dense());
    }

    fn bound(bencher: Bencher, rows: &[Row]) {
        bencher.counter(bytes(rows)).bench_local(|| {
            rows.iter()
                .map(|row| sum(black_box(row.fragment.containers())))
                .fold(0, u64::wrapping_add)
        });
    }
}

/// Numbers, by bit slices and by columns, within a segment.
mod numbers {
    use super::*;

    /// An age: 13 to 90.
    fn age(place: u32) -> i64 {
        13 + (mix(u64::from(place)) % 78) as i64
    }

    /// Money: 20 bits.
    fn spend(place: u32) -> i64 {
        (mix(u64::from(place)) & 0xf_ffff) as i64
    }

    fn slices(number: fn(u32) -> i64) -> NumberSlices {
        NumberSlices::load(|row| {
            let places = (0..SHARD).filter(|place| match row {
                SliceRow::Present => true,
                SliceRow::Sign => false,
                SliceRow::Bit(bit) => number(*place) >> bit & 1 == 1,
            });
            Fragment::from_sorted(places).map(Arc::new)
        })
        .unwrap()
    }

    fn columns(number: fn(u32) -> i64) -> Vec<ColumnBlock> {
        let column = |block: u32| {
            let places = (0..BLOCK).map(|place| (place as u16, number(block * BLOCK + place)));
            ColumnBlock::from_entries(places)
        };
        (0..BLOCKS).map(column).collect()
    }

    /// The bit rows as the library would hold them.
    fn bits(number: fn(u32) -> i64, bits: u32) -> Vec<RoaringBitmap> {
        let row = |bit: u32| {
            (0..SHARD)
                .filter(|place| number(*place) >> bit & 1 == 1)
                .collect()
        };
        (0..bits).map(row).collect()
    }

    const RANGE_BYTES: usize = 7 * SHARD as usize / 8;

    #[divan::bench]
    fn range_of_7_slices(bencher: Bencher) {
        let ages = slices(age);
        let (mut scratch, mut block) = (SliceScratch::new(), Block::new());
        bencher
            .counter(BytesCount::new(RANGE_BYTES))
            .bench_local(|| {
                let mut users = 0;
                for index in 0..BLOCKS {
                    ages.range_into(Some(25), Some(34), index, &mut scratch, &mut block);
                    users += block.count();
                }
                users
            });
    }

    /// O'Neil and Quass's comparison (1997) on whole bitmaps, once for either bound.
    #[divan::bench]
    fn range_of_7_slices_roaring(bencher: Bencher) {
        let rows = bits(age, 7);
        let all: RoaringBitmap = (0..SHARD).collect();
        bencher
            .counter(BytesCount::new(RANGE_BYTES))
            .bench_local(|| (below(&rows, &all, 35) - below(&rows, &all, 25)).len());
    }

    fn below(rows: &[RoaringBitmap], all: &RoaringBitmap, bound: u32) -> RoaringBitmap {
        let (mut equal, mut less) = (all.clone(), RoaringBitmap::new());
        for (bit, row) in rows.iter().enumerate().rev() {
            if bound >> bit & 1 == 1 {
                less |= &equal - row;
                equal &= row;
            } else {
                equal -= row;
            }
        }
        less
    }

    #[divan::bench]
    fn range_of_7_slices_bound_sum(bencher: Bencher) {
        let bytes = vec![1; RANGE_BYTES];
        bencher
            .counter(BytesCount::new(RANGE_BYTES))
            .bench_local(|| sum(black_box(&bytes)));
    }

    /// Parts of all users, in percent.
    const SEGMENTS: [u32; 3] = [2, 30, 100];

    fn segment(percent: u32) -> Row {
        Row::random(f64::from(percent) / 100.0, 9)
    }

    /// The codes of a segment one after the other, which dims and sums begin with.
    #[divan::bench(args = SEGMENTS)]
    fn pack_column(bencher: Bencher, percent: u32) {
        let (users, column) = (segment(percent), columns(age));
        let mut block = Block::new();
        let mut out = vec![[0]; BLOCK as usize + PACKING_SLACK];
        bencher.counter(BytesCount::new(SHARD)).bench_local(|| {
            let mut packed = 0;
            for (index, column) in (0..BLOCKS).zip(&column) {
                users.fragment.copy_into(index, &mut block);
                if let Codes::One(codes) = column.stored() {
                    packed += pack_codes(block.words(), codes, &mut out);
                }
                black_box(&out);
            }
            packed
        });
    }

    #[divan::bench(args = SEGMENTS)]
    fn histogram_by_column(bencher: Bencher, percent: u32) {
        let (users, column) = (segment(percent), columns(age));
        let mut block = Block::new();
        bencher.counter(BytesCount::new(SHARD)).bench_local(|| {
            let mut counts = [0_u32; 128];
            for (index, column) in (0..BLOCKS).zip(&column) {
                users.fragment.copy_into(index, &mut block);
                column.for_each(&block, |_, age| {
                    if let Some(age) = age {
                        counts[age as usize & 127] += 1;
                    }
                });
            }
            counts
        });
    }

    /// The library has no columns: each value's row is intersected with the segment.
    #[divan::bench(args = SEGMENTS)]
    fn histogram_by_roaring(bencher: Bencher, percent: u32) {
        let users = segment(percent);
        let values: Vec<RoaringBitmap> = (13..=90)
            .map(|value| (0..SHARD).filter(|place| age(*place) == value).collect())
            .collect();
        bencher.counter(BytesCount::new(SHARD)).bench_local(|| {
            let counts = values
                .iter()
                .map(|value| value.intersection_len(&users.roaring));
            counts.collect::<Vec<u64>>()
        });
    }

    #[divan::bench]
    fn histogram_bound_sum(bencher: Bencher) {
        let bytes = vec![1; SHARD as usize];
        bencher
            .counter(BytesCount::new(SHARD))
            .bench_local(|| sum(black_box(&bytes)));
    }

    #[divan::bench(args = SEGMENTS)]
    fn sum_by_slices(bencher: Bencher, percent: u32) {
        let (users, spend) = (segment(percent), slices(spend));
        let (mut scratch, mut block) = (SliceScratch::new(), Block::new());
        bencher.bench_local(|| {
            let mut total = 0;
            for index in 0..BLOCKS {
                users.fragment.copy_into(index, &mut block);
                total += spend.sum(index, &block, &mut scratch).sum;
            }
            total
        });
    }

    #[divan::bench(args = SEGMENTS)]
    fn sum_by_column(bencher: Bencher, percent: u32) {
        let (users, column) = (segment(percent), columns(spend));
        let mut block = Block::new();
        bencher.bench_local(|| {
            let mut total = 0;
            for (index, column) in (0..BLOCKS).zip(&column) {
                users.fragment.copy_into(index, &mut block);
                column.for_each(&block, |_, spend| total += spend.unwrap_or(0));
            }
            total
        });
    }

    #[divan::bench(args = SEGMENTS)]
    fn sum_by_roaring_slices(bencher: Bencher, percent: u32) {
        let (users, rows) = (segment(percent), bits(spend, 20));
        bencher.bench_local(|| {
            let counts = rows.iter().map(|row| row.intersection_len(&users.roaring));
            counts.enumerate().map(|(bit, n)| n << bit).sum::<u64>()
        });
    }
}
