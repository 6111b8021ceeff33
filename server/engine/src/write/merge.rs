//! `MERGE TAG`: who holds one tag holds another in its place.
//!
//! The command names two tags and a partition, not the users: whom it is about follows from the
//! state it is applied to. Records and rows are written as they are read, so that what it takes
//! to merge millions of holdings is the batch alone.

use tessera_query_lang::ast::Span;

use super::{
    derive::Derived,
    holdings::no_new_holdings,
    schema_change::{Planner, refuse},
    sweep::users_ending_after,
};
use crate::{
    bitmap::Block,
    error::Error,
    exec::dataset::Dataset,
    ids::{Location, PartitionId, RowId, SHARD_BLOCKS, ShardId, TagId, UserId},
    schema::{Schema, TagDefinition, Validity},
    storage::{Changes, Holding, Phase, Records, StorageError, Term, UserKey, UserRecord, View},
    write::{LimitError, SchemaErrorKind},
};

/// Users whose records are read at once.
const USERS_AT_ONCE: usize = 4096;

/// Two tags that may be merged, and what that changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedMerge {
    pub(super) from: TagId,
    pub(super) into: TagId,
    /// Who hold the tag that goes.
    pub(super) users: u64,
    /// Of these who do not hold the other.
    pub(super) newly: u64,
}

/// A merge in one partition, at a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merge {
    pub(super) partition: PartitionId,
    pub(super) from: TagId,
    pub(super) into: TagId,
    pub(super) at_s: i64,
}

impl PlannedMerge {
    /// Refuses what has no meaning, or would break a rule.
    pub(super) fn plan(
        planner: &Planner<'_>,
        from: &TagDefinition,
        into: &TagDefinition,
        span: Span,
    ) -> Result<Self, Error> {
        if from.id == into.id {
            let tag = from.name.to_string();
            return Err(refuse(SchemaErrorKind::MergesItself { tag }, span));
        }
        for tag in [from, into] {
            if planner.schema.rule_of(tag).is_some() {
                let tag = tag.name.to_string();
                return Err(refuse(SchemaErrorKind::MergesRule { tag }, span));
            }
        }
        if into.lifecycle.is_closed() {
            return Err(no_new_holdings(into).into());
        }
        check_ends(planner, from, into, span)?;
        check_siblings(planner, from, into, span)?;
        let (users, newly) = counted(planner.view, from.id, into.id)?;
        let max = planner.limits.merged_users_max;
        if users > u64::from(max) {
            return Err(LimitError::MergedUsers { found: users, max }.into());
        }
        Ok(Self {
            from: from.id,
            into: into.id,
            users,
            newly,
        })
    }
}

/// Holdings of a static tag do not end.
fn check_ends(
    planner: &Planner<'_>,
    from: &TagDefinition,
    into: &TagDefinition,
    span: Span,
) -> Result<(), Error> {
    if into.validity != Validity::Static || from.validity == Validity::Static {
        return Ok(());
    }
    match users_ending_after(planner.view, from.id, planner.now_s())? {
        0 => Ok(()),
        users => Err(refuse(
            SchemaErrorKind::MergesEnding {
                tag: from.name.to_string(),
                into: into.name.to_string(),
                users,
            },
            span,
        )),
    }
}

/// Refuses to give somebody two tags of an exclusive group.
fn check_siblings(
    planner: &Planner<'_>,
    from: &TagDefinition,
    into: &TagDefinition,
    span: Span,
) -> Result<(), Error> {
    let Some(group) = planner.schema.exclusive_group(into.id) else {
        return Ok(());
    };
    let siblings = planner.schema.tags_beneath(group.id).map(|tag| tag.id);
    let mut tags: Vec<TagId> = siblings
        .filter(|tag| *tag != into.id && *tag != from.id)
        .collect();
    // Nobody holds two of those before it.
    tags.push(from.id);
    planner.check_none_holds_two(group, &tags, span)
}

/// How many hold a tag, and how many of them do not hold another.
fn counted(view: &View, from: TagId, into: TagId) -> Result<(u64, u64), StorageError> {
    let (mut users, mut both) = (0, 0);
    let mut block = Block::new();
    for partition in (0..view.partition_count()).map(PartitionId) {
        for shard in (0..view.shard_count(partition)?).map(ShardId) {
            let going = view.fragment(partition, shard, RowId::Tag(from))?;
            users += going.cardinality();
            if going.is_empty() {
                continue;
            }
            let staying = view.fragment(partition, shard, RowId::Tag(into))?;
            for index in 0..SHARD_BLOCKS {
                if going.block_cardinality(index) > 0 && staying.block_cardinality(index) > 0 {
                    going.copy_into(index, &mut block);
                    staying.and_into(index, &mut block);
                    both += u64::from(block.count());
                }
            }
        }
    }
    Ok((users, users - both))
}

/// Writes down what a merge does to a state, but for the rows of the tag that goes, which are
/// dropped with it.
pub(super) fn write(
    view: &View,
    schema: &Schema,
    merge: Merge,
    changes: &mut Changes,
) -> Result<(), Error> {
    let partition = merge.partition;
    let ends = schema
        .tag_by_id(merge.into)
        .is_some_and(|tag| tag.validity != Validity::Static);
    let mut derived = Derived::default();
    for shard in (0..view.shard_count(partition)?).map(ShardId) {
        let holders = view.fragment(partition, shard, RowId::Tag(merge.from))?;
        let users: Vec<UserId> = holders.iter().map(|offset| shard.user(offset)).collect();
        for users in users.chunks(USERS_AT_ONCE) {
            let located = users.iter().map(|&user| Location { partition, user });
            let records = view.records(&located.collect::<Vec<_>>())?;
            for (&user, mut before) in users.iter().zip(records) {
                let after = merged(&before, merge, ends);
                before.remove_tag(merge.from);
                before.unblock(merge.from);
                derived
                    .change(schema, partition, user, Some(&before), Some(&after))
                    .map_err(|error| Error::Internal(error.to_string()))?;
                changes.put::<Records>(&UserKey { partition, user }, &after)?;
            }
        }
    }
    Ok(derived.write(changes)?)
}

