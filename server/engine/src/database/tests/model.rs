//! Random writes against a model that is nothing but maps of texts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct User {
    tags: BTreeSet<String>,
    values: BTreeMap<String, Datum>,
}

pub(super) type Model = BTreeMap<String, User>;

/// An attribute of every kind that differs, and tags of which some exclude each other.
pub(super) const DEFINITIONS: [&str; 14] = [
    "DEFINE GROUP x EXCLUSIVE",
    "DEFINE TAG a",
    "DEFINE TAG b",
    "DEFINE TAG c",
    "DEFINE TAG x1 IN GROUP x",
    "DEFINE TAG x2 IN GROUP x",
    "DEFINE TAG x3 IN GROUP x",
    "DEFINE ATTRIBUTE color ENUM",
    "DEFINE ATTRIBUTE likes MULTI",
    "DEFINE ATTRIBUTE score INTEGER",
    "DEFINE ATTRIBUTE once INTEGER WRITE ONCE",
    "DEFINE ATTRIBUTE active BOOLEAN",
    "DEFINE ATTRIBUTE note TEXT",
    "DEFINE ATTRIBUTE friend USER",
];

/// Says whether the request is refused.
fn apply_all(model: &mut Model, mutations: &[Mutation]) -> Result<(), ()> {
    let mut changed = model.clone();
    mutations
        .iter()
        .try_for_each(|mutation| apply(&mut changed, mutation))?;
    *model = changed;
    Ok(())
}

fn apply(model: &mut Model, mutation: &Mutation) -> Result<(), ()> {
    match mutation {
        Mutation::Ensure { user } => {
            model.entry(user.clone()).or_default();
        }
        Mutation::Tag { user, tags } | Mutation::Hold { user, tags, .. } => {
            let user = model.entry(user.clone()).or_default();
            for tag in tags {
                if tag.starts_with('x') && !user.tags.contains(tag) {
                    user.tags.retain(|held| !held.starts_with('x'));
                }
                user.tags.insert(tag.clone());
            }
        }
        Mutation::Untag { user, tags } => {
            if let Some(user) = model.get_mut(user) {
                user.tags.retain(|tag| !tags.contains(tag));
            }
        }
        // Of tags with rules, of which there are none here.
        Mutation::Clear { .. } => return Err(()),
        Mutation::Set { user, values } => {
            let user = model.entry(user.clone()).or_default();
            for (attribute, value) in values {
                set_one(user, attribute, value)?;
            }
        }
        Mutation::Add {
            user,
            attribute,
            values,
        } => {
            let user = model.entry(user.clone()).or_default();
            let mut texts = texts_of(user.values.get(attribute));
            texts.extend(values.iter().flat_map(|value| texts_of(Some(value))));
            user.values
                .insert(attribute.clone(), Datum::List(texts.into_iter().collect()));
        }
        Mutation::Remove {
            user,
            attribute,
            values,
        } => {
            if let Some(user) = model.get_mut(user) {
                let mut texts = texts_of(user.values.get(attribute));
                values
                    .iter()
                    .flat_map(|value| texts_of(Some(value)))
                    .for_each(|text| {
                        texts.remove(&text);
                    });
                put(user, attribute, Datum::List(texts.into_iter().collect()));
            }
        }
        // Events are not part of this model.
        Mutation::Track { .. } | Mutation::Submit { .. } => return Err(()),
        Mutation::DeleteUser { user } => {
            if model.remove(user).is_none() {
                return Ok(());
            }
            for other in model.values_mut() {
                if other.values.get("friend") == Some(&text(user)) {
                    other.values.remove("friend");
                }
            }
        }
    }
    Ok(())
}

fn texts_of(value: Option<&Datum>) -> BTreeSet<String> {
    match value {
        Some(Datum::List(texts)) => texts.iter().cloned().collect(),
        Some(Datum::Text(text)) => [text.clone()].into(),
        Some(
            Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Date(_)
            | Datum::Timestamp(_),
        )
        | None => BTreeSet::new(),
    }
}

fn put(user: &mut User, attribute: &str, value: Datum) {
    match value {
        Datum::Null => user.values.remove(attribute),
        Datum::List(texts) if texts.is_empty() => user.values.remove(attribute),
        Datum::List(texts) => {
            let texts: BTreeSet<_> = texts.into_iter().collect();
            user.values.insert(
                attribute.to_owned(),
                Datum::List(texts.into_iter().collect()),
            )
        }
        Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Text(_)
        | Datum::Date(_)
        | Datum::Timestamp(_) => user.values.insert(attribute.to_owned(), value),
    };
}

fn set_one(user: &mut User, attribute: &str, value: &Datum) -> Result<(), ()> {
    if attribute == "once"
        && user
            .values
            .get("once")
            .is_some_and(|present| present != value)
    {
        return Err(());
    }
    put(user, attribute, value.clone());
    Ok(())
}

