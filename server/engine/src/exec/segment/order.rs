//! Users in a wanted order: the first of them are kept, in bounded memory.
//!
//! Where the first field is a number, users who come after the last of those kept are passed
//! over by their columns alone, and whole blocks by their least and greatest number. Where it is
//! a text, see [`super::texts`].

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering as MemoryOrdering},
};

use tessera_query_lang::ast::Direction;

use super::{
    Place, PreparedSegment,
    candidate::{Candidate, Chosen, SortValue, compare_values, text_of},
    fields::{ColumnCursor, FieldReader},
    primary::{Interest, Primary, PrimaryNumber},
    texts::TextWalk,
};
use crate::{
    bitmap::Block,
    error::Error,
    exec::{
        byte_meter::{ByteMeter, ByteShare},
        dataset::Dataset,
        limits::QueryLimitError,
        rows::{BATCH_ROWS, RowWriter},
        scan::{Context, FoundBlock, ShardScan, Unit},
    },
    ids::{AttributeId, BLOCK_BITS, Location, PartitionId, RowId, UserId},
    plan::query::OrderField,
    schema::{AttributeClass, Schema},
    storage::UserRecord,
    user_keys::PackedKeys,
};

/// Writes the users after a place; says where the page ended if there are more.
pub(super) fn run(
    segment: &PreparedSegment,
    context: Context<'_>,
    after: Option<&Candidate>,
    limit: Option<u64>,
    writer: &mut RowWriter<'_>,
) -> Result<Option<Place>, Error> {
    if limit == Some(0) {
        return Ok(None);
    }
    let max = context.limits.ordered_users_max;
    let wanted = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if wanted.is_some_and(|wanted| wanted > max) {
        return Err(QueryLimitError::OrderedUsers { max }.into());
    }
    let sorter = Sorter {
        // Without a limit every user found is kept: one too many is enough to give up.
        found_max: wanted.map_or(Some(max), |_| None),
        ..Sorter::new(segment, context, after)
    };
    let meter = ByteMeter::new(context.limits.ordered_bytes_max);
    // One more than wanted tells whether there are more.
    let keep = wanted.unwrap_or(max) + 1;
    let start = || Top::new(keep, &meter);
    let walked = match TextWalk::choose(segment, context, limit)? {
        Some(walk) => walk.collect(&sorter, start)?,
        None => None,
    };
    let top = match walked {
        Some(top) => top,
        None => context.fold_shards(
            &segment.plan,
            start,
            |top, shard| sorter.collect(top, shard),
            |left, right| sorter.merge(left, right),
        )?,
    };
    let mut candidates = top.candidates;
    candidates.sort_unstable_by(|left, right| sorter.compare(left, right));
    let is_full = candidates.len() >= keep;
    candidates.truncate(keep - 1);
    write(segment, context, &candidates, writer)?;
    Ok(candidates.pop().filter(|_| is_full).map(Place::Ordered))
}

fn write(
    segment: &PreparedSegment,
    context: Context<'_>,
    candidates: &[Candidate],
    writer: &mut RowWriter<'_>,
) -> Result<(), Error> {
    let reader = FieldReader::new(context.dataset, &segment.returns)?;
    for piece in candidates.chunks(BATCH_ROWS) {
        context.budget.check()?;
        let mut rows = Vec::with_capacity(piece.len());
        for Location { partition, user } in piece.iter().map(|candidate| candidate.location) {
            let mut keys = PackedKeys::new();
            context.dataset.keys(partition, &[user], &mut keys)?;
            rows.extend(reader.rows(partition, &[user], keys.iter())?);
        }
        writer.write(rows)?;
    }
    Ok(())
}

/// The least candidates so far, and a few more.
pub(super) struct Top<'a> {
    pub(super) keep: usize,
    candidates: Vec<Candidate>,
    /// The last one to keep, once there are enough: nobody after it is on the page.
    pub(super) last: Option<Candidate>,
    share: ByteShare<'a>,
}

