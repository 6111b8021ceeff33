//! The bytes of every column family, one example a kind of key, against a file.
//!
//! A difference means that old databases read differently: it needs a new format version and an
//! upgrade. `TESSERA_BLESS=1` writes the file anew.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::fmt::Write;

use super::{
    definition_format::{
        StoredDefinition, StoredKind, StoredLifecycle, StoredNotes, StoredProperty, StoredRetag,
    },
    families::{
        Columns, DatabaseFactsKey, Definitions, EventExtents, EventIds, EventTables, Events, Facts,
        Family, FormatVersionKey, FormatVersions, Fragments, IdempotentOutcome, IncomingKey,
        IncomingLists, KeyBlocks, NextEventIdKey, NextIdsKey, PartitionState, Partitions, Records,
        Requests, Texts, UnusedEventId, UnusedIds, UserIds,
    },
    formats::{DatabaseFacts, NextIds, ValueFormat},
    incoming::IncomingList,
    keys::{
        ColumnKey, EventExtentKey, EventIdKey, EventKey, EventTableKey, FragmentKey, KeyBlockKey,
        KeyFormat, RequestKey, SchemaKey, TextKey, UserIdKey, UserKey,
    },
    *,
};
use crate::{
    behaviour::{Bucket, EventDelta, EventRow, EventTable, Extent, merge_full},
    bitmap::Fragment,
    column::ColumnBlock,
    ids::{
        AttributeId, BlockId, EventId, FormId, GroupId, PartitionId, RowId, SegmentId, ShardId,
        SliceRow, TagId, UserId, ValueCode,
    },
    time::{Length, LengthUnit},
    user_keys::KeyBlock,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/storage.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Sheet(String);

impl Sheet {
    /// Adds an example, and checks that it can be read again.
    fn add<F: Family>(&mut self, note: &str, key: &F::Key<'_>, value: &F::Value) {
        let key = key.to_bytes();
        let mut bytes = Vec::new();
        value.write_to(&mut bytes).unwrap();
        assert!(F::Key::read_from(&key).is_ok(), "{note}");
        let mut again = Vec::new();
        F::Value::read_from(&bytes)
            .unwrap()
            .write_to(&mut again)
            .unwrap();
        assert_eq!(again, bytes, "{note}");
        writeln!(
            self.0,
            "{} {note}\n  key   {}\n  value {}",
            F::ID.name(),
            hex(&key),
            hex(&bytes)
        )
        .unwrap();
    }
}

fn notes() -> StoredNotes {
    StoredNotes {
        description: Some("a note".to_owned()),
        owner: None,
    }
}

fn add_meta(sheet: &mut Sheet) {
    sheet.add::<FormatVersions>("format version", &FormatVersionKey, &FORMAT_VERSION);
    let facts = DatabaseFacts {
        id: [7; 16],
        created_at_us: 1_700_000_000_000_000,
        partition_count: 16,
    };
    sheet.add::<Facts>("database", &DatabaseFactsKey, &facts);
    let next = NextIds {
        tag: TagId(1),
        group: GroupId(300),
        attribute: AttributeId(3),
        segment: SegmentId(70_000),
    };
    sheet.add::<UnusedIds>("next ids", &NextIdsKey, &next);
    sheet.add::<UnusedEventId>("next event", &NextEventIdKey, &EventId(7));
    let files = vec![("records".to_owned(), "records-0.sst".to_owned())];
    let list = IncomingList { files };
    sheet.add::<IncomingLists>("incoming files", &IncomingKey, &list);
}

fn add_schema(sheet: &mut Sheet) {
    let tag = StoredDefinition::Tag {
        name: "vip".to_owned(),
        group: Some(GroupId(3)),
        notes: notes(),
    };
    sheet.add::<Definitions>("tag", &SchemaKey::Tag(TagId(258)), &tag);
    let tag = StoredDefinition::TimedTag {
        name: "member".to_owned(),
        group: None,
        notes: notes(),
        validity: Some(Length {
            amount: 30,
            unit: LengthUnit::Day,
        }),
        on_retag: StoredRetag::Extend,
        is_timed: true,
    };
    sheet.add::<Definitions>("dynamic tag", &SchemaKey::Tag(TagId(259)), &tag);
    let group = StoredDefinition::Group {
        name: "g".to_owned(),
        is_exclusive: true,
        notes: notes(),
    };
    sheet.add::<Definitions>("group", &SchemaKey::Group(GroupId(3)), &group);
    let tag = StoredDefinition::FullTag {
        name: "big".to_owned(),
        group: Some(GroupId(4)),
        notes: notes(),
        validity: None,
        on_retag: StoredRetag::Replace,
        is_timed: false,
        rule: Some("spend > 1000".to_owned()),
        is_blocked_for_some: true,
        lifecycle: StoredLifecycle::Deprecated,
        aliases: vec!["large".to_owned()],
    };
    sheet.add::<Definitions>("tag with a rule", &SchemaKey::Tag(TagId(260)), &tag);
    let group = StoredDefinition::FullGroup {
        name: "tiers".to_owned(),
        is_exclusive: true,
        notes: notes(),
        parent: Some(GroupId(3)),
        rule: Some("big: spend > 1000, small: OTHERWISE".to_owned()),
    };
    sheet.add::<Definitions>("group with a rule", &SchemaKey::Group(GroupId(4)), &group);
    let kinds = [
        StoredKind::OpenEnum,
        StoredKind::ClosedEnum,
        StoredKind::OpenMulti,
        StoredKind::ClosedMulti,
        StoredKind::Integer,
        StoredKind::Decimal { scale: 2 },
        StoredKind::Date,
        StoredKind::Timestamp,
        StoredKind::Boolean,
        StoredKind::Text,
        StoredKind::User,
        StoredKind::Inviter,
        StoredKind::YearsSince { of: AttributeId(6) },
    ];
    for (id, kind) in (0..).zip(kinds) {
        let definition = StoredDefinition::Attribute {
            name: format!("a{id}"),
            kind,
            is_write_once: id % 2 == 1,
            notes: StoredNotes {
                description: None,
                owner: Some("ann".to_owned()),
            },
        };
        sheet.add::<Definitions>(
            &format!("attribute {kind:?}"),
            &SchemaKey::Attribute(AttributeId(id)),
            &definition,
        );
    }
    let segment = StoredDefinition::Segment {
        name: "s".to_owned(),
        text: "tag:vip".to_owned(),
        notes: notes(),
    };
    sheet.add::<Definitions>("segment", &SchemaKey::Segment(SegmentId(1)), &segment);
    let form = StoredDefinition::Form {
        name: "f".to_owned(),
        text: "DEFINE FORM f (x TEXT SETS ATTRIBUTE x)".to_owned(),
        notes: notes(),
    };
    sheet.add::<Definitions>("form", &SchemaKey::Form(FormId(1)), &form);
    let value = StoredDefinition::Value("東京".to_owned());
    sheet.add::<Definitions>(
        "value",
        &SchemaKey::Value(AttributeId(1), ValueCode(2)),
        &value,
    );
}

fn add_events(sheet: &mut Sheet) {
    let (amount, note) = (AttributeId(300), AttributeId(301));
    let property = |id, name: &str, kind| StoredProperty {
        id,
        name: name.to_owned(),
        kind,
    };
    let definition = StoredDefinition::Event {
        name: "purchase".to_owned(),
        properties: vec![
            property(amount, "amount", StoredKind::Decimal { scale: 2 }),
            property(note, "note", StoredKind::Text),
        ],
        retention_days: Some(730),
        notes: notes(),
    };
    let event = EventId(6);
    sheet.add::<Definitions>("event", &SchemaKey::Event(event), &definition);
    let (partition, user) = (PartitionId(258), UserId(66_051));
    let key = EventKey {
        partition,
        event,
        user,
        time_us: 1_700_000_000_000_000,
        command: 70_000,
        index: 5,
    };
    let details = EventDetails {
        id: Some("e-1".to_owned()),
        values: vec![
            (amount, StoredValue::Number(1250)),
            (note, StoredValue::Text("é".to_owned())),
        ],
    };
    sheet.add::<Events>("event", &key, &details);
    let id = EventIdKey {
        partition,
        user,
        id: "e-1",
    };
    sheet.add::<EventIds>("id", &id, &event);
    let mut delta = EventDelta::new();
    let row = EventRow {
        offset: user.offset(),
        time_us: key.time_us,
        values: details.numbers(),
    };
    delta.add(&row).unwrap();
    let delta = delta.encode().unwrap();
    let table = merge_full(None, [delta.as_slice()].into_iter()).unwrap();
    let table = EventTable::from_bytes(table).unwrap();
    for bucket in [Bucket::Day(19_675), Bucket::Month(-1)] {
        let key = EventTableKey {
            partition,
            event,
            shard: ShardId(4095),
            bucket,
        };
        sheet.add::<EventTables>(&format!("{bucket:?}"), &key, &table);
    }
    let mut extent = Extent::of_day(-3);
    extent.include(19_675);
    sheet.add::<EventExtents>("extent", &EventExtentKey { partition, event }, &extent);
}

fn add_tag_sizes(sheet: &mut Sheet) {
    let run = TagRun::of(TagId(70_000));
    let sizes = TagSizes(vec![(TagId(70_000), 0), (TagId(70_001), 300)]);
    sheet.add::<SizesOfTags>("sizes", &TagSizesKey { run, day: 20_420 }, &sizes);
    let asked = TagsAsked(vec![(TagId(70_000), 20_419)]);
    sheet.add::<AskedTags>("asked", &TagsAskedKey(run), &asked);
}

fn add_users(sheet: &mut Sheet) {
    let partition = PartitionId(258);
    let state = PartitionState {
        applied_offset: 70_000,
        users_next: 251,
        users_live: 250,
    };
    sheet.add::<Partitions>("state", &partition, &state);
    sheet.add::<UserIds>(
        "id",
        &UserIdKey {
            partition,
            key: "u1",
        },
        &UserId(66_051),
    );
    let key = UserKey {
        partition,
        user: UserId(66_051),
    };
    let keys = KeyBlock::from_entries([(0, "é"), (2, "u1")]).unwrap();
    sheet.add::<KeyBlocks>("keys", &KeyBlockKey::of(key), &keys);
    let long = "x".repeat(256);
    let keys = KeyBlock::from_entries((0..256).map(|place| (place, long.as_str()))).unwrap();
    let mut bytes = Vec::new();
    keys.write_to(&mut bytes);
    assert_eq!(bytes[..8], [2, 1, 0x80, 2, 0x80, 2, b'x', b'x']);
    let record = UserRecord {
        values: vec![
            (AttributeId(0), StoredValue::Code(ValueCode(5))),
            (
                AttributeId(2),
                StoredValue::Codes(vec![ValueCode(1), ValueCode(300)]),
            ),
            (AttributeId(4), StoredValue::Number(-1)),
            (AttributeId(5), StoredValue::Number(i64::MAX)),
            (AttributeId(9), StoredValue::Text("é".to_owned())),
        ],
        tags: vec![TagId(0), TagId(251), TagId(70_000)],
        ..UserRecord::default()
    };
    sheet.add::<Records>("record", &key, &record);
    let mut held = UserRecord::default();
    let import = Holding::standing(Source::Import, Some(1_700_000_000));
    held.hold(TagId(0), import);
    held.hold(TagId(251), import);
    sheet.add::<Records>("record of an import", &key, &held);
    let timed = Holding::timed(Source::Manual, 1_700_000_100, Some(1_702_592_100));
    held.hold(TagId(7), timed);
    held.hold(TagId(70_000), Holding::timed(Source::Rule, -1, None));
    held.hold(TagId(70_001), Holding::standing(Source::Model, None));
    sheet.add::<Records>("record held in several ways", &key, &held);
    let mut blocked = UserRecord::default();
    blocked.block(TagId(3));
    blocked.block(TagId(70_000));
    sheet.add::<Records>("record of taken tags", &key, &blocked);
    blocked.hold(TagId(7), timed);
    sheet.add::<Records>("record of given and taken tags", &key, &blocked);
    sheet.add::<Records>(
        "empty record",
        &UserKey {
            partition,
            user: UserId(0),
        },
        &UserRecord::default(),
    );
}

fn add_derived(sheet: &mut Sheet) {
    let partition = PartitionId(258);
    let attribute = AttributeId(66_051);
    let fragment = Fragment::from_sorted([1, 2, 3, 70_000]).unwrap();
    let rows = [
        RowId::Users,
        RowId::Tag(TagId(66_051)),
        RowId::Present(attribute),
        RowId::Value(attribute, ValueCode(5)),
        RowId::Sign(attribute),
        RowId::Slice(attribute, 62),
        RowId::Did(EventId(66_051)),
        RowId::DidInMonth(EventId(66_051), -1),
        RowId::DidOnDay(EventId(66_051), 19_675),
        RowId::Since(TagId(66_051), SliceRow::Present),
        RowId::Since(TagId(66_051), SliceRow::Sign),
        RowId::Until(TagId(66_051), SliceRow::Bit(0)),
        RowId::Until(TagId(66_051), SliceRow::Bit(62)),
        RowId::Blocked(TagId(66_051)),
    ];
    for row in rows {
        sheet.add::<Fragments>(
            &format!("{row:?}"),
            &FragmentKey {
                partition,
                row,
                shard: ShardId(4095),
            },
            &fragment,
        );
    }
    let column = ColumnBlock::from_entries([(0, -5), (3, 300)]);
    sheet.add::<Columns>(
        "column",
        &ColumnKey {
            partition,
            attribute,
            block: BlockId(65_535),
        },
        &column,
    );
    for text in ["paris", "", "a\0b"] {
        let key = TextKey {
            partition,
            attribute,
            text: text.into(),
            user: UserId(66_051),
        };
        sheet.add::<Texts>(&format!("{text:?}"), &key, &());
    }
    let outcome = IdempotentOutcome {
        at_us: 1_700_000_000_000_000,
        users_changed: 3,
        facts_changed: 400,
    };
    sheet.add::<Requests>("outcome", &RequestKey([9; 16]), &outcome);
}

#[test]
fn bytes_are_what_they_were() {
    let mut sheet = Sheet(String::new());
    add_meta(&mut sheet);
    add_schema(&mut sheet);
    add_events(&mut sheet);
    add_users(&mut sheet);
    add_derived(&mut sheet);
    add_tag_sizes(&mut sheet);
    if std::env::var_os("TESSERA_BLESS").is_some() {
        std::fs::write(FILE, &sheet.0).unwrap();
    }
    let known = std::fs::read_to_string(FILE).unwrap();
    assert_eq!(sheet.0, known, "the storage format has changed");
}
