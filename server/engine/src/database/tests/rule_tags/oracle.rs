//! Rules of every kind against what they mean, worked out from raw facts, as days pass.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Days before the first question, the latest first.
const DAYS: [&str; 4] = ["2024-03-01", "2024-02-29", "2024-02-28", "2024-02-27"];

const RULES: [&str; 8] = [
    "DEFINE TAG p0",
    "DEFINE TAG r0 AS sum(purchase.amount, 2d) > 5",
    "DEFINE TAG r1 AS count(purchase, 3d) >= 2 AND NOT tag:p0",
    "DEFINE TAG r2 AS tag:r0 OR spend >= 3",
    "DEFINE GROUP bands AS BANDS OF sum(purchase.amount, 3d) (b0: 10.., b1: 3..10, b2: OTHERWISE)",
    "DEFINE GROUP ranks AS PERCENTILES OF spend (k0: 60..100, k1: 20..60)",
    "DEFINE GROUP busy AS PERCENTILES OF count(purchase, 3d) (c0: 50..100, c1: OTHERWISE)",
    "DEFINE GROUP layers AS l0: tag:r1, l1: group:bands IS PRESENT AND tag:r2, l2: spend < 0",
];

/// The tags of groups, in the order of their layers.
const GROUPS: [&[&str]; 4] = [
    &["b0", "b1", "b2"],
    &["k0", "k1"],
    &["c0", "c1"],
    &["l0", "l1", "l2"],
];

const TAGS: [&str; 14] = [
    "p0", "r0", "r1", "r2", "b0", "b1", "b2", "k0", "k1", "c0", "c1", "l0", "l1", "l2",
];

/// On whose word, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Manual,
    Import,
    Model,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Give(Word),
    Take,
    Clear,
}

/// What is known of somebody.
#[derive(Debug, Clone)]
struct Person {
    spend: Option<i64>,
    /// On which of [`DAYS`], and how much.
    purchases: Vec<(usize, i64)>,
    given: BTreeMap<&'static str, Word>,
    taken: BTreeSet<&'static str>,
}

impl Person {
    /// The amounts of the last days; so many days have passed since the first question.
    fn amounts(&self, passed: i64, days: i64) -> Vec<i64> {
        let is_within = |day: usize| day as i64 + passed < days;
        let purchases = self.purchases.iter();
        purchases
            .filter(|(day, _)| is_within(*day))
            .map(|(_, amount)| *amount)
            .collect()
    }

    fn count(&self, passed: i64) -> Option<i64> {
        let count = self.amounts(passed, 3).len() as i64;
        (count > 0).then_some(count)
    }

    fn hear(&mut self, deed: Deed, tag: &'static str) {
        let is_ruled = tag != "p0";
        match deed {
            Deed::Give(word) => {
                let siblings = group_of(tag).iter().filter(|sibling| **sibling != tag);
                let siblings: Vec<&str> = siblings.copied().collect();
                let is_weaker = |sibling: &&str| {
                    let held = self.given.get(*sibling);
                    held.is_some_and(|held| *held < word)
                };
                let is_overruled = word == Word::Model
                    || word != Word::Manual && self.taken.contains(tag)
                    || siblings.iter().any(is_weaker);
                if is_ruled && is_overruled {
                    return;
                }
                for sibling in siblings {
                    self.given.remove(sibling);
                }
                self.taken.remove(tag);
                let held = self.given.entry(tag).or_insert(word);
                *held = (*held).min(word);
            }
            Deed::Take => {
                self.given.remove(tag);
                if is_ruled {
                    self.taken.insert(tag);
                }
            }
            Deed::Clear => {
                self.given.remove(tag);
                self.taken.remove(tag);
            }
        }
    }
}

/// The group that a tag stands in; nothing for others.
fn group_of(tag: &str) -> &'static [&'static str] {
    let mut groups = GROUPS.iter();
    groups
        .find(|tags| tags.contains(&tag))
        .copied()
        .unwrap_or_default()
}

/// Everybody, so many days after the first question.
struct World<'a> {
    people: &'a [Person],
    passed: i64,
}

