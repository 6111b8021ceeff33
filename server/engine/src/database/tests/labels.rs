//! Labels of every kind at once under a clock that jumps: by validity, by behaviour, by years, by
//! inviters, by rules over all of these, and by hand. Whatever is asked is what a scan of the raw
//! facts says at that second.
//!
//! The facts are kept beside the database in plain lists. What follows from them is said here once
//! more, from the language's documentation: the oracle shares the resolver with the engine, and
//! with it how windows, years and rules are understood.

mod facts;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    behaviour::{found, run},
    upkeep::set_clock,
    *,
};
use crate::time::{SECONDS_PER_DAY as DAY_S, days_of_date};
use facts::{Deed, LAYERS, Person, World};

/// 2024-02-27T23:59:58Z: two seconds before a day ends, and two days before a leap day.
const START_S: i64 = 1_709_078_398;

const DEFINITIONS: [&str; 12] = [
    "DEFINE ATTRIBUTE birthday DATE",
    "DEFINE ATTRIBUTE age AS YEARS SINCE birthday",
    "DEFINE ATTRIBUTE invited_by USER",
    "DEFINE EVENT purchase (amount INTEGER, category ENUM (shoes, hats))",
    "DEFINE EVENT login",
    "DEFINE TAG vip",
    "DEFINE TAG member DYNAMIC FOR 2d",
    "DEFINE TAG spender AS sum(purchase.amount, 3d) > 10",
    "DEFINE TAG silent AS did:login AND NOT did:login[2d]",
    "DEFINE TAG adult AS age >= 18",
    "DEFINE TAG brought AS referred_by(tag:vip) OR tag:spender AND tag:member",
    "DEFINE GROUP tier AS high: tag:spender AND tag:adult, mid: tag:spender OR tag:member, low: OTHERWISE",
];

const TAGS: [&str; 9] = [
    "vip", "member", "spender", "silent", "adult", "brought", "high", "mid", "low",
];
/// Those of them that have rules.
const RULED: [&str; 7] = [
    "spender", "silent", "adult", "brought", "high", "mid", "low",
];

type Holds = fn(&World, &Person) -> bool;