impl<'a> Top<'a> {
    fn new(keep: usize, meter: &'a ByteMeter) -> Self {
        Self {
            keep,
            candidates: Vec::new(),
            last: None,
            share: meter.share(),
        }
    }

    /// Whether there are as many as are kept.
    pub(super) fn is_full(&self) -> bool {
        self.candidates.len() >= self.keep
    }

    fn interest(&self, after: Option<PrimaryNumber>) -> Interest {
        let last = self.last.as_ref().and_then(Candidate::primary);
        Interest { after, last }
    }
}

/// Knows the order, and reads what it needs.
pub(super) struct Sorter<'a> {
    segment: &'a PreparedSegment,
    dataset: &'a dyn Dataset,
    pub(super) after: Option<&'a Candidate>,
    /// Positions of codes in the order of their texts.
    ranks: HashMap<AttributeId, Vec<i64>>,
    /// Users found by all threads, and how many there may be.
    found: AtomicUsize,
    found_max: Option<usize>,
}

impl<'a> Sorter<'a> {
    fn new(
        segment: &'a PreparedSegment,
        context: Context<'a>,
        after: Option<&'a Candidate>,
    ) -> Self {
        let schema: &Schema = context.dataset.schema();
        let attributes = segment.order.iter().filter_map(|(field, _)| match field {
            OrderField::Attribute(attribute) => schema.attribute_by_id(*attribute),
            OrderField::Key | OrderField::Text(_) => None,
        });
        let coded = attributes.filter(|attribute| attribute.kind.class() == AttributeClass::Coded);
        let ranks = coded
            .map(|attribute| (attribute.id, ranks_by_text(schema, attribute.id)))
            .collect();
        Self {
            segment,
            dataset: context.dataset,
            after,
            ranks,
            found: AtomicUsize::new(0),
            found_max: None,
        }
    }

    /// By the fields, then by place. Missing values are last in both directions.
    fn compare(&self, left: &Candidate, right: &Candidate) -> Ordering {
        let pairs = left.values.iter().zip(&right.values);
        let by_fields =
            self.segment
                .order
                .iter()
                .zip(pairs)
                .map(
                    |((_, direction), (left, right))| match (left, right, direction) {
                        (SortValue::Missing, SortValue::Missing, _) => Ordering::Equal,
                        (SortValue::Missing, _, _) => Ordering::Greater,
                        (_, SortValue::Missing, _) => Ordering::Less,
                        (left, right, Direction::Ascending) => compare_values(left, right),
                        (left, right, Direction::Descending) => compare_values(right, left),
                    },
                );
        by_fields
            .fold(Ordering::Equal, Ordering::then)
            .then(left.location.cmp(&right.location))
    }

    fn collect<'m>(&self, mut top: Top<'m>, mut shard: ShardScan<'_>) -> Result<Top<'m>, Error> {
        let unit = shard.unit;
        shard.for_each_block(0, |block| match self.primary() {
            Some(primary) => self.block_by_number(&mut top, unit, &primary, block),
            None => self.pieces(&mut top, unit, &block, block.users, None),
        })?;
        Ok(top)
    }