/// A record in which one tag is held for another. `ends`: whether holdings of the tag that stays
/// may end.
fn merged(before: &UserRecord, merge: Merge, ends: bool) -> UserRecord {
    let mut after = before.clone();
    let going = before.holding(merge.from);
    after.remove_tag(merge.from);
    after.unblock(merge.from);
    // Of a static tag nothing is left when it is over.
    let Some(going) = going.filter(|going| ends || going.phase(merge.at_s) != Phase::Ended) else {
        return after;
    };
    let holding = match before.holding(merge.into) {
        Some(held) => united(held, going, merge.at_s),
        None => going,
    };
    // Whoever is given a tag has it taken no more.
    if going.phase(merge.at_s) != Phase::Ended {
        after.unblock(merge.into);
    }
    after.hold(merge.into, holding);
    after
}

/// One holding for two: of those that meet on the stronger word, from the earlier start to the
/// later end; of others the one that is in effect, or else the one to come, or else the later.
fn united(held: Holding, going: Holding, at_s: i64) -> Holding {
    if meet(held, going) {
        return Holding {
            source: held.source.or_stronger(going.source),
            term: both_terms(held.term, going.term),
        };
    }
    let rank = |holding: Holding| match holding.phase(at_s) {
        // Two of them only where the clock was set back.
        Phase::InEffect => (2, holding.until_s().unwrap_or(i64::MAX)),
        Phase::Coming => (1, holding.since_s().map_or(0, i64::saturating_neg)),
        Phase::Ended => (0, holding.until_s().unwrap_or(i64::MAX)),
    };
    if rank(going) > rank(held) {
        going
    } else {
        held
    }
}

/// Whether no second lies between the two.
fn meet(left: Holding, right: Holding) -> bool {
    let start = |holding: Holding| holding.since_s().unwrap_or(i64::MIN);
    let end = |holding: Holding| holding.until_s().unwrap_or(i64::MAX);
    start(left) <= end(right) && start(right) <= end(left)
}

fn both_terms(left: Term, right: Term) -> Term {
    match (left, right) {
        (Term::Standing { since_s: left }, Term::Standing { since_s: right }) => Term::Standing {
            // Where one is not known, neither is the earlier.
            since_s: left.zip(right).map(|(left, right)| left.min(right)),
        },
        (Term::Standing { since_s: known }, Term::Timed { since_s, .. })
        | (Term::Timed { since_s, .. }, Term::Standing { since_s: known }) => Term::Standing {
            since_s: known.map(|known| known.min(since_s)),
        },
        (
            Term::Timed {
                since_s: left,
                until_s: left_end,
            },
            Term::Timed {
                since_s: right,
                until_s: right_end,
            },
        ) => Term::Timed {
            since_s: left.min(right),
            until_s: left_end.zip(right_end).map(|(left, right)| left.max(right)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Source;

    #[test]
    fn holdings_that_meet_become_one() {
        let check = |left: Holding, right: Holding, expected: Holding| {
            assert_eq!(united(left, right, 25), expected, "{left:?} {right:?}");
            assert_eq!(united(right, left, 25), expected, "{right:?} {left:?}");
        };
        let timed = |source, since_s, until_s| Holding::timed(source, since_s, until_s);
        let standing = |source, since_s| Holding::standing(source, since_s);
        use Source::{Import, Manual, Model};
        check(
            timed(Import, 10, Some(20)),
            timed(Model, 15, Some(30)),
            timed(Import, 10, Some(30)),
        );
        check(
            timed(Import, 10, Some(20)),
            timed(Manual, 20, None),
            timed(Manual, 10, None),
        );
        check(
            standing(Import, Some(5)),
            standing(Manual, Some(9)),
            standing(Manual, Some(5)),
        );
        check(
            standing(Import, None),
            standing(Manual, Some(9)),
            standing(Manual, None),
        );
        check(
            standing(Import, Some(9)),
            timed(Model, 5, Some(40)),
            standing(Import, Some(5)),
        );
    }

    #[test]
    fn a_standing_holding_does_not_start_before_it_did() {
        let standing = Holding::standing(Source::Manual, Some(20));
        let check = |ended: (i64, i64), expected: i64| {
            let (since_s, until_s) = ended;
            let ended = Holding::timed(Source::Manual, since_s, Some(until_s));
            let expected = Holding::standing(Source::Manual, Some(expected));
            assert_eq!(united(standing, ended, 25), expected, "{ended:?}");
            assert_eq!(united(ended, standing, 25), expected, "{ended:?}");
        };
        check((1, 19), 20);
        check((1, 20), 1);
        check((1, 22), 1);
    }

    #[test]
    fn of_holdings_apart_the_more_present_stays() {
        let check = |left: (i64, i64), right: (i64, i64), expected: (i64, i64)| {
            let holding =
                |(since_s, until_s)| Holding::timed(Source::Manual, since_s, Some(until_s));
            let (left, right) = (holding(left), holding(right));
            assert_eq!(united(left, right, 25), holding(expected));
            assert_eq!(united(right, left, 25), holding(expected));
        };
        check((1, 5), (20, 30), (20, 30));
        check((1, 5), (10, 12), (10, 12));
        check((1, 5), (30, 40), (30, 40));
        check((30, 40), (20, 26), (20, 26));
        check((30, 40), (50, 60), (30, 40));
    }
}