/// Conditions, and what they mean.
const LEAVES: &[(&str, Holds)] = &[
    ("tag:vip", |world, person| person.holds(world, "vip")),
    ("tag:member", |world, person| person.holds(world, "member")),
    ("tag:spender", |world, person| {
        person.holds(world, "spender")
    }),
    ("tag:silent", |world, person| person.holds(world, "silent")),
    ("tag:adult", |world, person| person.holds(world, "adult")),
    ("tag:brought", |world, person| {
        person.holds(world, "brought")
    }),
    ("tag:high", |world, person| person.holds(world, "high")),
    ("tag:mid", |world, person| person.holds(world, "mid")),
    ("tag:low", |world, person| person.holds(world, "low")),
    ("group:tier IS MISSING", |world, person| {
        person.layer(world).is_none()
    }),
    ("tag:member[since >= now-1d]", |world, person| {
        let since_s = person.member.map(|(since_s, _)| since_s);
        person.is_member(world) && since_s >= Some(world.now_s - DAY_S)
    }),
    ("tag:member[until <= now+1d]", |world, person| {
        let until_s = person.member.map(|(_, until_s)| until_s);
        person.is_member(world) && until_s <= Some(world.now_s + DAY_S)
    }),
    ("lapsed(tag:member, 2d)", |world, person| {
        let first_s = (world.today() - 1) * DAY_S;
        person
            .member
            .is_some_and(|(_, until_s)| (first_s..=world.now_s).contains(&until_s))
    }),
    ("tag:spender[source = rule]", |world, person| {
        person.holds(world, "spender") && !person.given.contains("spender")
    }),
    ("tag:spender[source = manual]", |_, person| {
        person.given.contains("spender")
    }),
    ("did:purchase", |_, person| {
        !person.ever("purchase").is_empty()
    }),
    ("did:purchase[1d]", |world, person| {
        !person.last_days(world, "purchase", 1).is_empty()
    }),
    ("did:login[36h]", |world, person| {
        let first_s = world.now_s - 36 * 3600 + 1;
        let mut logins = person.ever("login").into_iter();
        logins.any(|deed| (first_s..=world.now_s).contains(&deed.at_s))
    }),
    (
        "count(purchase[category:shoes], 40d) >= 2",
        |world, person| {
            let purchases = person.last_days(world, "purchase", 40);
            let of_shoes = |deed: &&&Deed| deed.category == Some("shoes");
            purchases.iter().filter(of_shoes).count() >= 2
        },
    ),
    ("count(purchase, 2d) < 1", |world, person| {
        person.last_days(world, "purchase", 2).is_empty()
    }),
    ("days(login, 7d) >= 2", |world, person| {
        let logins = person.last_days(world, "login", 7);
        let days = logins.iter().map(|deed| deed.at_s.div_euclid(DAY_S));
        days.collect::<BTreeSet<_>>().len() >= 2
    }),
    ("sum(purchase.amount, 366d) < 0", |world, person| {
        person.spent(world, 366) < 0
    }),
    ("min(purchase.amount, 3d) < 0", |world, person| {
        let purchases = person.last_days(world, "purchase", 3);
        purchases.iter().any(|deed| deed.amount < 0)
    }),
    ("last(purchase) < now-1d", |world, person| {
        person
            .last("purchase")
            .is_some_and(|last_s| last_s < world.now_s - DAY_S)
    }),
    ("age:17..18", |world, person| {
        person
            .age(world)
            .is_some_and(|age| (17..=18).contains(&age))
    }),
    ("age IS MISSING", |_, person| person.birthday.is_none()),
    (
        "birthday ANNIVERSARY IN today..today+2d",
        |world, person| person.celebrates(world, 3),
    ),
    ("referred_by(tag:spender)", |world, person| {
        world.inviter_holds(person, "spender")
    }),
    ("inviter_of(tag:brought OR age < 18)", |world, person| {
        let is_meant = |invited: &&Person| {
            invited.holds(world, "brought") || invited.age(world).is_some_and(|age| age < 18)
        };
        world.invited(person).iter().any(is_meant)
    }),
    ("descendants_of(tag:vip, 2)", |world, person| {
        let above = world.inviter(person);
        world.inviter_holds(person, "vip")
            || above.is_some_and(|above| world.inviter_holds(above, "vip"))
    }),
    ("count(invited) >= 2", |world, person| {
        world.invited(person).len() >= 2
    }),
];

/// A question: conditions within each other.
#[derive(Debug, Clone)]
enum Ask {
    Leaf(usize),
    Not(Box<Ask>),
    All(Vec<Ask>),
    Any(Vec<Ask>),
    AtLeast(usize, Vec<Ask>),
}

impl Ask {
    fn text(&self) -> String {
        let each = |of: &[Self], between: &str| {
            let texts: Vec<String> = of.iter().map(Self::text).collect();
            texts.join(between)
        };
        match self {
            Self::Leaf(leaf) => LEAVES[*leaf].0.to_owned(),
            Self::Not(inner) => format!("NOT ({})", inner.text()),
            Self::All(of) => format!("({})", each(of, " AND ")),
            Self::Any(of) => format!("({})", each(of, " OR ")),
            Self::AtLeast(threshold, of) => {
                format!("AT LEAST {threshold} OF ({})", each(of, ", "))
            }
        }
    }

