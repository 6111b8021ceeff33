//! Who did some things one after the other within a time.
//!
//! Buckets come in the order of time. For every user and every step but the last, the latest
//! beginning of a chain that has come so far is kept: a later beginning is never worse.

use std::ops::Range as Rows;

use super::{
    bucket::Bucket,
    question::{Filter, Window},
    scan::selected,
    select::Selected,
    table::{EventTable, Times},
};
use crate::{
    bitmap::Block,
    ids::{BLOCK_USERS, SHARD_BLOCKS},
};

/// No chain has come so far.
const NONE: i64 = i64::MIN;

/// A sequence over the users of one shard, half answered.
pub struct SequenceScan<'a> {
    /// By step, which events count.
    filters: Vec<&'a Filter>,
    window: Window,
    within_us: i64,
    blocks: Vec<Option<Chains>>,
}

/// What is known of the users of one block.
struct Chains {
    /// By place and step but the last, the latest beginning of a chain.
    begun: Box<[i64]>,
    done: Block,
}

/// The events of one step in one block of a bucket.
struct Track<'a> {
    places: &'a [[u8; 2]],
    rows: Rows<usize>,
    times: Times<'a>,
    selected: Selected,
}

impl<'a> Track<'a> {
    fn new(
        table: &'a EventTable,
        block: u32,
        select: impl FnOnce(&Rows<usize>) -> Selected,
    ) -> Self {
        let rows = table.block_rows(block);
        let selected = match rows.is_empty() {
            true => Selected::Nothing,
            false => select(&rows),
        };
        Self {
            places: table.places().get(rows.clone()).unwrap_or_default(),
            rows,
            times: table.times(),
            selected,
        }
    }

    /// The place of the first user not before `from`, counted in rows of the block.
    fn place(&self, from: usize) -> Option<u16> {
        self.places
            .get(from)
            .map(|place| u16::from_le_bytes(*place))
    }

    /// The rows of the user at `from`.
    fn run(&self, from: usize, place: u16) -> Rows<usize> {
        let mut end = from;
        while self.place(end) == Some(place) {
            end += 1;
        }
        from..end
    }

    /// The next event of a run that counts: its time, and where to go on.
    fn next(&self, run: &Rows<usize>) -> Option<(i64, usize)> {
        run.clone()
            .find(|row| self.selected.has(*row))
            .map(|row| (self.times.at(self.rows.start + row), row + 1))
    }
}

impl<'a> SequenceScan<'a> {
    /// Nobody has come anywhere yet. At least two steps.
    pub fn new(filters: Vec<&'a Filter>, window: Window, within_us: i64) -> Self {
        Self {
            filters,
            window,
            within_us,
            blocks: (0..SHARD_BLOCKS).map(|_| None).collect(),
        }
    }

    /// Takes note of the events of a bucket: a table for each step. `candidates` are those who did
    /// all steps at some time: nobody else is looked at.
    pub fn add(&mut self, bucket: Bucket, tables: &[&EventTable], candidates: &[Option<Block>]) {
        let (filters, window) = (&self.filters, self.window);
        for (block, chains) in (0..SHARD_BLOCKS).zip(&mut self.blocks) {
            let Some(Some(candidates)) = candidates.get(block as usize) else {
                continue;
            };
            let tracks: Vec<Track<'_>> = tables
                .iter()
                .zip(filters)
                .map(|(table, filter)| {
                    Track::new(table, block, |rows| {
                        selected(table, rows, bucket, window, filter)
                    })
                })
                .collect();
            if tracks
                .iter()
                .all(|track| track.selected == Selected::Nothing)
            {
                continue;
            }
            let chains = chains.get_or_insert_with(|| Chains::new(filters.len()));
            chains.add(&tracks, candidates, self.within_us);
        }
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        let chains = self.blocks.iter().flatten();
        chains
            .map(|chains| chains.begun.len() * size_of::<i64>() + BLOCK_USERS as usize / 8)
            .sum()
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
    fn new(steps: usize) -> Self {
        let kept = BLOCK_USERS as usize * (steps - 1);
        Self {
            begun: vec![NONE; kept].into_boxed_slice(),
            done: Block::new(),
        }
    }

    /// Goes through the users of a block, each with the events of all steps.
    fn add(&mut self, tracks: &[Track<'_>], candidates: &Block, within_us: i64) {
        let mut at = vec![0_usize; tracks.len()];
        let mut runs = vec![0..0; tracks.len()];
        loop {
            let places = tracks
                .iter()
                .zip(&at)
                .filter_map(|(track, at)| track.place(*at));
            let Some(place) = places.min() else {
                return;
            };
            for ((track, at), run) in tracks.iter().zip(&mut at).zip(&mut runs) {
                *run = track.run(*at, place);
                *at = run.end;
            }
            if candidates.contains(place) && !self.done.contains(place) {
                let kept = tracks.len() - 1;
                let start = usize::from(place) * kept;
                if is_done(
                    &mut self.begun[start..start + kept],
                    tracks,
                    &mut runs,
                    within_us,
                ) {
                    self.done.insert(place);
                }
            }
        }
    }
}

/// Follows one user's events in the order of time. All at one moment happen at once: none of them
/// is later than another.
fn is_done(
    begun: &mut [i64],
    tracks: &[Track<'_>],
    runs: &mut [Rows<usize>],
    within_us: i64,
) -> bool {
    loop {
        let next = tracks
            .iter()
            .zip(runs.iter())
            .filter_map(|(track, run)| track.next(run));
        let Some(now) = next.map(|(time, _)| time).min() else {
            return false;
        };
        // From the last step back, so that no chain takes two steps at once.
        for (step, (track, run)) in tracks.iter().zip(runs.iter_mut()).enumerate().rev() {
            let is_now = pass(track, run, now);
            let beginning = match step.checked_sub(1) {
                None => now,
                Some(before) => begun[before],
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
}

/// Goes past the events of a moment; whether there were any.
fn pass(track: &Track<'_>, run: &mut Rows<usize>, now: i64) -> bool {
    let mut found = false;
    while let Some((time, next)) = track.next(run) {
        if time != now {
            break;
        }
        found = true;
        run.start = next;
    }
    found
}
