#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

//! Stores that older versions wrote, as files beside the golden bytes.

use std::{path::Path, sync::Arc};

use super::*;
use crate::{
    bitmap::Fragment,
    budget::Budget,
    database::{Database, Options},
    datum::Datum,
    exec::{dataset::Dataset, testing::Collected},
    parameters::Parameters,
    storage::{
        Holding, Source,
        families::FamilyId,
        open::{Store, StoreOptions},
        verify::verify,
    },
    time::ManualClock,
};

/// Written by the version before key blocks: three partitions, attributes of all types, users
/// deleted, one of them given again, keys of several scripts and of 256 bytes.
const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/format-1/store");

/// Written by the version before holdings: three partitions, tags in an exclusive group, users
/// deleted, a tag dropped that two users had.
const FORMAT_2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/format-2/store");

/// Written by the version before rules: three partitions, holdings that end, ended and are to
/// begin, two kinds of events, a user deleted, a tag dropped, at noon of 2026-11-20.
const FORMAT_3: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/format-3/store");

/// A copy that may be changed.
fn copy_of(store: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("store")).unwrap();
    for entry in std::fs::read_dir(store).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(
            entry.path(),
            dir.path().join("store").join(entry.file_name()),
        )
        .unwrap();
    }
    dir
}

/// The store without looking at its version.
fn rocks_in(dir: &Path) -> Rocks {
    let lock = std::fs::File::create(dir.join("lock")).unwrap();
    Rocks::open(&dir.join("store"), lock, 1 << 20).unwrap()
}

fn rows(database: &Database, statement: &str) -> Vec<Vec<Datum>> {
    let mut sink = Collected::default();
    database
        .execute(
            statement,
            &Parameters::default(),
            &Budget::unlimited(),
            &mut sink,
        )
        .unwrap();
    sink.rows
}

