//! Who did some things one after the other within a time.
//!
//! Buckets come in the order of time. For every user who did all steps at some time, and every step
//! but the last, the latest beginning of a chain that has come so far is kept: a later beginning is
//! never worse.

use super::{
    bucket::Bucket,
    question::{Filter, Window},
    scan::selected,
    select::Selected,
    table::EventTable,
};
use crate::{bitmap::Block, ids::SHARD_BLOCKS};

/// No chain has come so far.
const NONE: i64 = i64::MIN;

/// A sequence over the users of one shard, half answered.
pub struct SequenceScan<'a> {
    /// By step, which events count.
    filters: Vec<&'a Filter>,
    window: Window,
    within_us: i64,
    blocks: Vec<Option<Chains>>,
    /// By step, the events of one block in one bucket.
    tracks: Vec<Track>,
}

/// What is known of the users of one block who did all steps at some time.
struct Chains {
    /// How many of them there are before each word of the block.
    ranks: Vec<u32>,
    /// By user and step but the last, the latest beginning of a chain.
    begun: Box<[i64]>,
    /// Who is looked at: those without a whole chain yet.
    open: Block,
    done: Block,
}

/// The events of one step that count, of users who are looked at: by user, then by time.
#[derive(Debug, Default)]
struct Track {
    places: Vec<u16>,
    times: Vec<i64>,
    /// Where the next user begins.
    at: usize,
    /// What is left of the present user's.
    run: std::ops::Range<usize>,
}

impl Track {
    fn clear(&mut self) {
        self.places.clear();
        self.times.clear();
        self.at = 0;
        self.run = 0..0;
    }

    /// Lists the rows of a block.
    fn list(&mut self, table: &EventTable, block: u32, selected: &Selected, users: &Block) {
        let rows = table.block_rows(block);
        let start = rows.start;
        let times = table.times();
        let places = table.places().get(rows).unwrap_or_default();
        let mut list = |row: usize, place: u16| {
            self.places.push(place);
            self.times.push(times.at(start + row));
        };
        let places = places.iter().map(|place| u16::from_le_bytes(*place));
        let of_users = places
            .enumerate()
            .filter(|(_, place)| users.contains(*place));
        match selected {
            Selected::Nothing => {}
            Selected::All => of_users.for_each(|(row, place)| list(row, place)),
            Selected::Some(_) => of_users
                .filter(|(row, _)| selected.has(*row))
                .for_each(|(row, place)| list(row, place)),
        }
    }

    /// The user whose events are next.
    fn place(&self) -> Option<u16> {
        self.places.get(self.at).copied()
    }

    /// Goes to the events of a user, who is the next or has none.
    fn go_to(&mut self, place: u16) {
        let from = self.at;
        while self.place() == Some(place) {
            self.at += 1;
        }
        self.run = from..self.at;
    }

    /// When the present user's next event was.
    fn next(&self) -> Option<i64> {
        match self.run.is_empty() {
            true => None,
            false => self.times.get(self.run.start).copied(),
        }
    }

    /// Goes past the events of a moment; whether there were any.
    fn pass(&mut self, now: i64) -> bool {
        let start = self.run.start;
        while self.next() == Some(now) {
            self.run.start += 1;
        }
        self.run.start > start
    }
}

impl<'a> SequenceScan<'a> {
    /// Nobody has come anywhere yet. At least two steps.
    pub fn new(filters: Vec<&'a Filter>, window: Window, within_us: i64) -> Self {
        Self {
            window,
            within_us,
            blocks: (0..SHARD_BLOCKS).map(|_| None).collect(),
            tracks: filters.iter().map(|_| Track::default()).collect(),
            filters,
        }
    }

