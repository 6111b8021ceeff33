//! The first field of an order, where it is a number: it tells from a block's column alone which
//! users cannot be among the first.

use std::{cmp::Ordering, sync::Arc};

use tessera_query_lang::ast::Direction;

use crate::{bitmap::Block, column::ColumnBlock, ids::AttributeId};

/// A number of the first field; missing ones come last in both directions.
pub(super) type PrimaryNumber = Option<i64>;

/// The first field.
pub(super) struct Primary<'a> {
    pub(super) attribute: AttributeId,
    pub(super) direction: Direction,
    /// Positions of codes in the order of their texts, where the numbers are codes.
    pub(super) ranks: Option<&'a [i64]>,
}

/// Between which numbers users are of interest, both included.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Interest {
    /// Where the page before ended.
    pub(super) after: Option<PrimaryNumber>,
    /// The last of those who are kept, once there are enough.
    pub(super) last: Option<PrimaryNumber>,
}

impl Primary<'_> {
    /// What a column's number is ordered by.
    pub(super) fn rank(&self, number: i64) -> i64 {
        let Some(ranks) = self.ranks else {
            return number;
        };
        let rank = usize::try_from(number)
            .ok()
            .and_then(|code| ranks.get(code));
        rank.copied().unwrap_or(i64::MAX)
    }

    /// Which of two comes first.
    fn compare(&self, left: PrimaryNumber, right: PrimaryNumber) -> Ordering {
        match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => match self.direction {
                Direction::Ascending => left.cmp(&right),
                Direction::Descending => right.cmp(&left),
            },
        }
    }

    /// Whether a user with this number may be on the page.
    pub(super) fn is_of_interest(&self, number: PrimaryNumber, interest: Interest) -> bool {
        interest
            .after
            .is_none_or(|after| self.compare(number, after).is_ge())
            && interest
                .last
                .is_none_or(|last| self.compare(number, last).is_le())
    }

    /// The users of a block who may be on the page, with their numbers.
    pub(super) fn choose(
        &self,
        users: &Block,
        column: &Arc<ColumnBlock>,
        interest: Interest,
    ) -> Vec<(u16, PrimaryNumber)> {
        let mut chosen = Vec::new();
        if !self.may_hold(column, interest) {
            return chosen;
        }
        column.for_each(users, |place, number| {
            let number = number.map(|number| self.rank(number));
            if self.is_of_interest(number, interest) {
                chosen.push((place, number));
            }
        });
        chosen
    }

    /// Whether any user of a block can be early enough, going by its least or greatest number.
    fn may_hold(&self, column: &ColumnBlock, interest: Interest) -> bool {
        let (Some(last), None) = (interest.last, self.ranks) else {
            return true;
        };
        let frame = column.frame();
        let first = match self.direction {
            Direction::Ascending => frame.base,
            Direction::Descending => frame.value_max(),
        };
        // Where nobody has a number, this is as good as any: it only lets the block be read.
        self.compare(Some(first), last).is_le()
    }
}