    /// Takes those of a shard who do not have a text by which they are ordered first.
    pub(super) fn collect_missing<'m>(
        &self,
        mut top: Top<'m>,
        mut shard: ShardScan<'_>,
        attribute: AttributeId,
    ) -> Result<Top<'m>, Error> {
        let unit = shard.unit;
        let row = RowId::Present(attribute);
        let present = self.dataset.fragment(unit.partition, unit.shard, row)?;
        let mut others = Block::new();
        shard.for_each_block(0, |block| {
            others.copy_from(block.users);
            present.and_not_into(block.index, &mut others);
            let missing = Some(&SortValue::Missing);
            self.pieces(&mut top, unit, &block, &others, missing)
        })?;
        Ok(top)
    }

    /// Takes users of a block, of whom the first field may be known.
    fn pieces(
        &self,
        top: &mut Top<'_>,
        unit: Unit,
        block: &FoundBlock<'_>,
        users: &Block,
        first: Option<&SortValue>,
    ) -> Result<(), Error> {
        let places: Vec<u16> = users.iter().collect();
        places.chunks(BATCH_ROWS).try_for_each(|places| {
            let chosen = places.iter().map(|at| Chosen {
                user: user_at(block, *at),
                first: first.cloned(),
            });
            self.piece(top, unit.partition, chosen.collect())
        })
    }

    /// The first field, where it is a number.
    fn primary(&self) -> Option<Primary<'_>> {
        match self.segment.order.first() {
            Some((OrderField::Attribute(attribute), direction)) => Some(Primary {
                attribute: *attribute,
                direction: *direction,
                ranks: self.ranks.get(attribute).map(Vec::as_slice),
            }),
            Some((OrderField::Key | OrderField::Text(_), _)) | None => None,
        }
    }

    /// Leaves out who cannot be on the page, going by the first field.
    fn block_by_number(
        &self,
        top: &mut Top<'_>,
        unit: Unit,
        primary: &Primary<'_>,
        block: FoundBlock<'_>,
    ) -> Result<(), Error> {
        let column = self
            .dataset
            .column(unit.partition, primary.attribute, block.id)?;
        let after = self.after.and_then(Candidate::primary);
        let chosen = primary.choose(block.users, &column, top.interest(after));
        for piece in chosen.chunks(BATCH_ROWS) {
            // Those kept may have become better since.
            let interest = top.interest(after);
            let chosen = piece
                .iter()
                .filter(|(_, number)| primary.is_of_interest(*number, interest))
                .map(|(at, number)| Chosen {
                    user: user_at(&block, *at),
                    first: Some(number.map_or(SortValue::Missing, SortValue::Number)),
                });
            self.piece(top, unit.partition, chosen.collect())?;
        }
        Ok(())
    }

    /// Takes users of whom all, or none, have the first field known.
    pub(super) fn piece(
        &self,
        top: &mut Top<'_>,
        partition: PartitionId,
        chosen: Vec<Chosen>,
    ) -> Result<(), Error> {
        let mut keys = PackedKeys::new();
        let fields = || self.segment.order.iter().map(|(field, _)| *field);
        if self.segment.sample.is_some() || fields().any(|field| field == OrderField::Key) {
            let users: Vec<UserId> = chosen.iter().map(|chosen| chosen.user).collect();
            self.dataset.keys(partition, &users, &mut keys)?;
        }
        let is_kept = |key: &str| self.segment.sample.is_none_or(|sample| sample.keeps(key));
        let chosen: Vec<(Chosen, &str)> = chosen
            .into_iter()
            .zip(keys.iter().chain(std::iter::repeat("")))
            .filter(|(_, key)| is_kept(key))
            .collect();
        let known = usize::from(chosen.iter().any(|(chosen, _)| chosen.first.is_some()));
        let mut records = Vec::new();
        if fields()
            .skip(known)
            .any(|field| matches!(field, OrderField::Text(_)))
        {
            let users: Vec<UserId> = chosen.iter().map(|(chosen, _)| chosen.user).collect();
            records = self.dataset.records(partition, &users)?;
        }
        let mut reader = ValueReader {
            sorter: self,
            columns: ColumnCursor::new(self.dataset, partition),
        };
        let mut records = records.into_iter();
        let before = top.candidates.len();
        let mut bytes = top.share.bytes();
        for (Chosen { user, first }, key) in chosen {
            let candidate = Candidate {
                values: reader.values(user, key, first, records.next().as_ref())?,
                location: Location { partition, user },
            };
            if self.may_be_kept(top, &candidate) {
                bytes += candidate.bytes();
                top.candidates.push(candidate);
            }
        }
        top.share.set(bytes);
        self.check_found(top.candidates.len() - before)?;
        self.prune(top)
    }

    /// Whether a candidate comes after the page before, and not after the last to keep.
    fn may_be_kept(&self, top: &Top<'_>, candidate: &Candidate) -> bool {
        let is_after = |after: &Candidate| self.compare(candidate, after).is_gt();
        self.after.is_none_or(is_after) && !top.last.as_ref().is_some_and(is_after)
    }

    fn check_found(&self, more: usize) -> Result<(), Error> {
        let Some(max) = self.found_max else {
            return Ok(());
        };
        let found = self.found.fetch_add(more, MemoryOrdering::Relaxed);
        if found.saturating_add(more) > max {
            return Err(QueryLimitError::OrderedUsers { max }.into());
        }
        Ok(())
    }

    fn rank(&self, attribute: AttributeId, number: i64) -> i64 {
        let ranks = self.ranks.get(&attribute).map(Vec::as_slice);
        Primary {
            attribute,
            direction: Direction::Ascending,
            ranks,
        }
        .rank(number)
    }

    pub(super) fn merge<'m>(&self, mut left: Top<'m>, right: Top<'m>) -> Result<Top<'m>, Error> {
        let bytes = left.share.bytes() + right.share.bytes();
        drop(right.share);
        left.candidates.extend(right.candidates);
        left.share.set(bytes);
        self.prune(&mut left)?;
        Ok(left)
    }

    /// Drops what cannot be among the first any more, once there is enough of it or memory is
    /// short.
    ///
    /// # Errors
    /// When the candidates of all threads take more than they may all the same.
    fn prune(&self, top: &mut Top<'_>) -> Result<(), Error> {
        let many = top.keep.saturating_mul(2).saturating_add(BATCH_ROWS);
        let is_short = top.share.is_exceeded() && top.candidates.len() > top.keep;
        // The sooner the last one to keep is known, the more are passed over.
        let is_first = top.last.is_none() && top.is_full();
        if top.candidates.len() >= many || is_short || is_first {
            top.candidates
                .select_nth_unstable_by(top.keep - 1, |left, right| self.compare(left, right));
            top.candidates.truncate(top.keep);
            top.last = top.candidates.last().cloned();
            top.share
                .set(top.candidates.iter().map(Candidate::bytes).sum());
        }
        if top.share.is_exceeded() {
            let max = top.share.bytes_max();
            return Err(QueryLimitError::OrderedBytes { max }.into());
        }
        Ok(())
    }
}

