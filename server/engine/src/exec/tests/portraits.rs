//! A portrait is made of what one user has: no row, column or table is read for it, however many
//! tags there are.

use std::{ops::ControlFlow, sync::Arc};

use jiff::Timestamp;
use tessera_query_lang::ast::Statement;

use super::statement;
use crate::{
    behaviour::{Bucket, EventTable, Extent},
    bitmap::Fragment,
    budget::Budget,
    column::ColumnBlock,
    datum::{Datum, Row},
    error::Error,
    exec::{
        cursors::{Cursors, SystemRandomness},
        dataset::Dataset,
        heard::Heard,
        limits::QueryLimits,
        query::Query,
        testing::{Collected, random},
    },
    ids::{
        AttributeId, BlockId, EventId, GroupId, Location, PartitionId, RowId, SegmentId, ShardId,
        TagId, UserId,
    },
    schema::{
        EventDefinition, Exclusivity, GroupDefinition, Notes, Schema, SegmentDefinition,
        TagDefinition,
    },
    storage::{EventDetails, Holding, Source, StorageError, TextsFrom, UserEvent, UserRecord},
    time::ManualClock,
    user_keys::PackedKeys,
};

const TAGS: u32 = 100_000;
const KEY: &str = "u1";
const LOCATION: Location = Location {
    partition: PartitionId(0),
    user: UserId(7),
};

/// A data set of which only what belongs to one user can be read.
struct OneUser {
    schema: Arc<Schema>,
    record: UserRecord,
    events: Vec<UserEvent>,
}

fn refused<T>() -> Result<T, StorageError> {
    Err(StorageError::Store("this is not of one user".to_owned()))
}

impl Dataset for OneUser {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn partition_count(&self) -> u16 {
        1
    }

    fn shard_count(&self, _: PartitionId) -> Result<u16, StorageError> {
        Ok(1)
    }

    fn block_count(&self, _: PartitionId) -> Result<u32, StorageError> {
        Ok(1)
    }

    fn fragment(
        &self,
        _: PartitionId,
        _: ShardId,
        _: RowId,
    ) -> Result<Arc<Fragment>, StorageError> {
        refused()
    }

    fn column(
        &self,
        _: PartitionId,
        _: AttributeId,
        _: BlockId,
    ) -> Result<Arc<ColumnBlock>, StorageError> {
        refused()
    }

    fn keys(&self, _: PartitionId, _: &[UserId], _: &mut PackedKeys) -> Result<(), StorageError> {
        refused()
    }

    fn locate(&self, key: &str) -> Result<Option<Location>, StorageError> {
        Ok((key == KEY).then_some(LOCATION))
    }

    fn record(&self, location: Location) -> Result<Option<UserRecord>, StorageError> {
        Ok((location == LOCATION).then(|| self.record.clone()))
    }

    fn event_extent(&self, _: PartitionId, _: EventId) -> Result<Option<Extent>, StorageError> {
        refused()
    }

    fn event_table(
        &self,
        _: PartitionId,
        _: ShardId,
        _: EventId,
        _: Bucket,
    ) -> Result<Arc<EventTable>, StorageError> {
        refused()
    }

    fn user_events(&self, _: Location) -> Result<Vec<UserEvent>, StorageError> {
        Ok(self.events.clone())
    }

    fn text_matches(
        &self,
        _: PartitionId,
        _: AttributeId,
        _: &str,
    ) -> Result<Vec<UserId>, StorageError> {
        refused()
    }

    fn walk_texts(
        &self,
        _: PartitionId,
        _: TextsFrom<'_>,
        _: &mut dyn FnMut(&str, UserId) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        refused()
    }

    fn for_each_user(
        &self,
        _: PartitionId,
        _: &mut dyn FnMut(UserId, &str, &UserRecord),
    ) -> Result<(), StorageError> {
        refused()
    }
}

fn tag(id: u32, name: &str) -> TagDefinition {
    TagDefinition::new(TagId(id), random::name(name))
}

