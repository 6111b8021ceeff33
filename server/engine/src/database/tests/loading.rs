//! Loads do what the same rows do as mutations, whatever came before and comes after.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    model::{DEFINITIONS, mutation, some_tags, stored, user, value},
    *,
};
use crate::storage::Source;

/// A row of a load.
#[derive(Debug, Clone)]
struct LoadRow {
    key: String,
    values: BTreeMap<String, Datum>,
    /// Values that are added to multi attributes.
    added: BTreeMap<String, Vec<String>>,
    taken: Vec<String>,
    tags: Vec<String>,
}

fn row(key: &str, values: &[(&str, Datum)], tags: &[&str]) -> LoadRow {
    LoadRow {
        key: key.to_owned(),
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        added: BTreeMap::new(),
        taken: Vec::new(),
        tags: strings(tags),
    }
}

fn index_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> u32 {
    let place = list.iter().position(|known| *known == item);
    let place = place.unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    u32::try_from(place).unwrap()
}

fn coded(attribute: &str, rows: &[LoadRow]) -> LoadColumn {
    let mut dictionary = Vec::new();
    let code = |row: &LoadRow| match row.values.get(attribute) {
        Some(value) => index_of(&mut dictionary, value.clone()) + 1,
        None => 0,
    };
    let codes = rows.iter().map(code).collect();
    LoadColumn::Coded {
        attribute: attribute.to_owned(),
        dictionary,
        codes,
    }
}

/// As numbers, if all values are.
fn numbered(attribute: &str, rows: &[LoadRow]) -> Option<LoadColumn> {
    let (mut present, mut numbers) = (vec![0; rows.len().div_ceil(8)], Vec::new());
    for (place, row) in rows.iter().enumerate() {
        match row.values.get(attribute) {
            None => {}
            Some(Datum::Integer(number)) => {
                present[place / 8] |= 1 << (place % 8);
                numbers.push(*number);
            }
            Some(_) => return None,
        }
    }
    Some(LoadColumn::Numbers {
        attribute: attribute.to_owned(),
        form: NumberForm::Integer,
        present,
        numbers,
    })
}

/// A list a row: what occurs, where the rows end, and the places of what they have.
fn lists<'a>(lists: impl Iterator<Item = &'a [String]>) -> (Vec<String>, Vec<u32>, Vec<u32>) {
    let (mut names, mut ends, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        codes.extend(list.iter().map(|name| index_of(&mut names, name.clone())));
        ends.push(u32::try_from(codes.len()).unwrap());
    }
    (names, ends, codes)
}

fn tagged(rows: &[LoadRow]) -> LoadColumn {
    let (names, ends, codes) = lists(rows.iter().map(|row| row.tags.as_slice()));
    LoadColumn::Tags { names, ends, codes }
}

fn taken(rows: &[LoadRow]) -> LoadColumn {
    let (names, ends, codes) = lists(rows.iter().map(|row| row.taken.as_slice()));
    LoadColumn::Taken { names, ends, codes }
}

fn added(attribute: &str, rows: &[LoadRow]) -> LoadColumn {
    let of_row = |row: &'_ LoadRow| row.added.get(attribute).cloned().unwrap_or_default();
    let values: Vec<Vec<String>> = rows.iter().map(of_row).collect();
    let (names, ends, codes) = lists(values.iter().map(Vec::as_slice));
    LoadColumn::Added {
        attribute: attribute.to_owned(),
        dictionary: names.into_iter().map(Datum::Text).collect(),
        ends,
        codes,
    }
}

fn request(rows: &[LoadRow]) -> LoadRequest {
    let attributes: std::collections::BTreeSet<&String> =
        rows.iter().flat_map(|row| row.values.keys()).collect();
    let mut columns: Vec<LoadColumn> = attributes
        .into_iter()
        .map(|name| numbered(name, rows).unwrap_or_else(|| coded(name, rows)))
        .collect();
    if rows.iter().any(|row| !row.taken.is_empty()) {
        columns.push(taken(rows));
    }
    let attributes: std::collections::BTreeSet<&String> = rows
        .iter()
        .flat_map(|row| &row.added)
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, _)| name)
        .collect();
    columns.extend(attributes.into_iter().map(|name| added(name, rows)));
    if rows.iter().any(|row| !row.tags.is_empty()) {
        columns.push(tagged(rows));
    }
    LoadRequest {
        keys: rows.iter().map(|row| &row.key).collect(),
        columns,
        ..LoadRequest::default()
    }
}

