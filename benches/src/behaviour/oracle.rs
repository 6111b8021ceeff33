//! The right answers, by one loop over the events for each question.
//!
//! Knows the data and the questions. Shares no code with any database.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    calendar::{DAY_SECONDS, NOW, TODAY, date, moment, window_start},
    generate::{CATEGORIES, CHANNELS, Event, Kind, Recipe},
};
use crate::{
    generate::GENDERS,
    oracle::{Rows, Solution, Solutions},
};

/// Hundredths of the sum that B4 asks for.
const SPENT: u64 = 1_000 * 100;
/// The category of B7, `shoes`.
const SHOES: u8 = 0;
/// The time that the steps of B8 may take together.
const WITHIN_SECONDS: u32 = DAY_SECONDS;
/// The days of B9.
const DAYS: usize = 30;
/// The windows, in days that end with today, that a portrait counts each kind of event in.
const PORTRAIT_DAYS: [u32; 3] = [7, 30, 90];
/// How many of a user's last events a portrait shows.
pub const LAST_EVENTS: usize = 20;

/// Collects the answers to all questions while the events pass by in the order of time.
#[derive(Debug)]
pub struct Oracle {
    recipe: Recipe,
    users: Vec<Seen>,
    /// What B8 looks at: user, time and kind.
    steps: Vec<(u32, u32, Kind)>,
    /// Count, users and sum of each day of B9.
    days: Vec<(u64, BTreeSet<u32>, u64)>,
    portrayed: BTreeMap<u32, Vec<Event>>,
}

/// What is kept of each user.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// In hundredths, over 90 days.
    spent: u64,
    /// Seconds since 1970; nobody buys anything in the first one.
    last_purchase: u32,
    purchases_30d: u32,
    shoes_90d: u32,
    /// A bit for each day, today's the lowest, of the last 32.
    logins: u32,
}

impl Oracle {
    /// Who has seen nothing yet.
    pub fn new(recipe: &Recipe) -> Self {
        let portrayed = recipe.portrayed();
        Self {
            recipe: *recipe,
            users: vec![Seen::default(); recipe.users as usize],
            steps: Vec::new(),
            days: vec![(0, BTreeSet::new(), 0); DAYS],
            portrayed: portrayed.into_iter().map(|u| (u, Vec::new())).collect(),
        }
    }

    /// Takes note of one event.
    pub fn see(&mut self, event: &Event) {
        let user = &mut self.users[event.user as usize];
        let age = TODAY - event.day();
        match event.kind {
            Kind::Login => {
                if age < 32 {
                    user.logins |= 1 << age;
                }
            }
            Kind::View | Kind::Cart => {}
            Kind::Purchase => {
                user.last_purchase = user.last_purchase.max(event.time);
                user.purchases_30d += u32::from(age < 30);
                if age < 90 {
                    user.spent += u64::from(event.amount);
                    user.shoes_90d += u32::from(event.category == SHOES);
                }
                self.see_purchase(event);
            }
        }
        if event.kind != Kind::Login && age < 30 {
            self.steps.push((event.user, event.time, event.kind));
        }
        if let Some(events) = self.portrayed.get_mut(&event.user) {
            events.push(*event);
        }
    }

    fn see_purchase(&mut self, event: &Event) {
        let day = event.day().checked_sub(window_start(DAYS as u32));
        if let Some((count, users, sum)) = day.and_then(|day| self.days.get_mut(day as usize)) {
            *count += 1;
            users.insert(event.user);
            *sum += u64::from(event.amount);
        }
    }

    /// The answers by question, in any order where the question does not order them.
    pub fn solutions(mut self) -> Solutions {
        let (sequences, portraits) = (self.sequences(), self.portraits());
        let count = |holds: fn(&Seen) -> bool| self.users.iter().filter(|u| holds(u)).count();
        let days = (0..).zip(&self.days).filter(|(_, day)| day.0 > 0);
        let days = days.map(|(day, (count, users, sum))| {
            let day = date(window_start(DAYS as u32) + day);
            vec![day, count.to_string(), users.len().to_string(), money(*sum)]
        });
        let days: Rows = days.collect();
        let long_ago = |user: &Seen| {
            let bought = user.last_purchase;
            bought > 0 && bought < NOW - 60 * DAY_SECONDS
        };
        let logged_in = |user: &Seen, days: u32| (user.logins & ((1 << days) - 1)).count_ones();
        let counts = [
            ("B1", count(|user| user.logins & 0x3fff == 0)),
            ("B2", count(|user| user.purchases_30d > 0)),
            ("B3", count(|user| user.purchases_30d >= 3)),
            ("B4", count(|user| user.spent > SPENT)),
            (
                "B5",
                self.users.iter().filter(|u| logged_in(u, 7) >= 5).count(),
            ),
            ("B6", self.users.iter().filter(|u| long_ago(u)).count()),
            ("B7", count(|user| user.shoes_90d >= 2)),
            ("B8", sequences),
        ];
        let counts = counts.map(|(id, n)| (id, Solution::Rows(vec![vec![n.to_string()]])));
        counts
            .into_iter()
            .chain([
                ("B9", Solution::Rows(days)),
                ("B10", Solution::Rows(portraits)),
            ])
            .map(|(id, solution)| (id.to_owned(), solution))
            .collect()
    }

