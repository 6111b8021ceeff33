//! Loads do what the same rows do as mutations, whatever came before and comes after.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    model::{DEFINITIONS, mutation, some_tags, stored, user, value},
    *,
};

/// A row of a load.
#[derive(Debug, Clone)]
struct LoadRow {
    key: String,
    values: BTreeMap<String, Datum>,
    tags: Vec<String>,
}

fn row(key: &str, values: &[(&str, Datum)], tags: &[&str]) -> LoadRow {
    LoadRow {
        key: key.to_owned(),
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
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

fn tagged(rows: &[LoadRow]) -> LoadColumn {
    let (mut names, mut ends, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        codes.extend(row.tags.iter().map(|tag| index_of(&mut names, tag.clone())));
        ends.push(u32::try_from(codes.len()).unwrap());
    }
    LoadColumn::Tags { names, ends, codes }
}

fn request(rows: &[LoadRow]) -> LoadRequest {
    let attributes: std::collections::BTreeSet<&String> =
        rows.iter().flat_map(|row| row.values.keys()).collect();
    let mut columns: Vec<LoadColumn> = attributes
        .into_iter()
        .map(|name| numbered(name, rows).unwrap_or_else(|| coded(name, rows)))
        .collect();
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
        let tags = row.tags.clone();
        [
            Mutation::Set {
                user: user(),
                values,
            },
            Mutation::Tag { user: user(), tags },
        ]
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
    (user(), values, some_tags()).prop_map(|(key, values, tags)| LoadRow { key, values, tags })
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
    let mut misshapen = request(&[good.clone()]);
    misshapen.keys = PackedTexts::default();
    refused(fixture.db().load(misshapen), mismatch, "malformed");
    // What no row names is not looked at.
    let mut unused = request(&[good.clone()]);
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