    fn holds(&self, world: &World, person: &Person) -> bool {
        let count = |of: &[Self]| of.iter().filter(|ask| ask.holds(world, person)).count();
        match self {
            Self::Leaf(leaf) => LEAVES[*leaf].1(world, person),
            Self::Not(inner) => !inner.holds(world, person),
            Self::All(of) => count(of) == of.len(),
            Self::Any(of) => count(of) > 0,
            Self::AtLeast(threshold, of) => count(of) >= *threshold,
        }
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    let leaf = (0..LEAVES.len()).prop_map(Ask::Leaf);
    leaf.prop_recursive(3, 10, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Ask::Not(Box::new(inner))),
            some().prop_map(Ask::All),
            some().prop_map(Ask::Any),
            (1..3_usize, some()).prop_map(|(threshold, of)| Ask::AtLeast(threshold, of)),
        ]
    })
}

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Give(u8, &'static str),
    Take(u8, &'static str),
    Clear(u8, &'static str),
    Born(u8, &'static str),
    Invite(u8, u8),
    /// The time of the deed is how long ago it was.
    Do(u8, Deed, Option<u8>),
    Delete(u8),
    Jump(i64),
    Restart,
    Sweep,
}

fn user() -> impl Strategy<Value = u8> {
    0..5_u8
}

/// Late by seconds, days or more than a year; often by as much as windows are long.
fn deed() -> impl Strategy<Value = Deed> {
    let event = prop::sample::select(&["purchase", "purchase", "login"]);
    let ago_s = prop_oneof![
        3 => prop::sample::select(&[
            0, 1, 2, DAY_S - 2, DAY_S - 1, DAY_S, 36 * 3600 - 1, 36 * 3600, 2 * DAY_S, 3 * DAY_S,
        ]),
        2 => 0..5 * DAY_S,
        1 => 0..500 * DAY_S,
    ];
    let category = prop::option::of(prop::sample::select(&["shoes", "hats"]));
    (event, ago_s, -9_i64..12, category).prop_map(|(event, at_s, amount, category)| Deed {
        event,
        at_s,
        amount,
        category,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let day = prop::sample::select(&[
        "2004-02-29",
        "2006-02-28",
        "2006-03-01",
        "2007-02-28",
        "1990-12-31",
    ]);
    let jump = prop::sample::select(&[
        1,
        2,
        3_600,
        DAY_S - 1,
        DAY_S,
        -DAY_S,
        30 * DAY_S,
        366 * DAY_S,
    ]);
    prop_oneof![
        5 => (user(), prop::sample::select(&TAGS)).prop_map(|(user, tag)| Step::Give(user, tag)),
        2 => (user(), prop::sample::select(&TAGS)).prop_map(|(user, tag)| Step::Take(user, tag)),
        2 => (user(), prop::sample::select(&RULED)).prop_map(|(user, tag)| Step::Clear(user, tag)),
        3 => (user(), day).prop_map(|(user, day)| Step::Born(user, day)),
        3 => (user(), user()).prop_map(|(user, inviter)| Step::Invite(user, inviter)),
        9 => (user(), deed(), prop::option::of(0..3_u8))
            .prop_map(|(user, deed, id)| Step::Do(user, deed, id)),
        1 => user().prop_map(Step::Delete),
        6 => jump.prop_map(Step::Jump),
        1 => Just(Step::Restart),
        1 => Just(Step::Sweep),
    ]
}

fn key(user: u8) -> String {
    format!("u{user}")
}

/// The database and the facts beside it.
struct Both {
    fixture: Fixture,
    world: World,
}

impl Both {
    fn new() -> Self {
        let fixture = Fixture::with(|options| options.limits.event_days_max = 60);
        set_clock(&fixture, START_S);
        for statement in DEFINITIONS {
            run(&fixture, statement);
        }
        let world = World {
            now_s: START_S,
            people: BTreeMap::new(),
        };
        Self { fixture, world }
    }

    fn person(&mut self, user: u8) -> &mut Person {
        let person = self.world.people.entry(user);
        person.or_insert_with(|| Person::new(user))
    }

    fn take_step(&mut self, step: &Step) {
        match *step {
            Step::Give(user, tag) => {
                run(&self.fixture, &format!("TAG u{user} WITH {tag}"));
                self.give(user, tag);
            }
            Step::Take(user, tag) => {
                run(&self.fixture, &format!("UNTAG u{user} WITH {tag}"));
                self.take(user, tag);
            }
            Step::Clear(user, tag) => {
                if let Some(person) = self.world.people.get_mut(&user) {
                    run(&self.fixture, &format!("CLEAR TAG u{user} WITH {tag}"));
                    person.given.remove(tag);
                    person.taken.remove(tag);
                }
            }
            Step::Born(user, day) => {
                run(&self.fixture, &format!("SET \"u{user}\" birthday = {day}"));
                self.person(user).birthday = day.parse().ok().map(days_of_date);
            }
            Step::Invite(user, inviter) => self.invite(user, inviter),
            Step::Do(user, ref deed, id) => self.track(user, deed, id),
            Step::Delete(user) => {
                self.fixture.write(vec![delete(&key(user))]).unwrap();
                self.world.people.remove(&user);
                for person in self.world.people.values_mut() {
                    person.inviter = person.inviter.filter(|inviter| *inviter != user);
                }
            }
            Step::Jump(seconds) => {
                self.world.now_s += seconds;
                set_clock(&self.fixture, self.world.now_s);
            }
            Step::Restart => self.fixture.restart(),
            Step::Sweep => {
                self.fixture.db().sweep_holdings().unwrap();
                self.fixture.db().sweep_events().unwrap();
            }
        }
    }

    fn give(&mut self, user: u8, tag: &'static str) {
        let now_s = self.world.now_s;
        let person = self.person(user);
        if tag == "member" {
            person.member = Some((now_s, now_s + 2 * DAY_S));
            return;
        }
        if LAYERS.contains(&tag) {
            person.given.retain(|given| !LAYERS.contains(given));
        }
        person.taken.remove(tag);
        person.given.insert(tag);
    }

    fn take(&mut self, user: u8, tag: &'static str) {
        let now_s = self.world.now_s;
        let Some(person) = self.world.people.get_mut(&user) else {
            return;
        };
        person.given.remove(tag);
        if RULED.contains(&tag) {
            person.taken.insert(tag);
        }
        if tag == "member" {
            // What has ended stays as it is, and of what has not begun nothing stays.
            let taken = |(since_s, until_s): (i64, i64)| (since_s, until_s.min(now_s));
            let is_something = |(since_s, until_s): &(i64, i64)| since_s < until_s;
            person.member = person.member.map(taken).filter(is_something);
        }
    }

    fn invite(&mut self, user: u8, inviter: u8) {
        let invitation = set(&key(user), "invited_by", text(&key(inviter)));
        let done = self.fixture.write(vec![invitation]);
        let people = &self.world.people;
        let above = |user: &u8| people.get(user).and_then(|person| person.inviter);
        let is_circle = std::iter::successors(Some(inviter), above).any(|above| above == user);
        let is_another = above(&user).is_some_and(|known| known != inviter);
        let is_refused = is_circle || is_another;
        assert_eq!(done.is_err(), is_refused, "{done:?}");
        if !is_refused {
            self.person(inviter);
            self.person(user).inviter = Some(inviter);
        }
    }

    fn track(&mut self, user: u8, deed: &Deed, id: Option<u8>) {
        let at_s = self.world.now_s - deed.at_s;
        let id = id.map(|id| format!("{} {id}", deed.event));
        let mut values = Vec::new();
        if deed.event == "purchase" {
            values.push(("amount".to_owned(), Datum::Integer(deed.amount)));
            let category = deed.category.map(text);
            values.extend(category.map(|category| ("category".to_owned(), category)));
        }
        let track = Mutation::Track {
            user: key(user),
            event: deed.event.to_owned(),
            at_us: Some(at_s * 1_000_000),
            id: id.clone(),
            values,
        };
        self.fixture.write(vec![track]).unwrap();
        let person = self.person(user);
        // The same id again changes nothing.
        if id.is_none_or(|id| person.ids.insert(id)) {
            person.deeds.push(Deed {
                at_s,
                ..deed.clone()
            });
        }
    }

    #[track_caller]
    fn check(&self, expr: &str, holds: impl Fn(&World, &Person) -> bool) {
        let Self { fixture, world } = self;
        let held = world.people.values();
        let held = held.filter(|person| holds(world, person));
        let expected: Vec<String> = held.map(|person| key(person.number)).collect();
        assert_eq!(found(fixture, expr), expected, "{expr} at {}", world.now_s);
    }

    /// A question, asked for all and for each.
    fn check_ask(&self, ask: &Ask) {
        let expr = ask.text();
        self.check(&expr, |world, person| ask.holds(world, person));
        for person in self.world.people.values() {
            let user = key(person.number);
            let (_, why) = run(&self.fixture, &format!("WHY {user} IN {expr}"));
            let holds = Datum::Boolean(ask.holds(&self.world, person));
            assert_eq!(why[0][2], holds, "{user} IN {expr}: {why:?}");
        }
    }

    /// The tags of each user, and the figures of each layer and of each age.
    fn check_figures(&self) {
        let Self { fixture, world } = self;
        let (_, mut rows) = run(fixture, "SEGMENT ALL RETURN TAGS ORDER BY KEY LIMIT 100");
        for row in &mut rows {
            if let Some(Datum::List(tags)) = row.get_mut(1) {
                tags.sort_unstable();
            }
        }
        let expected = world.people.values().map(|person| {
            let mut tags = TAGS.to_vec();
            tags.retain(|tag| person.holds(world, tag));
            tags.sort_unstable();
            vec![text(&key(person.number)), list(&tags)]
        });
        assert_eq!(rows, expected.collect::<Vec<_>>(), "at {}", world.now_s);
        let split =
            "DIMENSION group:tier MEASURE count, sum(purchase.amount, 3d), count(login, 2d)";
        let (_, rows) = run(fixture, split);
        for layer in LAYERS {
            let people = world.people.values();
            let people: Vec<&Person> = people
                .filter(|person| person.layer(world) == Some(layer))
                .collect();
            let spent: i64 = people.iter().map(|person| person.spent(world, 3)).sum();
            let logins = people
                .iter()
                .map(|person| person.last_days(world, "login", 2).len());
            let figures = [people.len() as i64, spent, logins.sum::<usize>() as i64];
            let row = rows.iter().find(|row| row[0] == text(layer));
            let expected = figures.map(Datum::Integer);
            match people.is_empty() {
                true => assert_eq!(row, None, "{layer} at {}", world.now_s),
                false => assert_eq!(row.unwrap()[1..], expected, "{layer} at {}", world.now_s),
            }
        }
        let mut ages: BTreeMap<i64, i64> = BTreeMap::new();
        for age in world.people.values().filter_map(|person| person.age(world)) {
            *ages.entry(age).or_default() += 1;
        }
        let (_, rows) = run(fixture, "DIMENSION age MEASURE count WHERE age IS PRESENT");
        let by_age: BTreeSet<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        let expected = ages
            .into_iter()
            .map(|(age, count)| format!("{:?}", [Datum::Integer(age), Datum::Integer(count)]));
        assert_eq!(
            by_age,
            expected.collect::<BTreeSet<_>>(),
            "at {}",
            world.now_s
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_what_the_facts_say_at_that_second(
        steps in prop::collection::vec(step(), 1..40),
        asks in prop::collection::vec(ask(), 3..6),
    ) {
        let mut both = Both::new();
        for (number, step) in steps.iter().enumerate() {
            both.take_step(step);
            // A few after each step, so that each is asked in many states.
            both.check_ask(&asks[number % asks.len()]);
            let (text, holds) = LEAVES[number * 7 % LEAVES.len()];
            both.check(text, holds);
            if matches!(step, Step::Jump(_) | Step::Restart | Step::Sweep) {
                both.check_figures();
            }
        }
        for (text, holds) in LEAVES {
            both.check(text, *holds);
        }
        both.check_figures();
        both.fixture.check_consistent();
    }
}

/// What random steps rarely come to: a holding that ends and a window that moves on in the very
/// second, over the end of February, and a clock that is set back by a day.
#[test]
fn boundaries_are_where_they_are_said_to_be() {
    let mut both = Both::new();
    let midnight = |days: i64| START_S + 2 + days * DAY_S;
    let purchase = |at_s: i64| Deed {
        event: "purchase",
        at_s,
        amount: 11,
        category: None,
    };
    for step in [
        Step::Give(0, "member"),
        Step::Born(0, "2004-02-29"),
        Step::Born(1, "2006-03-01"),
        Step::Do(0, purchase(0), None),
        Step::Do(1, purchase(DAY_S), None),
        Step::Invite(1, 0),
        Step::Give(0, "vip"),
    ] {
        both.take_step(&step);
    }
    let seconds = [
        // Before and after midnights, the last of which ends the leap day.
        midnight(0) - 1,
        midnight(0),
        midnight(1) - 1,
        midnight(1),
        // Where the holding ends: two seconds before the leap day does.
        START_S + 2 * DAY_S - 1,
        START_S + 2 * DAY_S,
        midnight(2) - 1,
        midnight(2),
        // Back by a day, on to the next leap day, and back to a year that has none.
        midnight(1),
        midnight(1) + 1_461 * DAY_S - 1,
        midnight(1) + 1_461 * DAY_S,
        midnight(2) + 365 * DAY_S - 1,
        midnight(2) + 365 * DAY_S,
    ];
    for second in seconds {
        both.take_step(&Step::Jump(second - both.world.now_s));
        for (text, holds) in LEAVES {
            both.check(text, *holds);
        }
        both.check_figures();
    }
    both.fixture.check_consistent();
}
