//! On how many days users did something, from the rows of days alone.
//!
//! Knows rows and counters. No event is looked at.

use std::sync::Arc;

use super::{Answer, Computed, Source};
use crate::{
    behaviour::{Bound, Bucket, Window},
    bitmap::{Block, ThresholdCounter},
    error::Error,
    ids::{EventId, RowId, SHARD_BLOCKS},
};

impl Source<'_> {
    /// The days of a window, where each of them has a row of its own that is in the window as a
    /// whole.
    pub(super) fn whole_days(
        &self,
        event: EventId,
        window: Window,
    ) -> Result<Option<Vec<i32>>, Error> {
        let buckets = self.buckets(event, window)?;
        let day = |bucket: &Bucket| match bucket {
            Bucket::Day(day) => Some(*day).filter(|_| window.covers(*bucket)),
            Bucket::Month(_) => None,
        };
        Ok(buckets.iter().map(day).collect())
    }

    /// Who is in so many rows of days.
    pub(super) fn days(&self, event: EventId, days: &[i32], bound: Bound) -> Result<Answer, Error> {
        let mut rows = Vec::with_capacity(days.len());
        for day in days {
            let row = self.row(RowId::DidOnDay(event, *day))?;
            if !row.is_empty() {
                rows.push(row);
            }
        }
        let (low, above) = match bound {
            Bound::Within(_, high) if high < 1 => return Ok(Answer::NOBODY),
            Bound::Within(low, high) => (low.max(1), high.saturating_add(1)),
            // Nobody is on fewer days than none.
            Bound::Outside(_, high) => (high.saturating_add(1).max(1), i128::MAX),
        };
        // In so many rows is nobody.
        let counter = |k: i128| {
            let k = usize::try_from(k).ok().filter(|k| *k <= rows.len())?;
            u32::try_from(k).ok().map(ThresholdCounter::new)
        };
        let (Some(mut at_least), mut more) = (counter(low), counter(above)) else {
            return Ok(Answer::NOBODY);
        };
        let (mut on_day, mut beyond) = (Block::new(), Block::new());
        let mut found = Vec::with_capacity(SHARD_BLOCKS as usize);
        for block in 0..SHARD_BLOCKS {
            self.context.checkpoint()?;
            for row in rows.iter().filter(|row| row.block_cardinality(block) > 0) {
                on_day.clear();
                row.or_into(block, &mut on_day);
                at_least.add(&on_day);
                if let Some(more) = &mut more {
                    more.add(&on_day);
                }
            }
            let mut users = Block::new();
            at_least.finish(&mut users);
            if let Some(more) = &mut more {
                more.finish(&mut beyond);
                users.and_not(&beyond);
            }
            found.push(Some(users));
        }
        Ok(Answer {
            rows: Vec::new(),
            computed: Computed::new(found).map(Arc::new),
        })
    }
}
