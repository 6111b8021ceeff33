//! What was said of users, in plain lists, and what follows from it at a second.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::{SECONDS_PER_DAY as DAY_S, date_of_days};

pub(super) const LAYERS: [&str; 3] = ["high", "mid", "low"];

/// An event, as it was told.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) event: &'static str,
    pub(super) at_s: i64,
    pub(super) amount: i64,
    pub(super) category: Option<&'static str>,
}

/// All that was said of a user.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    pub(super) number: u8,
    /// Tags that were given by hand, but for that of members.
    pub(super) given: BTreeSet<&'static str>,
    /// Tags with rules that were taken by hand.
    pub(super) taken: BTreeSet<&'static str>,
    /// The second since which the user is or was a member, and that until which.
    pub(super) member: Option<(i64, i64)>,
    /// A day, counted from 1970-01-01.
    pub(super) birthday: Option<i32>,
    pub(super) inviter: Option<u8>,
    pub(super) deeds: Vec<Deed>,
    /// The ids that events came with.
    pub(super) ids: BTreeSet<String>,
}

/// Everybody, and what second it is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now_s: i64,
    pub(super) people: BTreeMap<u8, Person>,
}

impl World {
    pub(super) fn today(&self) -> i64 {
        self.now_s.div_euclid(DAY_S)
    }

    pub(super) fn inviter(&self, of: &Person) -> Option<&Person> {
        self.people.get(&of.inviter?)
    }

    pub(super) fn invited(&self, by: &Person) -> Vec<&Person> {
        let is_theirs = |person: &&Person| person.inviter == Some(by.number);
        self.people.values().filter(is_theirs).collect()
    }

    pub(super) fn inviter_holds(&self, person: &Person, tag: &str) -> bool {
        self.inviter(person)
            .is_some_and(|inviter| inviter.holds(self, tag))
    }
}

impl Person {
    pub(super) fn new(number: u8) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    pub(super) fn ever(&self, event: &str) -> Vec<&Deed> {
        let deeds = self.deeds.iter();
        deeds.filter(|deed| deed.event == event).collect()
    }

    /// What was done today and on the days before it, so many in all.
    pub(super) fn last_days(&self, world: &World, event: &str, days: i64) -> Vec<&Deed> {
        let is_in = |deed: &&Deed| {
            let ago = world.today() - deed.at_s.div_euclid(DAY_S);
            (0..days).contains(&ago)
        };
        self.ever(event).into_iter().filter(is_in).collect()
    }

    pub(super) fn spent(&self, world: &World, days: i64) -> i64 {
        let purchases = self.last_days(world, "purchase", days);
        purchases.iter().map(|deed| deed.amount).sum()
    }

    pub(super) fn last(&self, event: &str) -> Option<i64> {
        self.ever(event).iter().map(|deed| deed.at_s).max()
    }

    pub(super) fn is_member(&self, world: &World) -> bool {
        self.member
            .is_some_and(|(since_s, until_s)| (since_s..until_s).contains(&world.now_s))
    }

    /// Counted by the calendar: as often as the day has returned.
    pub(super) fn age(&self, world: &World) -> Option<i64> {
        let born = date_of_days(self.birthday?)?;
        let today = date_of_days(i32::try_from(world.today()).ok()?)?;
        let years = i64::from(today.year()) - i64::from(born.year());
        let is_before = (today.month(), today.day()) < (born.month(), born.day());
        Some(years - i64::from(is_before))
    }

    /// Whether the birthday returns within so many days from today on.
    pub(super) fn celebrates(&self, world: &World, days: i64) -> bool {
        let Some(born) = self.birthday.and_then(date_of_days) else {
            return false;
        };
        (0..days)
            .filter_map(|ahead| date_of_days(i32::try_from(world.today() + ahead).ok()?))
            .filter(|day| day.year() > born.year())
            .any(|day| {
                let returns_late = (born.month(), born.day()) == (2, 29) && !day.in_leap_year();
                let returns = match returns_late {
                    true => (3, 1),
                    false => (born.month(), born.day()),
                };
                (day.month(), day.day()) == returns
            })
    }

    pub(super) fn holds(&self, world: &World, tag: &str) -> bool {
        match tag {
            "vip" => self.given.contains(tag),
            "member" => self.is_member(world),
            _ if LAYERS.contains(&tag) => self.layer(world) == Some(tag),
            _ => self.given.contains(tag) || !self.taken.contains(tag) && self.fits(world, tag),
        }
    }

    /// What the rule of a tag says.
    fn fits(&self, world: &World, tag: &str) -> bool {
        match tag {
            "spender" => self.spent(world, 3) > 10,
            "silent" => {
                !self.ever("login").is_empty() && self.last_days(world, "login", 2).is_empty()
            }
            "adult" => self.age(world).is_some_and(|age| age >= 18),
            "brought" => {
                world.inviter_holds(self, "vip")
                    || self.holds(world, "spender") && self.is_member(world)
            }
            "high" => self.holds(world, "spender") && self.holds(world, "adult"),
            "mid" => self.holds(world, "spender") || self.is_member(world),
            _ => true,
        }
    }

    /// Which of the layers the user is in.
    pub(super) fn layer(&self, world: &World) -> Option<&'static str> {
        let given = LAYERS.into_iter().find(|layer| self.given.contains(layer));
        given.or_else(|| {
            let first = LAYERS.into_iter().find(|layer| self.fits(world, layer))?;
            (!self.taken.contains(first)).then_some(first)
        })
    }
}
