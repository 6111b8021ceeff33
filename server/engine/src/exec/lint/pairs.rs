//! Pairs of tags that nearly the same users hold, and tags that nearly only holders of another
//! one hold.
//!
//! Every tag with holders is compared with those that a few of them hold too. What nearly all of
//! a tag's holders hold, nearly all of a few of them hold: so the others need not be looked at,
//! and for those that are left the rows are intersected, exactly.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use super::super::{
    count::count,
    planner,
    scan::{Context, Unit, units},
};
use crate::{
    bitmap::Block,
    error::Error,
    ids::{BLOCK_BITS, PartitionId, RowId, SHARD_BLOCKS, TagId, UserId},
    plan::logical::{Expr, Leaf},
};

/// Tags that are compared, the largest first.
pub(super) const TAGS_MAX: usize = 20_000;
/// Pairs whose rows are intersected.
pub(super) const PAIRS_MAX: usize = 20_000;
/// A tag with fewer holders may be like another one by chance.
pub(super) const HOLDERS_MIN: u64 = 10;
/// Two tags are nearly equal whose holders have this part in common, at least.
pub(super) const EQUAL_MIN: f64 = 0.95;
/// A tag is contained in another that this part of its holders hold, at least.
pub(super) const CONTAINED_MIN: f64 = 0.99;

/// Shards in which holders are looked at, and how many in each.
const SAMPLED_SHARDS: usize = 4;
const SAMPLED_USERS: usize = 4;

/// A tag that is to be compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct SizedTag {
    pub(super) tag: TagId,
    pub(super) users: u64,
}

/// What two tags have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Likeness {
    /// The Jaccard index: users who hold both of those who hold one or the other.
    Equal(f64),
    /// The part of the first one's holders who hold the second.
    Contained(f64),
}

/// A pair, with the smaller tag first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) tag: TagId,
    pub(super) other: TagId,
    pub(super) likeness: Likeness,
}

/// What was found, and how much was left out.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) found: Vec<Pair>,
    /// Whether a limit kept tags or pairs from being compared.
    pub(super) is_cut: bool,
}

/// Compares tags in a second. `expr` says who holds one.
pub(super) fn find(
    context: Context<'_>,
    mut tags: Vec<SizedTag>,
    at_s: i64,
) -> Result<Pairs, Error> {
    tags.retain(|tag| tag.users >= HOLDERS_MIN);
    tags.sort_unstable_by_key(|tag| (std::cmp::Reverse(tag.users), tag.tag));
    let mut pairs = Pairs {
        is_cut: tags.len() > TAGS_MAX,
        ..Pairs::default()
    };
    tags.truncate(TAGS_MAX);
    let sizes: HashMap<TagId, u64, RandomState> =
        tags.iter().map(|tag| (tag.tag, tag.users)).collect();
    let candidates = candidates(context, &tags, &sizes, at_s)?;
    pairs.is_cut |= candidates.len() > PAIRS_MAX;
    for (smaller, larger) in candidates.into_iter().take(PAIRS_MAX) {
        context.checkpoint()?;
        let both = holders_of_both(context, smaller.tag, larger.tag, at_s)?;
        if let Some(likeness) = likeness(smaller.users, larger.users, both) {
            pairs.found.push(Pair {
                tag: smaller.tag,
                other: larger.tag,
                likeness,
            });
        }
    }
    Ok(pairs)
}

fn likeness(smaller: u64, larger: u64, both: u64) -> Option<Likeness> {
    let either = smaller + larger - both;
    let jaccard = both as f64 / either.max(1) as f64;
    let part = both as f64 / smaller.max(1) as f64;
    if jaccard >= EQUAL_MIN {
        return Some(Likeness::Equal(jaccard));
    }
    (part >= CONTAINED_MIN).then_some(Likeness::Contained(part))
}

