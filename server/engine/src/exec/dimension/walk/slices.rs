//! Numbers of whole blocks, read from slices.
//!
//! Knows when slices tell all that is wanted, and how many have to be read for it. Does not know
//! which group the users are in, nor when another way costs less.

use std::sync::Arc;

use super::super::{
    layout::GroupKey,
    narrow::{CountedUsers, Windows},
    wanted::{Gather, WantedNumbers},
};
use super::{BlockColumns, Reach, Room, Walk};
use crate::{
    bitmap::{Block, SliceSum, magnitude},
    column::ColumnBlock,
    error::Error,
};

/// How often slices are read for the least and the greatest number.
const EXTREMES_PASSES: u32 = 3;

impl Walk<'_, '_> {
    /// Whether slices tell all that is wanted of attributes' numbers, where a group has many
    /// users.
    pub(super) fn has_slices(&self) -> bool {
        let is_told = |wanted: &WantedNumbers| match (wanted.distribution, self.reach) {
            (Gather::No, Reach::All) | (_, Reach::Narrowed(_)) => true,
            (Gather::Yes, Reach::All) | (_, Reach::Sample) => false,
        };
        let wanted = self.split.wanted.iter();
        let mut of_attributes = wanted.filter(|wanted| wanted.attribute.is_some());
        self.columns.is_empty() && of_attributes.all(is_told)
    }

    /// How many slices tell what is wanted of a group, each time they are read; `None` where they
    /// do not.
    pub(super) fn slices_read(
        &self,
        columns: &BlockColumns<'_>,
        windows: &[Option<Windows>],
    ) -> Option<u32> {
        let read = |(measured, column): &(usize, Arc<ColumnBlock>)| {
            let wanted = self.split.wanted.get(*measured)?;
            let extremes = match wanted.extremes {
                Gather::Yes => EXTREMES_PASSES,
                Gather::No => 0,
            };
            let windows = match wanted.distribution {
                Gather::Yes => windows.get(*measured)?.as_ref()?.len(),
                Gather::No => 0,
            };
            Some(slices_of(column) * (1 + extremes + windows))
        };
        columns.measured.iter().map(read).sum()
    }

    /// Measures a whole block's users, who are in one group.
    pub(super) fn measure_slices(
        &mut self,
        users: &Block,
        columns: &BlockColumns<'_>,
        key: &GroupKey,
        windows: &[Option<Windows>],
    ) -> Result<(), Error> {
        let index = columns.index;
        let Room {
            slices: scratch,
            blocks,
            ..
        } = &mut self.room;
        for ((measured, slices), (_, column)) in columns.slices.iter().zip(&columns.measured) {
            let measured = *measured;
            let Some(wanted) = self.split.wanted.get(measured) else {
                continue;
            };
            let Some((slot, numbers)) = self.table.numbers_of(key, measured)? else {
                continue;
            };
            let sum = match wanted.sum {
                Gather::Yes => slices.sum(index, users, scratch),
                Gather::No => SliceSum {
                    count: slices.present().count_and(index, users),
                    sum: 0,
                },
            };
            numbers.add_sum(slot, sum);
            if wanted.extremes == Gather::Yes
                && let Some(extremes) = slices.extremes(index, users, scratch)
            {
                numbers.add_extremes(slot, extremes);
            }
            if let Some(windows) = windows.get(measured).and_then(Option::as_ref) {
                let mut found = blocks.pop().unwrap_or_default();
                let counted = CountedUsers {
                    slices,
                    column,
                    index,
                    users,
                    present: sum.count,
                };
                windows.count(&counted, scratch, &mut found, |number, times| {
                    numbers.add_times(slot, number, times);
                });
                blocks.push(found);
            }
        }
        self.table.check_bytes()
    }
}

/// How many slices the numbers of a block have, presence and sign among them.
fn slices_of(column: &ColumnBlock) -> u32 {
    let frame = column.frame();
    let greatest = magnitude(frame.base).max(magnitude(frame.value_max()));
    2 + u64::BITS - greatest.leading_zeros()
}