    /// Takes note of the events of a bucket: a table for each step. `candidates` are those who did
    /// all steps at some time, the same in every call: nobody else is looked at.
    pub fn add(&mut self, bucket: Bucket, tables: &[&EventTable], candidates: &[Option<Block>]) {
        for (block, chains) in (0..SHARD_BLOCKS).zip(&mut self.blocks) {
            let Some(Some(candidates)) = candidates.get(block as usize) else {
                continue;
            };
            let steps = self.filters.len();
            let chains = chains.get_or_insert_with(|| Chains::new(candidates, steps));
            let steps = self.tracks.iter_mut().zip(tables).zip(&self.filters);
            for ((track, table), filter) in steps {
                track.clear();
                let rows = table.block_rows(block);
                if !rows.is_empty() {
                    let selected = selected(table, &rows, bucket, self.window, filter);
                    track.list(table, block, &selected, &chains.open);
                }
            }
            chains.add(&mut self.tracks, self.within_us);
        }
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        let chains = self.blocks.iter().flatten();
        let of_chains = chains.map(Chains::heap_bytes).sum::<usize>();
        let row = size_of::<u16>() + size_of::<i64>();
        let tracks = self.tracks.iter();
        of_chains
            + tracks
                .map(|track| track.times.capacity() * row)
                .sum::<usize>()
    }

    /// By block of the shard, the users found; `None` where there is nobody.
    pub fn finish(self) -> Vec<Option<Block>> {
        let blocks = self.blocks.into_iter();
        blocks
            .map(|chains| chains.map(|chains| chains.done))
            .map(|block| block.filter(|block| !block.is_empty()))
            .collect()
    }
}

impl Chains {
    fn new(candidates: &Block, steps: usize) -> Self {
        let mut before = 0;
        let ranks = candidates.words().iter().map(|word| {
            let rank = before;
            before += word.count_ones();
            rank
        });
        let ranks = ranks.collect();
        Self {
            ranks,
            begun: vec![NONE; before as usize * (steps - 1)].into_boxed_slice(),
            open: candidates.clone(),
            done: Block::new(),
        }
    }

    fn heap_bytes(&self) -> usize {
        let blocks = size_of_val(self.open.words()) + size_of_val(self.done.words());
        blocks + size_of_val(&*self.begun) + self.ranks.capacity() * size_of::<u32>()
    }

    /// How many candidates there are before one of them.
    fn rank(&self, place: u16) -> usize {
        let (word, bit) = (usize::from(place >> 6), place & 63);
        let users = |of: &Block| of.words().get(word).copied().unwrap_or(0);
        // Whoever is a candidate is open or done.
        let below = (users(&self.open) | users(&self.done)) & ((1 << bit) - 1);
        let before = self.ranks.get(word).copied().unwrap_or(0);
        (before + below.count_ones()) as usize
    }

    /// Goes through the users of a block, each with the events of all steps.
    fn add(&mut self, tracks: &mut [Track], within_us: i64) {
        let kept = tracks.len() - 1;
        while let Some(place) = tracks.iter().filter_map(Track::place).min() {
            tracks.iter_mut().for_each(|track| track.go_to(place));
            let start = self.rank(place) * kept;
            let begun = self.begun.get_mut(start..start + kept);
            if begun.is_some_and(|begun| is_done(begun, tracks, within_us)) {
                self.open.remove(place);
                self.done.insert(place);
            }
        }
    }
}

/// Follows one user's events in the order of time. All at one moment happen at once: none of them
/// is later than another.
fn is_done(begun: &mut [i64], tracks: &mut [Track], within_us: i64) -> bool {
    while let Some(now) = tracks.iter().filter_map(Track::next).min() {
        // From the last step back, so that no chain takes two steps at once.
        for (step, track) in tracks.iter_mut().enumerate().rev() {
            let is_now = track.pass(now);
            let beginning = match step.checked_sub(1) {
                None => now,
                Some(before) => begun.get(before).copied().unwrap_or(NONE),
            };
            let is_in_time = beginning != NONE && now.saturating_sub(beginning) <= within_us;
            if !is_now || !is_in_time {
                continue;
            }
            match begun.get_mut(step) {
                Some(latest) => *latest = beginning.max(*latest),
                None => return true,
            }
        }
    }
    false
}