/// The pairs worth comparing, by size and by what a few holders hold; each once.
fn candidates(
    context: Context<'_>,
    tags: &[SizedTag],
    sizes: &HashMap<TagId, u64, RandomState>,
    at_s: i64,
) -> Result<Vec<(SizedTag, SizedTag)>, Error> {
    let units = units(context.dataset)?;
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    for tag in tags {
        context.checkpoint()?;
        let (sampled, held) = held_by_some(context, &units, tag.tag, at_s)?;
        for (other, holders) in held {
            let Some(users) = sizes.get(&other).copied().filter(|_| other != tag.tag) else {
                continue;
            };
            let is_larger = (users, other) > (tag.users, tag.tag);
            let is_often = holders * 8 >= sampled * 7;
            if is_larger && is_often && seen.insert((tag.tag, other)) {
                pairs.push((*tag, SizedTag { tag: other, users }));
            }
        }
    }
    pairs.sort_unstable_by_key(|(smaller, larger)| (smaller.tag, larger.tag));
    Ok(pairs)
}

/// How many holders were looked at, and how many of them hold each tag.
fn held_by_some(
    context: Context<'_>,
    units: &[Unit],
    tag: TagId,
    at_s: i64,
) -> Result<(usize, HashMap<TagId, usize, RandomState>), Error> {
    let mut sampled = 0;
    let mut held: HashMap<TagId, usize, RandomState> = HashMap::default();
    // Another start for every tag, so that not all look at the same few users.
    let turned = units
        .iter()
        .cycle()
        .skip(tag.0 as usize % units.len().max(1));
    let mut looked = 0;
    for unit in turned.take(units.len()) {
        let users = some_of(context, *unit, tag)?;
        if users.is_empty() {
            continue;
        }
        let partition: PartitionId = unit.partition;
        for record in context.dataset.records(partition, &users)? {
            if record.holds(tag, at_s) {
                sampled += 1;
                record
                    .tags_at(at_s)
                    .for_each(|tag| *held.entry(tag).or_default() += 1);
            }
        }
        looked += 1;
        if looked == SAMPLED_SHARDS {
            break;
        }
    }
    Ok((sampled, held))
}

/// A few holders in one shard, rising.
fn some_of(context: Context<'_>, unit: Unit, tag: TagId) -> Result<Vec<UserId>, Error> {
    let row = RowId::Tag(tag);
    let fragment = context.dataset.fragment(unit.partition, unit.shard, row)?;
    let crowded = (0..SHARD_BLOCKS).max_by_key(|block| fragment.block_cardinality(*block));
    let Some(index) = crowded.filter(|block| fragment.block_cardinality(*block) > 0) else {
        return Ok(Vec::new());
    };
    let mut block = Block::new();
    fragment.copy_into(index, &mut block);
    let step = (block.count() as usize / SAMPLED_USERS).max(1);
    let places = block.iter().step_by(step).take(SAMPLED_USERS);
    let base = index << BLOCK_BITS;
    Ok(places
        .map(|place| unit.shard.user(base | u32::from(place)))
        .collect())
}

fn holders_of_both(
    context: Context<'_>,
    left: TagId,
    right: TagId,
    at_s: i64,
) -> Result<u64, Error> {
    let holders = |tag| -> Expr {
        match context.dataset.schema().is_timed(tag) {
            true => Leaf::Held(tag, at_s).into(),
            false => Leaf::Tag(tag).into(),
        }
    };
    let both = Expr::And(vec![holders(left), holders(right)]);
    count(context, &planner::plan(context, both)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_follows_from_sizes() {
        let check = |smaller, larger, both, expected| {
            assert_eq!(
                likeness(smaller, larger, both),
                expected,
                "{smaller} {larger} {both}"
            );
        };
        check(100, 100, 100, Some(Likeness::Equal(1.0)));
        check(95, 100, 95, Some(Likeness::Equal(0.95)));
        check(50, 100, 50, Some(Likeness::Contained(1.0)));
        check(100, 200, 99, Some(Likeness::Contained(0.99)));
        check(100, 200, 98, None);
        check(10, 10, 0, None);
    }
}