fn check_contents(dir: &Path) {
    let clock = Arc::new(ManualClock::default());
    let database = Database::open(dir, Options::default(), clock).unwrap();
    let view = database.view();
    let report = verify(&view).unwrap();
    assert_eq!((report.users, report.problem_count), (41, 0), "{report:?}");
    let mut expected: Vec<String> = (0..40)
        .filter(|n| ![7, 39].contains(n))
        .map(|n| format!("u{n}"))
        .chain(["böb".to_owned(), "東京-1".to_owned(), "x".repeat(256)])
        .collect();
    expected.sort_unstable();
    let mut found: Vec<String> = rows(&database, "SEGMENT ALL")
        .into_iter()
        .map(|row| match row.as_slice() {
            [Datum::Text(key)] => key.clone(),
            _ => panic!("{row:?}"),
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(view.locate("u7").unwrap(), None);
    assert_eq!(
        rows(&database, "SEGMENT user:u12 RETURN age, city"),
        [vec![
            Datum::Text("u12".to_owned()),
            Datum::Integer(99),
            Datum::Null
        ]]
    );
    rows(&database, "TAG new WITH vip");
    rows(&database, "DELETE USER u3");
    assert_eq!(verify(&database.view()).unwrap().problem_count, 0);
    drop(view);
    database.close().unwrap();
}

/// The version in the store, and whether it has the families of older formats.
fn state_of(dir: &Path) -> (u32, bool) {
    let rocks = rocks_in(dir);
    let version =
        crate::storage::families::read::<FormatVersions>(&rocks.snapshot(), &FormatVersionKey);
    (
        version.unwrap().unwrap(),
        FamilyId::RETIRED
            .into_iter()
            .any(|family| rocks.has_family(family)),
    )
}

/// How many records are in the form of format 1, and in this one's.
fn record_forms(dir: &Path) -> (usize, usize) {
    let (mut old, mut new) = (0, 0);
    rocks_in(dir)
        .snapshot()
        .walk(FamilyId::Records, &[], |_, value| {
            match value.first() {
                Some(254 | 255) => new += 1,
                Some(_) | None => old += 1,
            }
            Ok(())
        })
        .unwrap();
    (old, new)
}

/// Leaves the fragments of a store as a compaction by an older version would.
fn put_older_fragments(dir: &Path) {
    let rocks = rocks_in(dir);
    let mut batch = rocks.batch();
    rocks
        .snapshot()
        .walk(FamilyId::Fragments, &[], |key, value| {
            let fragment = Fragment::from_stored(value).unwrap();
            batch.put(FamilyId::Fragments, key, &fragment.portable())
        })
        .unwrap();
    rocks.commit(batch, Sync::Disk).unwrap();
}

/// How many fragments are in the form of older formats, and in this one's.
fn fragment_forms(dir: &Path) -> (usize, usize) {
    let (mut old, mut new) = (0, 0);
    rocks_in(dir)
        .snapshot()
        .walk(FamilyId::Fragments, &[], |_, value| {
            match value.first() {
                Some(1) => new += 1,
                Some(_) | None => old += 1,
            }
            Ok(())
        })
        .unwrap();
    (old, new)
}

#[test]
fn a_store_of_format_1_is_brought_to_this_one() {
    let dir = copy_of(FORMAT_1);
    assert_eq!(state_of(dir.path()), (1, true));
    assert_eq!(record_forms(dir.path()), (41, 0));
    check_contents(dir.path());
    assert_eq!(state_of(dir.path()), (FORMAT_VERSION, false));
    // One user was deleted; one is new, and its record is of this format.
    assert_eq!(record_forms(dir.path()), (40, 1));
}

fn count(database: &Database, expression: &str) -> Datum {
    rows(database, &format!("COUNT {expression}"))
        .remove(0)
        .remove(0)
}

#[test]
fn a_store_of_format_2_is_brought_to_this_one() {
    let dir = copy_of(FORMAT_2);
    assert_eq!(state_of(dir.path()), (2, false));
    let clock = Arc::new(ManualClock::default());
    let database = Database::open(dir.path(), Options::default(), clock).unwrap();
    let report = verify(&database.view()).unwrap();
    assert_eq!((report.users, report.problem_count), (39, 0), "{report:?}");
    let check = |expression: &str, users| {
        assert_eq!(
            count(&database, expression),
            Datum::Integer(users),
            "{expression}"
        );
    };
    check("ALL", 39);
    check("tag:vip", 26);
    check("tag:gold", 12);
    check("tag:silver", 7);
    check("segment:loyal", 23);
    let view = database.view();
    let record = |key: &str| {
        view.record(view.locate(key).unwrap().unwrap())
            .unwrap()
            .unwrap()
    };
    // Since when the tags are held is not known; it stays so when another one comes.
    let old = Holding::standing(Source::Manual, None);
    assert!(record("u12").holdings().all(|(_, holding)| holding == old));
    rows(&database, "TAG u12 WITH silver");
    drop(view);
    let view = database.view();
    let record = |key: &str| {
        view.record(view.locate(key).unwrap().unwrap())
            .unwrap()
            .unwrap()
    };
    let holdings: Vec<Holding> = record("u12")
        .holdings()
        .map(|(_, holding)| holding)
        .collect();
    assert_eq!(holdings, [Holding::standing(Source::Manual, Some(0)), old]);
    assert_eq!(verify(&view).unwrap().problem_count, 0);
    drop(view);
    database.close().unwrap();
    assert_eq!(state_of(dir.path()), (FORMAT_VERSION, false));
}

#[test]
fn a_store_of_format_3_is_brought_to_this_one() {
    let dir = copy_of(FORMAT_3);
    put_older_fragments(dir.path());
    let (older, none) = fragment_forms(dir.path());
    assert!(older > 10 && none == 0);
    assert_eq!(state_of(dir.path()), (3, false));
    let clock = Arc::new(ManualClock::at(
        "2026-11-20T12:00:00Z".parse::<jiff::Timestamp>().unwrap(),
    ));
    let database = Database::open(dir.path(), Options::default(), clock).unwrap();
    let report = verify(&database.view()).unwrap();
    assert_eq!((report.users, report.problem_count), (39, 0), "{report:?}");
    let answers = [
        ("ALL", 39),
        ("tag:vip", 25),
        ("tag:gold", 12),
        ("tag:member", 7),
        ("lapsed(tag:member, 30d)", 1),
        ("tag:coming", 0),
        ("segment:loyal", 5),
        ("did:purchase", 29),
        ("sum(purchase.amount, 90d) > 50", 14),
        ("count(purchase[category:hats]) >= 2", 9),
    ];
    for (expression, users) in answers {
        assert_eq!(
            count(&database, expression),
            Datum::Integer(users),
            "{expression}"
        );
    }
    check_younger_labels(&database);
    rows(&database, "TAG another WITH vip");
    assert_eq!(verify(&database.view()).unwrap().problem_count, 0);
    database.close().unwrap();
    assert_eq!(state_of(dir.path()), (FORMAT_VERSION, false));
    // Only what was written since is in the form of this format.
    let (left, written) = fragment_forms(dir.path());
    assert!(left > older / 2 && written >= 2, "{left} {written}");
}

/// What format 3 did not have works on what it left.
fn check_younger_labels(database: &Database) {
    let check = |expression: &str, users| {
        let found = count(database, expression);
        assert_eq!(found, Datum::Integer(users), "{expression}");
    };
    rows(
        database,
        "DEFINE TAG spender AS sum(purchase.amount, 90d) > 50",
    );
    check("tag:spender", 14);
    rows(database, "UNTAG WHERE tag:spender WITH spender");
    check("tag:spender", 0);
    rows(database, "CLEAR TAG WHERE did:purchase WITH spender");
    check("tag:spender[source = rule]", 14);
    rows(database, "RENAME TAG vip TO best");
    check("tag:best", 25);
    check("segment:loyal", 5);
    rows(database, "DEFINE TAG good");
    rows(database, "MERGE TAG best INTO good");
    check("tag:vip", 25);
    check("segment:loyal", 5);
}

#[test]
fn an_upgrade_that_was_cut_off_begins_again() {
    // While the blocks are written.
    let dir = copy_of(FORMAT_1);
    let rocks = rocks_in(dir.path());
    key_blocks::run(&rocks).unwrap();
    let mut first = None;
    rocks
        .snapshot()
        .walk(FamilyId::KeyBlocks, &[], |key, _| {
            first.get_or_insert_with(|| key.to_vec());
            Ok(())
        })
        .unwrap();
    let mut batch = rocks.batch();
    batch.delete(FamilyId::KeyBlocks, &first.unwrap()).unwrap();
    rocks.commit(batch, Sync::Disk).unwrap();
    drop(rocks);
    assert_eq!(state_of(dir.path()), (1, true));
    check_contents(dir.path());

    // Between the new version and the end of the old families.
    let dir = copy_of(FORMAT_1);
    let rocks = rocks_in(dir.path());
    key_blocks::run(&rocks).unwrap();
    let mut changes = Changes::default();
    changes
        .put::<FormatVersions>(&FormatVersionKey, &2)
        .unwrap();
    rocks
        .commit(changes.into_batch(&rocks).unwrap(), Sync::Disk)
        .unwrap();
    drop(rocks);
    assert_eq!(state_of(dir.path()), (2, true));
    check_contents(dir.path());
    assert_eq!(state_of(dir.path()), (FORMAT_VERSION, false));
}

#[test]
fn damage_found_by_an_upgrade_keeps_the_old_format() {
    let dir = copy_of(FORMAT_1);
    let rocks = rocks_in(dir.path());
    let mut batch = rocks.batch();
    batch
        .put(FamilyId::UserKeys, &[0, 0, 0, 0, 0, 0], b"\xff")
        .unwrap();
    rocks.commit(batch, Sync::Disk).unwrap();
    drop(rocks);
    let options = StoreOptions {
        partition_count: 3,
        block_cache_bytes: 1 << 20,
        view_cache_bytes: 1 << 20,
        durability: crate::storage::Durability::Fsync,
        database_id: None,
        created_at_us: 0,
    };
    let opened = Store::open(dir.path(), &options).map(drop);
    assert!(
        matches!(
            opened,
            Err(OpenError::Storage(StorageError::Damaged {
                family: "user_keys",
                ..
            }))
        ),
        "{opened:?}"
    );
    assert_eq!(state_of(dir.path()), (1, true));
}