impl World<'_> {
    fn holds(&self, person: &Person, tag: &str) -> bool {
        let is_given = |tag: &str| person.given.contains_key(tag);
        let group = group_of(tag);
        let fits = match group.is_empty() {
            true => self.fits(person, tag),
            false if group.iter().any(|other| is_given(other)) => false,
            false => group.iter().find(|layer| self.fits(person, layer)) == Some(&tag),
        };
        is_given(tag) || fits && !person.taken.contains(tag)
    }

    /// What the rules say, each by itself.
    fn fits(&self, person: &Person, tag: &str) -> bool {
        let sum = |days| person.amounts(self.passed, days).iter().sum::<i64>();
        let spends = |range: std::ops::RangeInclusive<i64>| {
            person.spend.is_some_and(|spend| range.contains(&spend))
        };
        let count = |person: &Person| person.count(self.passed);
        let spend = |person: &Person| person.spend;
        match tag {
            "r0" => sum(2) > 5,
            "r1" => count(person) >= Some(2) && !self.holds(person, "p0"),
            "r2" => self.holds(person, "r0") || spends(3..=i64::MAX),
            "b0" => sum(3) >= 10,
            "b1" => (3..=10).contains(&sum(3)),
            "k0" => self.is_ranked(person, spend, 60, 100),
            "k1" => self.is_ranked(person, spend, 20, 60),
            "c0" => self.is_ranked(person, count, 50, 100),
            "b2" | "c1" => true,
            "l0" => self.holds(person, "r1"),
            "l1" => {
                let mut bands = GROUPS[0].iter();
                bands.any(|band| self.holds(person, band)) && self.holds(person, "r2")
            }
            "l2" => spends(i64::MIN..=-1),
            _ => false,
        }
    }

    /// Whether the percentile of somebody's measure is between two.
    fn is_ranked(
        &self,
        person: &Person,
        measure: impl Fn(&Person) -> Option<i64>,
        low: usize,
        high: usize,
    ) -> bool {
        let Some(own) = measure(person) else {
            return false;
        };
        let all: Vec<i64> = self.people.iter().filter_map(measure).collect();
        let less = all.iter().filter(|other| **other < own).count();
        (low * all.len()..=high * all.len()).contains(&(100 * less))
    }

    fn tags(&self, person: &Person) -> Vec<String> {
        let mut tags: Vec<&str> = TAGS.to_vec();
        tags.retain(|tag| self.holds(person, tag));
        tags.sort_unstable();
        strings(&tags)
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        prop::sample::select(vec![Word::Manual, Word::Import, Word::Model]).prop_map(Deed::Give),
        Just(Deed::Take),
        Just(Deed::Clear),
    ]
}

fn person() -> impl Strategy<Value = Person> {
    let purchases = prop::collection::vec((0..DAYS.len(), 0..8_i64), 0..4);
    (prop::option::of(-2..6_i64), purchases).prop_map(|(spend, purchases)| Person {
        spend,
        purchases,
        given: BTreeMap::new(),
        taken: BTreeSet::new(),
    })
}

/// Writes what is known of everybody by themselves.
fn write_facts(fixture: &Fixture, people: &[Person]) {
    for (number, person) in people.iter().enumerate() {
        fixture.write(vec![ensure(&format!("u{number}"))]).unwrap();
        if let Some(spend) = person.spend {
            run(fixture, &format!("SET \"u{number}\" spend = {spend}"));
        }
        for (day, amount) in &person.purchases {
            let day = DAYS[*day];
            run(
                fixture,
                &format!("TRACK u{number} purchase AT {day}T12:00:00Z WITH amount = {amount}"),
            );
        }
    }
}

fn write_deed(fixture: &Fixture, user: usize, deed: Deed, tag: &str) {
    let statement = match deed {
        Deed::Give(Word::Manual) => format!("TAG u{user} WITH {tag}"),
        Deed::Give(Word::Import) => format!("TAG u{user} WITH {tag} SOURCE import"),
        Deed::Give(Word::Model) => format!("TAG u{user} WITH {tag} SOURCE model"),
        Deed::Take => format!("UNTAG u{user} WITH {tag}"),
        Deed::Clear => format!("CLEAR TAG u{user} WITH {tag}"),
    };
    run(fixture, &statement);
}

/// The tags that a portrait shows.
fn portrayed(fixture: &Fixture, key: &str) -> Vec<String> {
    let rows = run(fixture, &format!("PORTRAIT {key}"));
    let tags = rows.iter().filter(|row| row[0] == text("tag"));
    tags.map(|row| key_of(&row[1..])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Questions, what is returned of users, and portraits say what the rules say of raw facts.
    #[test]
    fn rules_of_every_kind_say_what_raw_facts_do(
        mut people in prop::collection::vec(person(), 5),
        deeds in prop::collection::vec(
            (deed(), 0..5_usize, prop::sample::select(TAGS.to_vec())),
            0..24,
        ),
    ) {
        let fixture = fixture(&RULES);
        write_facts(&fixture, &people);
        for (deed, user, tag) in deeds {
            if matches!(deed, Deed::Clear) && tag == "p0" {
                continue;
            }
            write_deed(&fixture, user, deed, tag);
            people[user].hear(deed, tag);
        }
        for passed in [0, 1, 3] {
            at(&fixture, NOON + passed * MICROS_PER_DAY);
            let world = World { people: &people, passed };
            let mut returned = returned(&fixture);
            for (number, person) in people.iter().enumerate() {
                let (key, expected) = (format!("u{number}"), world.tags(person));
                let mut tags = returned.remove(&key).unwrap_or_default();
                tags.sort_unstable();
                prop_assert_eq!(&tags, &expected, "{} after {} days", key, passed);
                prop_assert_eq!(portrayed(&fixture, &key), expected, "{} portrayed", key);
            }
            for tag in TAGS {
                let holders = people.iter().enumerate();
                let holders = holders.filter(|(_, person)| world.holds(person, tag));
                let expected: Vec<String> = holders.map(|(number, _)| format!("u{number}")).collect();
                prop_assert_eq!(found(&fixture, &format!("tag:{tag}")), expected, "{}", tag);
            }
        }
        fixture.check_consistent();
    }
}
