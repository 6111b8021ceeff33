//! Opening, closing, and stores that are not as they should be.

use super::*;
use crate::{
    ids::{AttributeId, BlockId, TagId, UserId},
    storage::StorageError,
};

#[test]
fn everything_is_there_after_a_restart() {
    let mut fixture = Fixture::defined(&[
        "DEFINE TAG vip",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE age INTEGER",
    ]);
    fixture.changed(
        (0..500)
            .flat_map(|n| {
                [
                    tag(&format!("u{n}"), &["vip"]),
                    set(&format!("u{n}"), "age", Datum::Integer(n)),
                ]
            })
            .collect(),
    );
    fixture.changed(vec![set("u7", "city", text("rome")), delete("u8")]);
    for _ in 0..2 {
        fixture.restart();
        assert_eq!(
            (fixture.holders("vip"), fixture.count(RowId::Users)),
            (499, 499)
        );
        assert_eq!(fixture.value("u7", "city"), Some(text("rome")));
        assert_eq!(fixture.db().view().user_count().unwrap(), 499);
        fixture.check_consistent();
    }
    fixture.changed(vec![ensure("new"), set("u9", "city", text("oslo"))]);
    fixture.check_consistent();
}

#[test]
fn only_one_may_have_it_open() {
    let mut fixture = Fixture::new();
    let second = Database::open(
        fixture.dir.path(),
        fixture.options.clone(),
        fixture.clock.clone(),
    );
    assert!(
        matches!(&second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );
    assert!(
        second
            .unwrap_err()
            .to_string()
            .contains("in use by another server")
    );
    // A view that somebody holds keeps it open.
    let view = fixture.db().view();
    fixture.database.take().unwrap().close().unwrap();
    assert!(matches!(fixture.open(), Err(OpenError::Locked { .. })));
    assert_eq!(view.user_count().unwrap(), 0);
    drop(view);
    fixture.open().unwrap();
}

#[test]
fn what_was_fixed_at_creation_stays() {
    let mut fixture = Fixture::new();
    fixture.options.partition_count = 9;
    fixture.options.database_id = None;
    fixture.restart();
    assert_eq!(fixture.db().view().partition_count(), 4);
    let status = fixture.db().status().unwrap();
    let id = status
        .iter()
        .find(|(name, _)| name == "database_id")
        .map(|(_, id)| id.clone());
    assert_eq!(id, Some(text(&"07".repeat(16))));
    assert_ne!(DatabaseId::random(), DatabaseId::random());
}

#[test]
fn impossible_options_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for partition_count in [0, 4097] {
        let options = Options {
            partition_count,
            ..Options::default()
        };
        let opened = Database::open(dir.path(), options, Arc::new(ManualClock::default()));
        assert!(matches!(opened, Err(OpenError::InvalidOption(_))));
    }
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let opened = Database::open(&file, Options::default(), Arc::new(ManualClock::default()));
    assert!(matches!(opened, Err(OpenError::Directory { .. })));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let mut fixture = Fixture::new();
    let mut batch = fixture.db().store.rocks().batch();
    batch
        .put(
            crate::storage::FamilyId::Meta,
            b"format_version",
            &[0, 0, 0, 9],
        )
        .unwrap();
    fixture
        .db()
        .store
        .rocks()
        .commit(batch, crate::storage::Sync::Disk)
        .unwrap();
    let error = fixture.open().unwrap_err();
    assert!(matches!(
        error,
        OpenError::NewerFormat {
            found: 9,
            supported: 4
        }
    ));
    assert!(error.to_string().contains("format 9"), "{error}");
}

/// Writes bytes behind the engine's back.
fn damage(fixture: &mut Fixture, family: crate::storage::FamilyId, key: &[u8], value: &[u8]) {
    let mut batch = fixture.db().store.rocks().batch();
    batch.put(family, key, value).unwrap();
    fixture
        .db()
        .store
        .rocks()
        .commit(batch, crate::storage::Sync::Disk)
        .unwrap();
    fixture.restart();
}

