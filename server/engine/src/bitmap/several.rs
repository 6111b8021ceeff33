//! Several rows at once, a block at a time: everybody in all of them, in some, in so many.
//!
//! Knows how containers of different kinds are best put together: bitmaps are read side by side
//! in one pass, arrays are scattered, a short array is looked up in the others instead of being
//! unpacked, and what is empty or full is not read at all. Does not know what the rows mean.

use std::sync::Arc;

use super::{
    block::Block,
    containers::{Container, Side},
    fragment::Fragment,
    kernels::{Bits, Kernels, NOBODY, Term, fetch_ahead},
    threshold::ThresholdCounter,
};
use crate::ids::BLOCK_USERS;

/// An array this long or shorter is looked up value by value in the other rows; a longer one is
/// made a block. Measured: about where both cost the same with two other rows.
const LISTED_VALUES_MAX: usize = 512;
/// So many rows ahead the bytes of a short container are asked for: one does not last as long as
/// memory takes to answer.
const FETCHED_AHEAD: usize = 2;
/// Terms that are gathered before they are worked on.
const TERMS: usize = 16;
/// Sets that a threshold counts in one pass.
const COUNTED_SETS: usize = 64;

/// Rows, of which all of the first and none of the second kind must hold.
#[derive(Debug, Clone, Copy)]
pub struct Demands<'a> {
    /// Who must be in the row.
    pub keep: &'a [Arc<Fragment>],
    /// Who must not.
    pub drop: &'a [Arc<Fragment>],
}

/// Where an intersection left the places it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In the list.
    Listed,
    /// In the block: so many.
    Filled(u32),
}

/// Room for intermediate results, made once and used for block after block.
#[derive(Debug, Default)]
pub struct Room {
    /// Places of a block in rising order, where there are few.
    pub list: Vec<u16>,
    block: Block,
    unpacked: Vec<Block>,
}

/// Bitmaps that are waiting to be worked on together.
struct Terms<'a> {
    terms: [Term<'a>; TERMS],
    length: usize,
}

impl<'a> Terms<'a> {
    fn new() -> Self {
        Self {
            terms: [Term::inside(&NOBODY); TERMS],
            length: 0,
        }
    }