pub(super) fn user() -> impl Strategy<Value = String> {
    (0..12u8).prop_map(|n| format!("u{n}"))
}

pub(super) fn some_tags() -> impl Strategy<Value = Vec<String>> {
    let tags = prop::sample::select(vec!["a", "b", "c", "x1", "x2", "x3"]);
    prop::collection::vec(tags.prop_map(str::to_owned), 0..4)
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["red", "green", "blue", "grey"]).prop_map(str::to_owned)
}

pub(super) fn value() -> impl Strategy<Value = (String, Datum)> {
    let number = prop_oneof![any::<i64>(), -3i64..3];
    prop_oneof![
        (
            Just("color".to_owned()),
            prop_oneof![Just(Datum::Null), word().prop_map(Datum::Text)]
        ),
        (
            Just("likes".to_owned()),
            prop_oneof![
                Just(Datum::Null),
                prop::collection::vec(word(), 0..3).prop_map(Datum::List)
            ]
        ),
        (
            Just("score".to_owned()),
            prop_oneof![Just(Datum::Null), number.prop_map(Datum::Integer)]
        ),
        (Just("once".to_owned()), (0..2i64).prop_map(Datum::Integer)),
        (
            Just("active".to_owned()),
            any::<bool>().prop_map(Datum::Boolean)
        ),
        (
            Just("note".to_owned()),
            prop_oneof![Just(Datum::Null), "[\0ab]{0,3}".prop_map(Datum::Text)]
        ),
        (
            Just("friend".to_owned()),
            prop_oneof![Just(Datum::Null), user().prop_map(Datum::Text)]
        ),
    ]
}

fn words() -> impl Strategy<Value = Vec<Datum>> {
    prop::collection::vec(word().prop_map(Datum::Text), 1..3)
}

pub(super) fn mutation() -> impl Strategy<Value = Mutation> {
    let likes = || Just("likes".to_owned());
    prop_oneof![
        1 => user().prop_map(|user| Mutation::Ensure { user }),
        5 => (user(), some_tags()).prop_map(|(user, tags)| Mutation::Tag { user, tags }),
        2 => (user(), some_tags()).prop_map(|(user, tags)| Mutation::Untag { user, tags }),
        6 => (user(), prop::collection::vec(value(), 1..4)).prop_map(|(user, values)| Mutation::Set { user, values }),
        2 => (user(), likes(), words()).prop_map(|(user, attribute, values)| Mutation::Add { user, attribute, values }),
        1 => (user(), likes(), words())
            .prop_map(|(user, attribute, values)| Mutation::Remove { user, attribute, values }),
        2 => user().prop_map(|user| Mutation::DeleteUser { user }),
    ]
}

pub(super) fn stored(fixture: &Fixture) -> Model {
    let view = fixture.db().view();
    let mut model = Model::new();
    for partition in (0..view.partition_count()).map(PartitionId) {
        let mut visit = |_, key: &str, record: &UserRecord| {
            let tags = record
                .tags
                .iter()
                .filter_map(|tag| view.schema().tag_by_id(*tag));
            let tags = tags.map(|tag| tag.name.to_string()).collect();
            let values = record.values.iter().filter_map(|(id, value)| {
                let attribute = view.schema().attribute_by_id(*id)?;
                Some((
                    attribute.name.to_string(),
                    view.schema().datum(attribute, value),
                ))
            });
            model.insert(
                key.to_owned(),
                User {
                    tags,
                    values: values.collect(),
                },
            );
        };
        view.for_each_user(partition, &mut visit).unwrap();
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(
        requests in prop::collection::vec((prop::collection::vec(mutation(), 1..8), 0..6u8), 1..25)
    ) {
        let mut fixture = Fixture::defined(&DEFINITIONS);
        let mut model = Model::new();
        for (mutations, after) in requests {
            let before = model.clone();
            let expected = apply_all(&mut model, &mutations);
            let result = fixture.write(mutations.clone());
            prop_assert_eq!(result.is_ok(), expected.is_ok(), "{:?} {:?}", result, mutations);
            if let Ok(summary) = result {
                // Deleted and made again is another user, whom the model cannot tell apart.
                let deletes = mutations.iter().any(|mutation| matches!(mutation, Mutation::DeleteUser { .. }));
                let is_unchanged = summary.facts_changed == 0 && summary.users_changed == 0;
                prop_assert!(is_unchanged == (before == model) || deletes && !is_unchanged);
            }
            prop_assert_eq!(&stored(&fixture), &model);
            match after {
                0 => fixture.restart(),
                1 => fixture.db().store.compact().unwrap(),
                _ => {}
            }
            let report = verify(&fixture.db().view()).unwrap();
            prop_assert_eq!(report.problems, Vec::<String>::new());
        }
    }
}