fn mutations(rows: &[LoadRow]) -> Vec<Mutation> {
    let of_row = |row: &LoadRow| {
        let user = || row.key.clone();
        let values = row.values.clone().into_iter().collect();
        let mut mutations = vec![Mutation::Set {
            user: user(),
            values,
        }];
        let added = row.added.iter().filter(|(_, values)| !values.is_empty());
        mutations.extend(added.map(|(attribute, values)| Mutation::Add {
            user: user(),
            attribute: attribute.clone(),
            values: values.iter().cloned().map(Datum::Text).collect(),
        }));
        mutations.push(Mutation::Untag {
            user: user(),
            tags: row.taken.clone(),
        });
        mutations.push(Mutation::Hold {
            user: user(),
            tags: row.tags.clone(),
            terms: Source::Import.into(),
        });
        mutations
    };
    rows.iter().flat_map(of_row).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Load(Vec<LoadRow>),
    Write(Vec<Mutation>),
    Restart,
}

fn load_row() -> impl Strategy<Value = LoadRow> {
    let values = prop::collection::vec(value(), 0..4).prop_map(|pairs| pairs.into_iter().collect());
    let added = prop::collection::vec("[a-d]", 0..3);
    let added = prop::option::of((prop::sample::select(vec!["likes", "color"]), added));
    let taken = prop_oneof![3 => Just(Vec::new()), 1 => some_tags()];
    (user(), values, added, taken, some_tags()).prop_map(|(key, values, added, taken, tags)| {
        let added = added.into_iter();
        // A multi attribute mostly: others are refused.
        let added = added.map(|(name, values)| (name.to_owned(), values));
        LoadRow {
            key,
            values,
            added: added.collect(),
            taken,
            tags,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(load_row(), 0..8).prop_map(Step::Load),
        2 => prop::collection::vec(mutation(), 1..5).prop_map(Step::Write),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn loads_do_what_mutations_do(steps in prop::collection::vec(step(), 1..12)) {
        let (mut loaded, written) = (Fixture::defined(&DEFINITIONS), Fixture::defined(&DEFINITIONS));
        for step in steps {
            let (left, right) = match &step {
                Step::Load(rows) => (loaded.db().load(request(rows)), written.write(mutations(rows))),
                Step::Write(mutations) => (loaded.write(mutations.clone()), written.write(mutations.clone())),
                Step::Restart => {
                    loaded.restart();
                    continue;
                }
            };
            match (left, right) {
                (Ok(left), Ok(right)) => prop_assert_eq!(left, right, "{:?}", step),
                (Err(left), Err(right)) => prop_assert_eq!(left.code(), right.code(), "{:?}", step),
                (left, right) => prop_assert!(false, "{:?} {:?} {:?}", left, right, step),
            }
            prop_assert_eq!(stored(&loaded), stored(&written), "{:?}", step);
            let report = verify(&loaded.db().view()).unwrap();
            prop_assert_eq!(report.problems, Vec::<String>::new());
        }
    }
}

#[test]
fn numbers_mean_what_values_of_their_form_mean() {
    let fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE n INTEGER",
        "DEFINE ATTRIBUTE d DECIMAL(2)",
        "DEFINE ATTRIBUTE day DATE",
        "DEFINE ATTRIBUTE at TIMESTAMP",
        "DEFINE ATTRIBUTE e ENUM",
    ]);
    let load = |attribute: &str, form, number| {
        fixture.db().load(LoadRequest {
            keys: ["u"].into_iter().collect(),
            columns: vec![LoadColumn::Numbers {
                attribute: attribute.to_owned(),
                form,
                present: vec![1],
                numbers: vec![number],
            }],
            ..LoadRequest::default()
        })
    };
    let check = |attribute: &str, form, number, expected: Option<Datum>| match expected {
        Some(expected) => {
            load(attribute, form, number).unwrap();
            assert_eq!(fixture.value("u", attribute), Some(expected));
        }
        None => refused(
            load(attribute, form, number),
            ErrorCode::TypeMismatch,
            attribute,
        ),
    };
    let decimal = |units, scale| Some(Datum::Decimal { units, scale });
    check("n", NumberForm::Integer, -3, Some(Datum::Integer(-3)));
    check(
        "n",
        NumberForm::Decimal { scale: 1 },
        20,
        Some(Datum::Integer(2)),
    );
    check("n", NumberForm::Decimal { scale: 1 }, 25, None);
    check("n", NumberForm::Date, 1, None);
    check("d", NumberForm::Integer, 7, decimal(700, 2));
    check("d", NumberForm::Decimal { scale: 2 }, 7, decimal(7, 2));
    check("d", NumberForm::Integer, i64::MAX, None);
    check("day", NumberForm::Date, 9, Some(Datum::Date(9)));
    check("day", NumberForm::Date, i64::MAX, None);
    check("day", NumberForm::Integer, 9, None);
    check("at", NumberForm::Timestamp, 9, Some(Datum::Timestamp(9)));
    check("at", NumberForm::Timestamp, i64::MAX, None);
    check("e", NumberForm::Integer, 5, Some(text("5")));
    fixture.check_consistent();
}

#[test]
fn a_refused_load_leaves_nothing() {
    let fixture = Fixture::defined(&["DEFINE ATTRIBUTE age INTEGER", "DEFINE TAG vip"]);
    let load = |rows: &[LoadRow]| fixture.db().load(request(rows));
    let good = row("good", &[("age", Datum::Integer(3))], &["vip"]);
    let check = |bad: LoadRow, code, message: &str| {
        refused(load(&[good.clone(), bad]), code, message);
        assert_eq!(fixture.count(RowId::Users), 0);
    };
    let mismatch = ErrorCode::TypeMismatch;
    check(
        row("bad", &[("age", text("x"))], &[]),
        mismatch,
        "user \"bad\"",
    );
    check(row("", &[], &[]), mismatch, "a key cannot be empty");
    check(
        row("bad", &[], &["none"]),
        ErrorCode::UnknownName,
        "no tag named \"none\"",
    );
    check(
        row("bad", &[("size", Datum::Null)], &[]),
        ErrorCode::UnknownName,
        "no attribute named \"size\"",
    );
    let mut misshapen = request(std::slice::from_ref(&good));
    misshapen.keys = PackedTexts::default();
    refused(fixture.db().load(misshapen), mismatch, "malformed");
    // What no row names is not looked at.
    let mut unused = request(std::slice::from_ref(&good));
    unused.columns.push(LoadColumn::Tags {
        names: vec!["none".to_owned()],
        ends: vec![0],
        codes: vec![],
    });
    assert_eq!(fixture.db().load(unused).unwrap().facts_changed, 2);
    fixture.check_consistent();
}

#[test]
fn a_load_defines_tags_if_it_may_and_is_remembered_by_its_key() {
    let mut fixture = Fixture::defined(&[]);
    let load = LoadRequest {
        idempotency_key: Some([1; 16]),
        unknown_tags: UnknownTags::Define,
        ..request(&[row("a", &[], &["new"]), row("b", &[], &["new"])])
    };
    let first = fixture.db().load(load.clone()).unwrap();
    assert_eq!((first.users_changed, first.facts_changed), (2, 2));
    fixture.changed(vec![delete("a")]);
    assert_eq!(fixture.db().load(load.clone()).unwrap(), first);
    fixture.restart();
    assert_eq!(fixture.db().load(load).unwrap(), first);
    assert_eq!(fixture.holders("new"), 1);
}

#[test]
fn loads_are_limited_in_rows_and_bytes() {
    let fixture = Fixture::with(|options| {
        options.limits.mutations_max = 2;
        options.limits.request_bytes_max = 20;
    });
    let load = |keys: &[&str]| {
        let keys: Vec<LoadRow> = keys.iter().map(|key| row(key, &[], &[])).collect();
        fixture.db().load(request(&keys))
    };
    load(&["a", "b"]).unwrap();
    refused(
        load(&["a", "b", "c"]),
        ErrorCode::LimitExceeded,
        "at most 2 rows",
    );
    refused(
        load(&["0123456789", "0123456789a"]),
        ErrorCode::LimitExceeded,
        "at most 20 bytes",
    );
}

/// Everything that can be asked of a database of these tests.
fn all_of(fixture: &Fixture) -> (model::Model, u64) {
    (stored(fixture), fixture.db().view().user_count().unwrap())
}

fn crash_rows() -> Vec<LoadRow> {
    let new = (0..40).map(|number| {
        let values = [
            ("color", text(["red", "blue"][number % 2])),
            ("score", Datum::Integer(number as i64 - 20)),
            ("likes", list(&["green", "grey"])),
            ("note", text("same")),
            ("friend", text("old")),
        ];
        row(
            &format!("new{number:02}"),
            &values[..number % 6],
            &["a", "x1"],
        )
    });
    // Of users who are there, and of one who comes twice.
    let old = [
        row("old", &[("color", text("blue"))], &["x2"]),
        row("twice", &[("score", Datum::Integer(1))], &["a"]),
        row("twice", &[("score", Datum::Integer(2))], &["b"]),
    ];
    new.chain(old).collect()
}

/// What breaks off at a step leaves nothing before the decision, and everything after it.
#[test]
fn a_load_that_breaks_off_is_there_whole_or_not_at_all() {
    use crate::storage::{FamilyId, LoadStep};
    let steps = [LoadStep::Written, LoadStep::Decided]
        .into_iter()
        .chain(FamilyId::ALL.map(LoadStep::Taken));
    let begun = || {
        let fixture = Fixture::defined(&DEFINITIONS);
        fixture.changed(vec![
            tag("old", &["x1"]),
            set("old", "color", text("red")),
            tag("gone", &["a"]),
            delete("gone"),
        ]);
        fixture
    };
    let whole = begun();
    whole.db().load(request(&crash_rows())).unwrap();
    whole.check_consistent();
    for step in steps {
        let mut fixture = begun();
        let before = all_of(&fixture);
        *fixture.db().store.failing_step.lock().unwrap() = Some(step);
        refused(
            fixture.db().load(request(&crash_rows())),
            ErrorCode::Storage,
            "stopped at",
        );
        // Nothing of it is seen, and nothing more is written.
        assert_eq!(all_of(&fixture), before, "{step:?}");
        refused(fixture.write(vec![ensure("a")]), ErrorCode::Storage, "");
        // As after the death of the process: not closed.
        fixture.open().unwrap();
        let expected = match step {
            LoadStep::Written => before,
            LoadStep::Decided | LoadStep::Taken(_) => all_of(&whole),
        };
        assert_eq!(all_of(&fixture), expected, "{step:?}");
        fixture.check_consistent();
        let incoming = fixture.dir.path().join("incoming");
        assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0, "{step:?}");
        // Going on from there works, and so does the load again.
        fixture.changed(vec![tag("later", &["a"]), delete("new07")]);
        fixture.db().load(request(&crash_rows())).unwrap();
        fixture.restart();
        fixture.check_consistent();
    }
}