    fn push(&mut self, term: Term<'a>) {
        if let Some(place) = self.terms.get_mut(self.length) {
            *place = term;
            self.length += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.length == TERMS
    }

    fn as_slice(&self) -> &[Term<'a>] {
        self.terms.get(..self.length).unwrap_or_default()
    }

    fn take(&mut self) -> &[Term<'a>] {
        let length = std::mem::take(&mut self.length);
        self.terms.get(..length).unwrap_or_default()
    }
}

/// What is to be seen from the kinds of containers alone.
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack while one block is looked at; a box would be an allocation"
)]
enum Sight<'a> {
    /// Nobody is in all.
    Nobody,
    /// The row with the shortest array, short enough to go through its values.
    Short(&'a [[u8; 2]], usize),
    /// Only bitmaps, and not too many.
    Bitmaps(Terms<'a>),
    /// Anything else.
    Mixed,
}

impl<'a> Demands<'a> {
    /// How many places of a block can be found at most; cheap.
    pub fn at_most(&self, block_index: u32) -> u32 {
        let kept = self
            .keep
            .iter()
            .map(|row| row.block_cardinality(block_index));
        let least = kept.min().unwrap_or(BLOCK_USERS);
        let mut dropped = self
            .drop
            .iter()
            .map(|row| row.block_cardinality(block_index));
        if dropped.any(|dropped| dropped == BLOCK_USERS) {
            return 0;
        }
        least
    }

    /// How many places of a block hold; nothing is made of them where that can be helped.
    pub fn count(&self, block_index: u32, out: &mut Block, room: &mut Room) -> u32 {
        match self.look(block_index, LISTED_VALUES_MAX) {
            Sight::Nobody => 0,
            Sight::Bitmaps(terms) => Kernels::best().count_all(terms.as_slice()),
            Sight::Short(values, index) => self
                .count_two(values, index, block_index)
                .unwrap_or_else(|| {
                    self.list(values, index, block_index, room);
                    room.list.len() as u32
                }),
            Sight::Mixed => self.fill(block_index, out),
        }
    }

    /// Finds the places of a block that hold, in the list of the room or in `out`.
    pub fn find(&self, block_index: u32, out: &mut Block, room: &mut Room) -> Found {
        self.find_by(
            self.look(block_index, LISTED_VALUES_MAX),
            block_index,
            out,
            room,
        )
    }

    /// The same for who goes on place by place: what is in an array of any length is listed.
    pub fn list_or_find(&self, block_index: u32, out: &mut Block, room: &mut Room) -> Found {
        self.find_by(self.look(block_index, usize::MAX), block_index, out, room)
    }

    fn find_by(
        &self,
        sight: Sight<'_>,
        block_index: u32,
        out: &mut Block,
        room: &mut Room,
    ) -> Found {
        match sight {
            Sight::Nobody => {
                room.list.clear();
                Found::Listed
            }
            Sight::Short(values, index) => {
                self.list(values, index, block_index, room);
                Found::Listed
            }
            Sight::Bitmaps(terms) => {
                Found::Filled(Kernels::best().copy_all(terms.as_slice(), out.words_mut()))
            }
            Sight::Mixed => Found::Filled(self.fill(block_index, out)),
        }
    }

    fn sides(&self) -> impl Iterator<Item = (&'a Arc<Fragment>, Side)> {
        let kept = self.keep.iter().map(|row| (row, Side::Inside));
        kept.chain(self.drop.iter().map(|row| (row, Side::Outside)))
    }

    /// An array of so many values or fewer is short.
    fn look(&self, block_index: u32, short_max: usize) -> Sight<'a> {
        let mut terms = Terms::new();
        let mut short: Option<(&'a [[u8; 2]], usize)> = None;
        let mut is_mixed = false;
        for (index, (row, side)) in self.sides().enumerate() {
            match (row.container(block_index), side) {
                (Container::Empty, Side::Inside) | (Container::Full, Side::Outside) => {
                    return Sight::Nobody;
                }
                (Container::Full, Side::Inside) | (Container::Empty, Side::Outside) => {}
                (Container::Bitmap(_), _) if terms.is_full() => is_mixed = true,
                (Container::Bitmap(bits), _) => terms.push(side.term(bits)),
                (Container::Array(values), Side::Inside)
                    if values.len() <= short_max
                        && short.is_none_or(|(least, _)| values.len() < least.len()) =>
                {
                    short = Some((values, index));
                }
                (Container::Array(_) | Container::Runs(_), _) => is_mixed = true,
            }
        }
        match short {
            Some((values, index)) => Sight::Short(values, index),
            None if is_mixed => Sight::Mixed,
            None => Sight::Bitmaps(terms),
        }
    }

    /// The count where the values have to be looked up in at most one bitmap.
    fn count_two(&self, values: &[[u8; 2]], of: usize, block_index: u32) -> Option<u32> {
        let mut looked_up = None;
        for (_, (row, side)) in self.sides().enumerate().filter(|(index, _)| *index != of) {
            match (row.container(block_index), side) {
                (Container::Full, Side::Inside) | (Container::Empty, Side::Outside) => {}
                (Container::Bitmap(bits), _) if looked_up.is_none() => {
                    let inside = Kernels::best().count_values(values, bits);
                    looked_up = Some(match side {
                        Side::Inside => inside,
                        Side::Outside => values.len() as u32 - inside,
                    });
                }
                (
                    Container::Empty
                    | Container::Full
                    | Container::Array(_)
                    | Container::Bitmap(_)
                    | Container::Runs(_),
                    _,
                ) => return None,
            }
        }
        Some(looked_up.unwrap_or(values.len() as u32))
    }

    /// The list becomes those of the values of one row that all other rows leave.
    fn list(&self, values: &[[u8; 2]], of: usize, block_index: u32, room: &mut Room) {
        let Room { list, block, .. } = room;
        list.clear();
        list.extend(values.iter().map(|value| u16::from_le_bytes(*value)));
        for (_, (row, side)) in self.sides().enumerate().filter(|(index, _)| *index != of) {
            if list.is_empty() {
                return;
            }
            row.container(block_index).retain(list, side, block);
        }
    }

    /// Bitmaps side by side first, then the others one by one; stops when nobody is left.
    fn fill(&self, block_index: u32, out: &mut Block) -> u32 {
        let started_with = self.start_with_array(block_index, out);
        let mut is_started = started_with.is_some();
        let mut terms = Terms::new();
        for (row, side) in self.sides() {
            if let Container::Bitmap(bits) = row.container(block_index) {
                terms.push(side.term(bits));
            }
            if terms.is_full() {
                combine(terms.take(), is_started, out);
                is_started = true;
            }
        }
        if terms.length > 0 || !is_started {
            combine(terms.take(), is_started, out);
        }
        let others = self.sides().enumerate();
        for (_, (row, side)) in others.filter(|(index, _)| Some(*index) != started_with) {
            match (row.container(block_index), side) {
                (Container::Bitmap(_), _) => {}
                (container, Side::Inside) => container.and_into(out),
                (container, Side::Outside) => container.and_not_into(out),
            }
        }
        out.count()
    }

    /// `out` becomes the array of the row to keep that has the shortest, if one has; which.
    fn start_with_array(&self, block_index: u32, out: &mut Block) -> Option<usize> {
        let arrays = self.keep.iter().enumerate();
        let (index, values) = arrays
            .filter_map(|(index, row)| match row.container(block_index) {
                Container::Array(values) => Some((index, values)),
                Container::Empty | Container::Full | Container::Bitmap(_) | Container::Runs(_) => {
                    None
                }
            })
            .min_by_key(|(_, values)| values.len())?;
        Container::Array(values).copy_into(out);
        Some(index)
    }
}

fn combine(terms: &[Term<'_>], is_started: bool, out: &mut Block) {
    if is_started {
        Kernels::best().keep_all(terms, out.words_mut());
    } else {
        Kernels::best().copy_all(terms, out.words_mut());
    }
}

/// The list keeps the places that are in a block.
pub fn retain_in(list: &mut Vec<u16>, block: &Block) {
    let kept = Kernels::best().retain_values(list, Term::inside(block.bits()));
    list.truncate(kept);
}

/// The list keeps the places that are not in a block.
pub fn retain_outside(list: &mut Vec<u16>, block: &Block) {
    let kept = Kernels::best().retain_values(list, Term::outside(block.bits()));
    list.truncate(kept);
}

/// The list becomes the places of a block that has `count` of them.
pub fn list_places(block: &Block, count: u32, list: &mut Vec<u16>) {
    list.clear();
    list.resize(count as usize, 0);
    let written = Kernels::best().values_of(block.bits(), list);
    list.truncate(written);
}

/// `out` becomes the places of a list.
pub fn fill_from(list: &[u16], out: &mut Block) {
    out.clear();
    for place in list {
        out.insert(*place);
    }
}

/// `out` becomes the places of a block in which one of the rows is.
pub fn unite(rows: &[Arc<Fragment>], block_index: u32, out: &mut Block) {
    let mut is_started = false;
    let mut terms = Terms::new();
    for row in rows {
        match row.container(block_index) {
            Container::Full => return out.fill(),
            Container::Bitmap(bits) => terms.push(Term::inside(bits)),
            Container::Empty | Container::Array(_) | Container::Runs(_) => {}
        }
        if terms.is_full() {
            add_terms(terms.take(), is_started, out);
            is_started = true;
        }
    }
    if terms.length > 0 || !is_started {
        add_terms(terms.take(), is_started, out);
    }
    for (index, row) in rows.iter().enumerate() {
        match row.container(block_index) {
            container @ (Container::Array(_) | Container::Runs(_)) => {
                let next = rows.get(index + FETCHED_AHEAD);
                if let Some(Container::Array(values)) = next.map(|row| row.container(block_index)) {
                    fetch_ahead(values.as_flattened());
                }
                container.or_into(out);
            }
            Container::Empty | Container::Full | Container::Bitmap(_) => {}
        }
    }
}

fn add_terms(terms: &[Term<'_>], is_started: bool, out: &mut Block) {
    if is_started {
        Kernels::best().add_any(terms, out.words_mut());
    } else {
        Kernels::best().copy_any(terms, out.words_mut());
    }
}

/// How many places of a block are in one of the rows at least.
pub fn count_union(rows: &[Arc<Fragment>], block_index: u32, out: &mut Block) -> u32 {
    let mut terms = Terms::new();
    let mut others = 0_u32;
    let mut last = 0;
    for row in rows {
        match row.container(block_index) {
            Container::Empty => continue,
            Container::Full => return BLOCK_USERS,
            Container::Bitmap(bits) if !terms.is_full() => terms.push(Term::inside(bits)),
            Container::Bitmap(_) | Container::Array(_) | Container::Runs(_) => others += 1,
        }
        last = row.block_cardinality(block_index);
    }
    match (terms.length, others) {
        (0, 0) => 0,
        (1, 0) | (0, 1) => last,
        (_, 0) => Kernels::best().count_any(terms.as_slice()),
        (_, _) => {
            unite(rows, block_index, out);
            out.count()
        }
    }
}

/// Sets of which so many must hold, as far as they are neither empty nor full.
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack while one block is looked at; a box would be an allocation"
)]
enum Votes<'a> {
    /// What is empty and full already decides.
    Everybody,
    /// Likewise.
    Nobody,
    /// So many of these.
    Open(u32, [&'a Bits; COUNTED_SETS], usize),
    /// More than are counted in one pass.
    Many(u32),
}

/// How many places of a block are in at least `threshold` (1 or more) of the rows and blocks.
pub fn count_at_least(
    threshold: u32,
    rows: &[Arc<Fragment>],
    blocks: &[Block],
    block_index: u32,
    out: &mut Block,
    room: &mut Room,
) -> u32 {
    unpack(rows, block_index, &mut room.unpacked);
    match votes(threshold, rows, blocks, &room.unpacked, block_index) {
        Votes::Everybody => BLOCK_USERS,
        Votes::Nobody => 0,
        Votes::Open(threshold, sets, count) => {
            let sets = sets.get(..count).unwrap_or_default();
            Kernels::best().count_threshold(threshold, sets)
        }
        Votes::Many(threshold) => {
            count_many(threshold, rows, blocks, block_index, out, &mut room.block);
            out.count()
        }
    }
}

/// `out` becomes the places of a block that are in at least `threshold` (1 or more) of the rows
/// and blocks.
pub fn fill_at_least(
    threshold: u32,
    rows: &[Arc<Fragment>],
    blocks: &[Block],
    block_index: u32,
    out: &mut Block,
    room: &mut Room,
) {
    unpack(rows, block_index, &mut room.unpacked);
    match votes(threshold, rows, blocks, &room.unpacked, block_index) {
        Votes::Everybody => out.fill(),
        Votes::Nobody => out.clear(),
        Votes::Open(threshold, sets, count) => {
            let sets = sets.get(..count).unwrap_or_default();
            Kernels::best().copy_threshold(threshold, sets, out.words_mut());
        }
        Votes::Many(threshold) => {
            count_many(threshold, rows, blocks, block_index, out, &mut room.block);
        }
    }
}

/// Makes blocks of those rows that are arrays or runs, in order, as far as one pass counts.
fn unpack(rows: &[Arc<Fragment>], block_index: u32, unpacked: &mut Vec<Block>) {
    let mut used = 0;
    for row in rows {
        let container = row.container(block_index);
        match container {
            Container::Empty | Container::Full | Container::Bitmap(_) => continue,
            Container::Array(_) | Container::Runs(_) if used == COUNTED_SETS => return,
            Container::Array(_) | Container::Runs(_) => {}
        }
        if used == unpacked.len() {
            unpacked.push(Block::new());
        }
        if let Some(block) = unpacked.get_mut(used) {
            container.copy_into(block);
        }
        used += 1;
    }
}

fn votes<'a>(
    threshold: u32,
    rows: &'a [Arc<Fragment>],
    blocks: &'a [Block],
    unpacked: &'a [Block],
    block_index: u32,
) -> Votes<'a> {
    let mut sets: [&Bits; COUNTED_SETS] = [&NOBODY; COUNTED_SETS];
    let (mut count, mut certain) = (0_usize, 0_u32);
    let mut push = |bits: &'a Bits| {
        if let Some(place) = sets.get_mut(count) {
            *place = bits;
        }
        count += 1;
    };
    let mut unpacked = unpacked.iter();
    for row in rows {
        match row.container(block_index) {
            Container::Empty => {}
            Container::Full => certain += 1,
            Container::Bitmap(bits) => push(bits),
            Container::Array(_) | Container::Runs(_) => {
                push(unpacked.next().map_or(&NOBODY, Block::bits));
            }
        }
    }
    blocks.iter().for_each(|block| push(block.bits()));
    match threshold.saturating_sub(certain) {
        0 => Votes::Everybody,
        needed if needed as usize > count => Votes::Nobody,
        needed if count > COUNTED_SETS => Votes::Many(needed),
        needed => Votes::Open(needed, sets, count),
    }
}

/// Counts set after set; `threshold` is what the full rows leave.
fn count_many(
    threshold: u32,
    rows: &[Arc<Fragment>],
    blocks: &[Block],
    block_index: u32,
    out: &mut Block,
    set: &mut Block,
) {
    let mut counter = ThresholdCounter::new(threshold);
    for row in rows {
        match row.container(block_index) {
            Container::Empty | Container::Full => {}
            container @ (Container::Array(_) | Container::Bitmap(_) | Container::Runs(_)) => {
                container.copy_into(set);
                counter.add(set);
            }
        }
    }
    blocks.iter().for_each(|block| counter.add(block));
    counter.finish(out);
}