/// Reads what users of one partition are ordered by.
struct ValueReader<'a> {
    sorter: &'a Sorter<'a>,
    columns: ColumnCursor<'a>,
}

impl ValueReader<'_> {
    /// All fields of a user, of whom the first may be known, and the record where it is needed.
    fn values(
        &mut self,
        user: UserId,
        key: &str,
        first: Option<SortValue>,
        record: Option<&UserRecord>,
    ) -> Result<Vec<SortValue>, Error> {
        let order = &self.sorter.segment.order;
        let unknown = order.iter().skip(usize::from(first.is_some()));
        let mut values = Vec::with_capacity(order.len());
        values.extend(first);
        for (field, _) in unknown {
            values.push(match field {
                OrderField::Key => SortValue::Text(key.to_owned()),
                OrderField::Attribute(attribute) => {
                    let number = self.columns.value(*attribute, user)?;
                    number.map_or(SortValue::Missing, |number| {
                        SortValue::Number(self.sorter.rank(*attribute, number))
                    })
                }
                OrderField::Text(attribute) => {
                    text_of(record.and_then(|record| record.value(*attribute)))
                }
            });
        }
        Ok(values)
    }
}

fn user_at(block: &FoundBlock<'_>, place: u16) -> UserId {
    UserId(u32::from(block.id.0) << BLOCK_BITS | u32::from(place))
}

/// For each code its position in the order of the texts.
pub(crate) fn ranks_by_text(schema: &Schema, attribute: AttributeId) -> Vec<i64> {
    let mut values: Vec<(&str, u32)> = schema
        .values(attribute)
        .map(|(code, text)| (text, code.0))
        .collect();
    values.sort_unstable();
    let mut ranks = vec![i64::MAX; schema.value_count(attribute) as usize];
    for (rank, (_, code)) in (0_i64..).zip(values) {
        if let Some(place) = ranks.get_mut(code as usize) {
            *place = rank;
        }
    }
    ranks
}
