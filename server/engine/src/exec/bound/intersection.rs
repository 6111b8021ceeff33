//! Who is in all of some inputs and in none of others: rows first, all at once; then one input
//! after the other, only for the users still left, and one by one where these are few.

use std::sync::Arc;

use super::{Bound, operands::Operands};
use crate::{
    bitmap::{Block, Demands, Found, Fragment, list_places, retain_in, retain_outside},
    column::Keep,
    exec::block_pool::BlockPool,
    ids::BLOCK_USERS,
};

/// With so many users left or fewer, an operator is asked about each instead of computed for
/// the whole block.
const ASKED_USERS_MAX: u32 = 64;

/// Who is in all of some and in none of others.
#[derive(Debug)]
pub(in crate::exec) struct Intersection {
    pub(super) keep: Operands,
    pub(super) drop: Operands,
    /// Every user, when that is all there is to keep. All rows are within it.
    pub(super) everyone: Option<Arc<Fragment>>,
}

/// What is left of those found when an operator has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Who is in it.
    Inside,
    /// Who is not.
    Outside,
}

impl Intersection {
    fn demands(&self) -> Demands<'_> {
        Demands {
            keep: &self.keep.rows,
            drop: &self.drop.rows,
        }
    }

    pub(super) fn at_most(&self, block: u32) -> u32 {
        let others = self.keep.others.iter().map(|other| other.at_most(block));
        let others = others.min().unwrap_or(BLOCK_USERS);
        self.demands().at_most(block).min(others)
    }

    /// Every user but those dropped are counted by counting the dropped.
    pub(super) fn count(&self, block: u32, pool: &mut BlockPool) -> u32 {
        if let Some(everyone) = &self.everyone {
            let dropped = self.drop.count_union(block, pool);
            return everyone.block_cardinality(block).saturating_sub(dropped);
        }
        let mut out = pool.take();
        let count = if self.keep.others.is_empty() && self.drop.others.is_empty() {
            self.demands().count(block, &mut out, &mut pool.room)
        } else {
            match self.find(block, &mut out, pool) {
                Found::Listed => pool.room.list.len() as u32,
                Found::Filled(count) => count,
            }
        };
        pool.give_back(out);
        count
    }

    pub(super) fn cardinality(&self) -> Option<u64> {
        let everyone = self.everyone.as_ref()?;
        match (self.drop.rows.as_slice(), self.drop.others.as_slice()) {
            ([only], []) => Some(everyone.cardinality().saturating_sub(only.cardinality())),
            _ => None,
        }
    }

    /// Finds the users of a block: rows first, then what has to be computed, until nobody is
    /// left.
    pub(super) fn find(&self, block: u32, out: &mut Block, pool: &mut BlockPool) -> Found {
        if self.at_most(block) == 0 {
            pool.room.list.clear();
            return Found::Listed;
        }
        let kept = self.keep.others.iter().map(|other| (other, Left::Inside));
        let dropped = self.drop.others.iter().map(|other| (other, Left::Outside));
        let mut others = kept.chain(dropped);
        let has_rows = !self.keep.rows.is_empty() || !self.drop.rows.is_empty();
        let mut found = match (has_rows, self.keep.others.is_empty()) {
            (false, false) => match others.next() {
                Some((first, _)) => Found::Filled(first.fill(block, out, pool)),
                None => Found::Filled(0),
            },
            (true, _) | (false, true) => {
                let room = &mut pool.room;
                if self.keep.are_listed(block) || self.drop.are_listed(block) {
                    self.demands().list_or_find(block, out, room)
                } else {
                    self.demands().find(block, out, room)
                }
            }
        };
        for (other, left) in others {
            let is_nobody = match found {
                Found::Listed => pool.room.list.is_empty(),
                Found::Filled(count) => count == 0,
            };
            if is_nobody {
                break;
            }
            if left == Left::Inside || other.at_most(block) > 0 {
                found = other.restrict(found, left, block, out, pool);
            }
        }
        found
    }
}

impl Bound {
    /// Leaves of those found only who is, or is not, found by this operator as well.
    fn restrict(
        &self,
        found: Found,
        left: Left,
        block: u32,
        out: &mut Block,
        pool: &mut BlockPool,
    ) -> Found {
        if let Self::Numbers(numbers) = self
            && numbers.is_listed(block)
        {
            if let Found::Filled(count) = found {
                list_places(out, count, &mut pool.room.list);
            }
            let keep = match left {
                Left::Inside => Keep::Inside,
                Left::Outside => Keep::Outside,
            };
            numbers.retain(block, keep, &mut pool.room.list);
            return Found::Listed;
        }
        if let Found::Filled(count) = found
            && count > ASKED_USERS_MAX
        {
            let mut filled = pool.take();
            self.fill(block, &mut filled, pool);
            let count = match left {
                Left::Inside => out.and_counted(&filled),
                Left::Outside => out.and_not_counted(&filled),
            };
            pool.give_back(filled);
            return Found::Filled(count);
        }
        if let Found::Filled(count) = found {
            list_places(out, count, &mut pool.room.list);
        }
        let mut list = pool.take_list();
        if list.len() > ASKED_USERS_MAX as usize {
            let mut filled = pool.take();
            self.fill(block, &mut filled, pool);
            match left {
                Left::Inside => retain_in(&mut list, &filled),
                Left::Outside => retain_outside(&mut list, &filled),
            }
            pool.give_back(filled);
        } else {
            list.retain(|place| self.contains(block, *place) == (left == Left::Inside));
        }
        pool.put_list(list);
        Found::Listed
    }
}