/// Many tags without rules, one with a rule of its own, and a group with layers.
fn schema() -> Schema {
    let mut schema = Schema::new();
    for id in 0..TAGS {
        schema.put_tag(tag(id, &format!("t{id}")));
    }
    schema.put_event(EventDefinition {
        id: EventId(0),
        name: random::name("purchase"),
        properties: Vec::new(),
        retention_days: None,
        notes: Notes::default(),
    });
    schema.put_tag(TagDefinition {
        rule: Some("did:purchase AND NOT tag:t2".to_owned()),
        ..tag(TAGS, "buyer")
    });
    schema.put_group(GroupDefinition {
        exclusivity: Exclusivity::Exclusive,
        rule: Some("first: tag:t1 AND tag:t2, second: tag:buyer, third: OTHERWISE".to_owned()),
        ..GroupDefinition::new(GroupId(0), random::name("tier"))
    });
    for (id, name) in (TAGS + 1..).zip(["first", "second", "third"]) {
        schema.put_tag(TagDefinition {
            group: Some(GroupId(0)),
            ..tag(id, name)
        });
    }
    let segments = [("kept", "tag:second AND tag:t5"), ("missed", "tag:t2")];
    for (id, (name, text)) in (0..).zip(segments) {
        schema.put_segment(SegmentDefinition {
            id: SegmentId(id),
            name: random::name(name),
            text: text.to_owned(),
            notes: Notes::default(),
        });
    }
    schema
}

fn one_user() -> OneUser {
    let mut record = UserRecord::default();
    for id in [5, TAGS - 1] {
        record.hold(TagId(id), Holding::standing(Source::Import, None));
    }
    OneUser {
        schema: Arc::new(schema()),
        record,
        events: vec![UserEvent {
            event: EventId(0),
            time_us: -1,
            details: EventDetails::default(),
        }],
    }
}

fn run(dataset: &Arc<OneUser>, text: &str) -> Result<Vec<Row>, Error> {
    let (budget, limits) = (Budget::unlimited(), QueryLimits::default());
    let clock = ManualClock::default();
    let cursors = Cursors::new(Box::<SystemRandomness>::default());
    let query = Query {
        dataset: Arc::clone(dataset) as Arc<dyn Dataset>,
        scheduler: None,
        budget: &budget,
        limits: &limits,
        parameters: &[],
        now: Timestamp::UNIX_EPOCH,
        clock: &clock,
        cursors: &cursors,
        heard: &Heard::default(),
        orders: None,
    };
    let mut sink = Collected::default();
    match statement(text) {
        Statement::Portrait(key) => query.portrait(&key, &mut sink)?,
        Statement::Why { user, filter } => query.why(&user, &filter, &mut sink)?,
        Statement::Count(expr) => query.count(&expr, &mut sink)?,
        other => panic!("{other:?} is not asked here"),
    };
    Ok(sink.rows)
}

#[test]
fn of_many_tags_only_those_of_the_user_cost() {
    let dataset = Arc::new(one_user());
    let rows = run(&dataset, "PORTRAIT u1").expect("nothing else is read");
    let of_section = |section: &str| -> Vec<String> {
        let section = Datum::Text(section.to_owned());
        let rows = rows.iter().filter(|row| row.first() == Some(&section));
        rows.filter_map(|row| match row.get(1) {
            Some(Datum::Text(name)) => Some(name.clone()),
            _ => None,
        })
        .collect()
    };
    assert_eq!(of_section("tag"), ["buyer", "second", "t5", "t99999"]);
    assert_eq!(of_section("rule"), ["buyer", "second"]);
    assert_eq!(of_section("segment"), ["kept"]);
    assert_eq!(of_section("event").len(), 1);
    // Nor is it for the reason.
    let rows = run(&dataset, "WHY u1 IN segment:kept AND tag:third").expect("nothing else is read");
    assert!(rows.len() > 4, "{rows:?}");
    run(&dataset, "COUNT tag:t5").expect_err("a count reads rows");
}