#[test]
fn damaged_bytes_are_errors_that_say_where() {
    use crate::storage::FamilyId;
    let mut fixture = Fixture::with(|options| options.partition_count = 1);
    fixture.define("DEFINE TAG vip").unwrap();
    fixture.define("DEFINE ATTRIBUTE age INTEGER").unwrap();
    fixture.changed(vec![
        tag("u1", &["vip"]),
        set("u1", "age", Datum::Integer(3)),
    ]);
    let row = [&[0, 0, 1][..], &[0; 10]].concat();
    damage(&mut fixture, FamilyId::Fragments, &row, b"garbage");
    let fragment = |fixture: &Fixture| {
        fixture
            .db()
            .view()
            .fragment(PartitionId(0), ShardId(0), RowId::Tag(TagId(0)))
            .map(|fragment| fragment.cardinality())
    };
    assert!(matches!(
        fragment(&fixture),
        Err(StorageError::Damaged {
            family: "fragments",
            ..
        })
    ));
    // A later write to the row neither fails nor hides the damage, not even when it is merged.
    fixture.changed(vec![tag("u2", &["vip"])]);
    fixture.db().store.compact().unwrap();
    assert!(matches!(
        fragment(&fixture),
        Err(StorageError::Damaged {
            family: "fragments",
            ..
        })
    ));
    fixture.changed(vec![tag("u3", &["vip"])]);
    fixture.restart();
    assert!(matches!(
        fragment(&fixture),
        Err(StorageError::Damaged {
            family: "fragments",
            ..
        })
    ));

    damage(&mut fixture, FamilyId::Columns, &[0; 8], &[255; 40]);
    let column = fixture
        .db()
        .view()
        .column(PartitionId(0), AttributeId(0), BlockId(0));
    assert!(matches!(
        column,
        Err(StorageError::Damaged {
            family: "columns",
            ..
        })
    ));

    damage(
        &mut fixture,
        FamilyId::Records,
        &[0; 6],
        &[253, 255, 255, 255, 255, 255, 255, 255, 255],
    );
    let location = Location {
        partition: PartitionId(0),
        user: UserId(0),
    };
    assert!(fixture.db().view().record(location).is_err());
    refused(
        fixture.write(vec![tag("u1", &["vip"])]),
        ErrorCode::Storage,
        "damaged data in records",
    );
    assert!(verify(&fixture.db().view()).unwrap().problem_count >= 3);
}

#[test]
fn damaged_definitions_keep_the_database_closed() {
    use crate::storage::FamilyId;
    for (key, value) in [
        (&b"\0\0\0\0\0"[..], &b"\x09"[..]),
        (b"\x09", b""),
        (b"\0\0\0\0\x01", b"\x01\x01x\0\0\0"),
        // An attribute that is a decimal with 19 digits after the point.
        (b"\x02\0\0\0\0", b"\x02\x01x\x05\x13\0\0\0"),
    ] {
        let mut fixture = Fixture::new();
        let mut batch = fixture.db().store.rocks().batch();
        batch.put(FamilyId::Schema, key, value).unwrap();
        fixture
            .db()
            .store
            .rocks()
            .commit(batch, crate::storage::Sync::Disk)
            .unwrap();
        let error = fixture.open().unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Storage(StorageError::Damaged {
                    family: "schema",
                    ..
                })
            ),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_number_of_partitions_keeps_the_database_closed() {
    use crate::storage::FamilyId;
    // 0, 4097 and 65535, as they are stored.
    for partition_count in [&[0][..], &[251, 1, 16], &[251, 255, 255]] {
        let mut fixture = Fixture::new();
        let rocks = fixture.db().store.rocks();
        let mut key = None;
        rocks
            .snapshot()
            .walk(FamilyId::Meta, &[], |found, value| {
                // The id, the time and the number: longer than the format's version.
                if value.len() > 16 {
                    key = Some((found.to_vec(), value[..16].to_vec()));
                }
                Ok(())
            })
            .unwrap();
        let (key, id) = key.expect("the facts of creation");
        let value = [&id[..], &[0], partition_count].concat();
        let mut batch = rocks.batch();
        batch.put(FamilyId::Meta, &key, &value).unwrap();
        rocks.commit(batch, crate::storage::Sync::Disk).unwrap();
        let error = fixture.open().unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Storage(StorageError::Damaged { family: "meta", .. })
            ),
            "{error}"
        );
        assert!(error.to_string().contains("1 to 4096"), "{error}");
    }
}