    /// How many users have looked at something, then put something into the cart, then bought
    /// something: every view is tried with every cart after it and every purchase after that.
    fn sequences(&mut self) -> usize {
        self.steps.sort_unstable();
        self.steps
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|steps| {
                let of = |kind| steps.iter().filter(move |s| s.2 == kind).map(|s| s.1);
                of(Kind::View).any(|view| {
                    let in_time = |time: u32| time > view && time - view <= WITHIN_SECONDS;
                    of(Kind::Cart).filter(|&cart| in_time(cart)).any(|cart| {
                        of(Kind::Purchase).any(|purchase| purchase > cart && in_time(purchase))
                    })
                })
            })
            .count()
    }

    fn portraits(&self) -> Rows {
        self.portrayed
            .iter()
            .flat_map(|(&user, events)| portrait(user, self.recipe.gender(user), events))
            .collect()
    }
}

/// Rows of arrival number, name and value.
fn portrait(user: u32, gender: u8, events: &[Event]) -> Rows {
    let mut rows = vec![("gender".to_owned(), GENDERS[usize::from(gender)].to_owned())];
    for kind in Kind::ALL {
        let times = events.iter().filter(|event| event.kind == kind);
        let times: Vec<u32> = times.map(|event| event.time).collect();
        if let (Some(&first), Some(&last)) = (times.first(), times.last()) {
            rows.push((format!("count {}", kind.name()), times.len().to_string()));
            for days in PORTRAIT_DAYS {
                let start = window_start(days) * DAY_SECONDS;
                let recent = times.iter().filter(|&&time| time >= start).count();
                rows.push((format!("count {days}d {}", kind.name()), recent.to_string()));
            }
            rows.push((format!("first {}", kind.name()), moment(first)));
            rows.push((format!("last {}", kind.name()), moment(last)));
        }
    }
    for event in events.iter().rev().take(LAST_EVENTS) {
        rows.push((moment(event.time), told(event)));
    }
    rows.into_iter()
        .map(|(name, value)| vec![user.to_string(), name, value])
        .collect()
}

/// An event's name, and what else is known of it.
fn told(event: &Event) -> String {
    match event.kind {
        Kind::Purchase => format!(
            "purchase amount = {}, category = {}, channel = {}",
            money(event.amount.into()),
            CATEGORIES[usize::from(event.category)],
            CHANNELS[usize::from(event.channel)],
        ),
        Kind::Login | Kind::View | Kind::Cart => event.kind.name().to_owned(),
    }
}

/// Hundredths as people write them.
pub fn money(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: Recipe = Recipe {
        users: 2,
        events: 0,
        seed: 0,
    };

    fn event(kind: Kind, days_ago: u32, second: u32) -> Event {
        Event {
            time: (TODAY - days_ago) * DAY_SECONDS + second,
            user: 1,
            amount: 10_000,
            kind,
            category: SHOES,
            channel: 0,
        }
    }

    /// What the oracle says to a question, as it is after these events of one of two users.
    fn check(id: &str, events: &[Event], expected: &str) {
        let mut oracle = Oracle::new(&RECIPE);
        for event in events {
            oracle.see(event);
        }
        let one = Solution::Rows(vec![vec![expected.to_owned()]]);
        assert_eq!(oracle.solutions().get(id), Some(&one), "{id} {events:?}");
    }

    #[test]
    fn windows_are_whole_days() {
        let purchase = |days| [event(Kind::Purchase, days, 0)];
        check("B1", &[event(Kind::Login, 13, 0)], "1");
        check("B1", &[event(Kind::Login, 14, 86_399)], "2");
        check("B2", &purchase(29), "1");
        check("B2", &purchase(30), "0");
    }

    #[test]
    fn thresholds_are_kept_to_the_unit() {
        let purchases =
            |days, n| -> Vec<Event> { (0..n).map(|i| event(Kind::Purchase, days, i)).collect() };
        check("B3", &purchases(0, 2), "0");
        check("B3", &purchases(29, 3), "1");
        check("B4", &purchases(89, 10), "0");
        check("B4", &purchases(89, 11), "1");
        check("B4", &purchases(90, 11), "0");
        check("B7", &purchases(89, 1), "0");
        check("B7", &purchases(89, 2), "1");
        let logins = |n| -> Vec<Event> { (0..n).map(|i| event(Kind::Login, i, 0)).collect() };
        check("B5", &logins(4), "0");
        check("B5", &logins(5), "1");
        check("B6", &[event(Kind::Purchase, 60, 43_199)], "1");
        check("B6", &[event(Kind::Purchase, 60, 43_200)], "0");
        check("B6", &[], "0");
    }

    #[test]
    fn steps_are_in_order_and_in_time() {
        let steps = |kinds: [(Kind, u32); 3]| kinds.map(|(kind, at)| event(kind, 20, at));
        use Kind::{Cart, Purchase, View};
        check(
            "B8",
            &steps([(View, 0), (Cart, 1), (Purchase, 86_400)]),
            "1",
        );
        check(
            "B8",
            &steps([(View, 0), (Cart, 1), (Purchase, 86_401)]),
            "0",
        );
        check("B8", &steps([(Cart, 0), (View, 1), (Purchase, 2)]), "0");
        check("B8", &steps([(View, 0), (Purchase, 1), (Cart, 2)]), "0");
        // The first view is too old, the second is not.
        let mut later = steps([(View, 0), (View, 100), (Cart, 200)]).to_vec();
        later.push(event(Purchase, 19, 50));
        check("B8", &later, "1");
    }

    #[test]
    fn a_portrait_tells_the_last_events_first() {
        let events = [event(Kind::Login, 1, 0), event(Kind::Purchase, 0, 1)];
        let rows = portrait(1, 0, &events);
        let last = rows.iter().map(|row| row[1..].join(" ")).nth(13);
        let told = "2026-06-30T00:00:01Z purchase amount = 100.00, category = shoes, channel = web";
        assert_eq!(last.as_deref(), Some(told));
    }
}