#[test]
fn loads_that_wait_together_share_a_commit_and_stay_apart() {
    let fixture = Fixture::defined(&DEFINITIONS);
    let rows = |from: usize| -> Vec<LoadRow> {
        (from..from + 10)
            .map(|n| {
                let score = [("score", Datum::Integer(from as i64))];
                row(&format!("u{n:02}"), &score, &["a"])
            })
            .collect()
    };
    let bad = vec![row("bad", &[("score", text("x"))], &[])];
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let fixture = &fixture;
        // Holds the writer, so that the others wait together.
        scope.spawn(move || {
            fixture.db().write_where(move |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok(Vec::new())
            })
        });
        start.recv().unwrap();
        // Every second user is in two of the loads.
        let loads: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || fixture.db().load(request(&rows(n * 5)))))
            .collect();
        let refused = scope.spawn(|| fixture.db().load(request(&bad)));
        release.send(()).unwrap();
        let users = loads
            .into_iter()
            .map(|load| load.join().unwrap().unwrap().users_changed);
        // Each changes its own ten users, at whatever place of the order it comes.
        assert_eq!(users.sum::<u64>(), 80);
        assert!(refused.join().unwrap().is_err());
    });
    assert_eq!(
        (fixture.holders("a"), fixture.count(RowId::Users)),
        (45, 45)
    );
    fixture.check_consistent();
}