#[test]
fn damaged_counts_of_a_partition_refuse_writes() {
    let mut fixture = Fixture::with(|options| options.partition_count = 1);
    fixture.write(vec![ensure("u1")]).unwrap();
    let good = crate::storage::PartitionState {
        applied_offset: 1,
        users_next: 1,
        users_live: 1,
    };
    let mut check = |state: crate::storage::PartitionState, mutation: Mutation, message: &str| {
        let mut changes = crate::storage::Changes::default();
        changes
            .put::<crate::storage::Partitions>(&PartitionId(0), &state)
            .unwrap();
        let schema = fixture.db().view().schema().clone();
        fixture.db().store.append(vec![changes], schema, 1).unwrap();
        fixture.restart();
        refused(fixture.write(vec![mutation]), ErrorCode::Storage, message);
    };
    let offset = crate::storage::PartitionState {
        applied_offset: u64::MAX,
        ..good
    };
    check(offset, ensure("u2"), "damaged data in partitions");
    let full = crate::storage::PartitionState {
        users_live: u32::MAX,
        ..good
    };
    check(full, ensure("u2"), "more users live");
    let empty = crate::storage::PartitionState {
        users_live: 0,
        ..good
    };
    check(empty, delete("u1"), "where none is counted");
}

#[test]
fn nothing_is_written_after_closing() {
    let fixture = Fixture::new();
    let handle = fixture.db().handle.clone();
    drop(fixture);
    let request = WriteRequest {
        mutations: vec![ensure("u1")],
        ..WriteRequest::default()
    };
    assert!(matches!(
        handle.submit(Job::Write(request)),
        Err(Error::Closing)
    ));
}

#[test]
fn after_a_failed_commit_nothing_is_acknowledged() {
    use std::sync::atomic::Ordering;
    let mut fixture = Fixture::defined(&["DEFINE TAG vip"]);
    fixture.changed(vec![tag("u1", &["vip"])]);
    fixture.db().store.is_failing.store(true, Ordering::SeqCst);
    refused(
        fixture.write(vec![tag("u2", &["vip"])]),
        ErrorCode::Storage,
        "no space left",
    );
    fixture.db().store.is_failing.store(false, Ordering::SeqCst);
    // The disk may have recovered; what it holds is known only after opening again.
    refused(
        fixture.write(vec![tag("u3", &["vip"])]),
        ErrorCode::Storage,
        "writing has stopped",
    );
    refused(
        fixture.define("DEFINE TAG gold"),
        ErrorCode::Storage,
        "writing has stopped",
    );
    assert_eq!(fixture.holders("vip"), 1);
    fixture.restart();
    assert_eq!(fixture.changed(vec![tag("u3", &["vip"])]), (1, 1));
    fixture.check_consistent();
}

/// Opening takes as long for many users as for few: nothing that belongs to users is read.
#[test]
fn opening_reads_no_users() {
    let mut fixture = Fixture::defined(&["DEFINE TAG vip", "DEFINE ATTRIBUTE note TEXT"]);
    let user = |n: usize| {
        let key = format!("u{n}");
        let note = format!("{n:0100}");
        [tag(&key, &["vip"]), set(&key, "note", text(&note))]
    };
    fixture.changed((0..20_000).flat_map(user).collect());
    fixture.restart();
    let opened = fixture.db().store.memory().unwrap().block_cache;
    assert_eq!(fixture.db().store.cache_usage().entries, 0);
    assert_eq!(fixture.holders("vip"), 20_000);
    // Of each partition the tag's row, and nothing else.
    assert_eq!(fixture.db().store.cache_usage().entries, 4);
    fixture.check_consistent();
    let read = fixture.db().store.memory().unwrap().block_cache;
    assert!(4 * opened < read, "{opened} of {read} bytes are read");
}
