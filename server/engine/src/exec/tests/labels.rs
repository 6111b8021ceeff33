//! Questions about how tags are held, by rules, by hand and for how long, and about years that have
//! passed, against the oracle.

use proptest::{collection::vec, prelude::*, sample::select};
use tessera_query_lang::{
    Limits,
    ast::{self, Spanned, TagPattern},
    parse_expr,
};

use super::{dimensions, planned, resolved};
use crate::{
    datum::Datum,
    exec::{
        count::count,
        naive,
        testing::{Bench, memory::MemoryDataset, random},
    },
    ids::{AttributeId, GroupId, TagId},
    schema::{
        AttributeDefinition, AttributeKind, Blocking, Exclusivity, GroupDefinition, Mutability,
        Notes, Schema, TagDefinition,
    },
    storage::{Holding, Source},
};

/// Tags with rules of their own, and the layers of a group.
const RULED: [(&str, Option<&str>); 5] = [
    ("buyer", Some("age >= 10 AND NOT tag:vip")),
    (
        "known",
        Some("tag:buyer OR tag:silent[until IS PRESENT] OR years >= 0"),
    ),
    ("high", None),
    ("mid", None),
    ("low", None),
];
const LAYERS: &str = "high: tag:buyer AND tag:silent, mid: gender:f OR tag:known, low: OTHERWISE";

/// It is 1970-01-01T00:00:00Z; holdings begin and end within seconds of it.
const QUESTIONS: [&str; 35] = [
    "tag:buyer",
    "tag:known",
    "tag:high",
    "tag:mid",
    "tag:low",
    "tag:(buyer, silent)",
    "tag:k*",
    "tag:*",
    "tag:buyer[source = rule]",
    "tag:mid[source != rule]",
    "tag:known[until IS MISSING]",
    "tag:silent[until IS MISSING]",
    "tag:silent[until <= now+2s]",
    "tag:(silent, promo-b)[since >= now-1s]",
    "tag:vip[since < now]",
    "tag:silent[source:(import, model), since:now-2s..now]",
    "tag:*[source = manual]",
    "lapsed(tag:silent)",
    "lapsed(tag:promo-b, 2s)",
    "lapsed(tag:(silent, promo-b), 1d)",
    "group:tier IS MISSING",
    "group:tier IS PRESENT",
    "group:promo IS MISSING",
    "years >= 0",
    "years < 0",
    "years = 0",
    "years IS MISSING",
    "years:(0, 1)",
    "seen_years:-1..0",
    "seen_years != 0",
    "born ANNIVERSARY IN 1970-12-20..1971-01-10",
    "seen ANNIVERSARY IN 1971-01-01..1971-01-02",
    "referred_by(tag:buyer)",
    "inviter_of(tag:high OR tag:silent)",
    "count(invited) >= 1",
];

/// The tag at a place among [`RULED`].
fn ruled(place: usize) -> TagId {
    TagId((random::TAGS.len() + place) as u32)
}

/// The random schema, with tags that have rules and attributes that are derived.
fn schema() -> Schema {
    let mut schema = random::schema();
    let tier = GroupId(2);
    schema.put_group(GroupDefinition {
        exclusivity: Exclusivity::Exclusive,
        rule: Some(LAYERS.to_owned()),
        ..GroupDefinition::new(tier, random::name("tier"))
    });
    for (place, (tag, rule)) in RULED.into_iter().enumerate() {
        schema.put_tag(TagDefinition {
            group: rule.is_none().then_some(tier),
            rule: rule.map(str::to_owned),
            blocking: Blocking::Somebody,
            ..TagDefinition::new(ruled(place), random::name(tag))
        });
    }
    for (id, name, base) in [(9, "years", random::BORN), (10, "seen_years", random::SEEN)] {
        schema.put_attribute(AttributeDefinition {
            id: AttributeId(id),
            name: random::name(name),
            kind: AttributeKind::YearsSince(base),
            mutability: Mutability::Mutable,
            notes: Notes::default(),
        });
    }
    schema
}

/// Random users, to some of whom tags with rules were given, and from some of whom they were taken.
fn dataset() -> impl Strategy<Value = MemoryDataset> {
    let said = vec((0..10_usize, 0..10_usize), 40);
    (random::users(), said).prop_map(|(mut users, said)| {
        for (user, (given, taken)) in users.iter_mut().zip(said) {
            if taken < RULED.len() {
                user.record.block(ruled(taken));
            }
            if given < RULED.len() {
                let holding = Holding::standing(Source::Manual, None);
                user.record.unblock(ruled(given));
                user.record.hold(ruled(given), holding);
            }
        }
        MemoryDataset::new(schema(), random::PARTITIONS, users)
    })
}

fn any_expr() -> impl Strategy<Value = ast::Expr> {
    let read = |text| parse_expr(text, &Limits::default()).expect("it parses");
    let leaf = prop_oneof![4 => select(&QUESTIONS).prop_map(read), 1 => random::expr()];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let several = || vec(inner.clone(), 2..4);
        prop_oneof![
            1 => inner.clone().prop_map(|of| ast::Expr::Not(Box::new(of))),
            1 => several().prop_map(ast::Expr::And),
            1 => several().prop_map(ast::Expr::Or),
            1 => (1_u32..3, several()).prop_map(|(threshold, of)| ast::Expr::AtLeast {
                threshold: Spanned::synthetic(threshold),
                of,
            }),
        ]
    })
}

fn naive_count(bench: &Bench, expr: &ast::Expr) -> usize {
    let expr = resolved(&bench.dataset, expr);
    let users = naive::users(&*bench.dataset, &expr);
    users.expect("memory does not fail").len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn counts_agree_with_the_oracle(dataset in dataset(), expr in any_expr()) {
        let bench = Bench::new(dataset);
        let expected = naive_count(&bench, &expr);
        let plan = planned(&bench, resolved(&bench.dataset, &expr));
        let found = count(bench.context(), &plan).expect("memory does not fail");
        prop_assert_eq!(found, expected as u64, "{:?}", plan);
    }

    #[test]
    fn tags_are_split_as_they_are_asked_for(dataset in dataset(), filter in any_expr()) {
        let bench = Bench::new(dataset);
        let of_rules = RULED.map(|(tag, _)| tag);
        let all = [&random::TAGS[..], &of_rules[..]].concat();
        for (dim, tags) in [("tag", &all[..]), ("group:tier", &of_rules[2..])] {
            let query = dimensions::resolved(&bench, &format!("DIMENSION {dim}"), &filter);
            let rows = dimensions::run(&bench, &query).expect("memory does not fail");
            for tag in tags {
                let pattern = Spanned::synthetic(TagPattern::Name(random::name(tag)));
                let held = ast::Expr::And(vec![filter.clone(), ast::Expr::Tag(vec![pattern])]);
                let expected = Datum::Integer(naive_count(&bench, &held) as i64);
                let label = Datum::Text((*tag).to_owned());
                let row = rows.iter().find(|row| row[0] == label);
                let found = row.map_or(Datum::Integer(0), |row| row[1].clone());
                prop_assert_eq!(found, expected, "{} {}", dim, tag);
            }
        }
    }
}