/// More users than are looked for at once, of whom some are known.
#[test]
fn known_users_are_told_from_new_ones_however_many_there_are() {
    let fixture = Fixture::defined(&DEFINITIONS);
    let key = |n: usize| format!("{n:05}");
    let load = |rows: Vec<LoadRow>| fixture.db().load(request(&rows)).unwrap();
    let known = (0..2000).filter(|n| n % 3 == 0);
    let rows = known.map(|n| row(&key(n), &[], &["a"])).collect();
    assert_eq!(load(rows).users_changed, 667);
    let rows = (0..3000).map(|n| row(&key(n), &[], &["a"])).collect();
    assert_eq!(load(rows).users_changed, 3000 - 667);
    assert_eq!(
        (fixture.holders("a"), fixture.count(RowId::Users)),
        (3000, 3000)
    );
    fixture.check_consistent();
}

/// As after the same rows as mutations: the rule would give it to them at once.
#[test]
fn new_users_of_whom_a_rule_s_tag_is_taken_do_not_hold_it() {
    let mut fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE points INTEGER",
        "DEFINE TAG high AS points >= 10",
    ]);
    let rows = LoadRequest {
        keys: ["a", "b", "c", "d"].into_iter().collect(),
        columns: vec![
            LoadColumn::Numbers {
                attribute: "points".to_owned(),
                form: NumberForm::Integer,
                present: vec![0b1111],
                numbers: vec![20, 30, 40, 5],
            },
            LoadColumn::Taken {
                names: strings(&["high"]),
                ends: vec![0, 1, 1, 1],
                codes: vec![0],
            },
        ],
        ..LoadRequest::default()
    };
    fixture.db().load(rows).unwrap();
    fixture.restart();
    let mut sink = crate::exec::testing::Collected::default();
    let (parameters, budget) = (Parameters::default(), Budget::unlimited());
    let found = "SEGMENT tag:high ORDER BY KEY";
    fixture
        .db()
        .execute(found, &parameters, &budget, &mut sink)
        .unwrap();
    assert_eq!(sink.rows, [vec![text("a")], vec![text("c")]]);
    fixture.check_consistent();
}

/// Each load brings a file of records for each partition. They do not pile up, and whoever looked
/// before sees what was there.
#[test]
fn many_loads_leave_few_files_of_records() {
    let fixture = Fixture::defined(&DEFINITIONS);
    let partitions = usize::from(fixture.options.partition_count);
    let rows = |load: usize| -> Vec<LoadRow> {
        let key = |n: usize| format!("u{load:02}-{n:02}");
        (0..40).map(|n| row(&key(n), &[], &["a"])).collect()
    };
    let mut kept = None;
    for load in 0..12 {
        let summary = fixture.db().load(request(&rows(load))).unwrap();
        assert_eq!(summary.users_changed, 40);
        kept.get_or_insert_with(|| fixture.db().view());
    }
    let files = fixture.db().store.compact_records().unwrap();
    assert!(files < 4 * partitions, "{files} files");
    assert_eq!(kept.unwrap().user_count().unwrap(), 40);
    assert_eq!(fixture.count(RowId::Users), 480);
    fixture.check_consistent();
}
