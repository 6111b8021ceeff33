//! The events: what users did on each day, made day by day from a seed.
//!
//! Knows who is active, what a visit looks like, and which events arrive late. A third of the
//! users does next to nothing; of the others a few do much (Zipf's law, flattened at its head).
//! Users come and go over the year. A visit is often a login, then views, sometimes a cart and a
//! purchase, which may follow days later. No user does two things in the same second, so that
//! the order of a user's events is certain.

use std::sync::mpsc::sync_channel;

use serde::{Deserialize, Serialize};

use super::calendar::{DAY_SECONDS, NOW, TODAY};
use crate::random::{Stream, Weighted};

/// Days of history, today among them.
pub const DAYS: u32 = 400;
/// `shoes` and nineteen others.
pub const CATEGORIES: [&str; 20] = [
    "shoes", "books", "garden", "toys", "music", "phones", "sport", "coats", "kitchen", "bags",
    "games", "tools", "pets", "beauty", "baby", "lamps", "beds", "bikes", "watches", "art",
];
/// Where a purchase was made.
pub const CHANNELS: [&str; 5] = ["web", "app", "shop", "ads", "phone"];
/// How many users' portraits are asked for.
const PORTRAITS: usize = 32;
/// The part of all users who are active at all.
const ACTIVE: f64 = 2.0 / 3.0;
/// The part of visits that anybody makes, active or not.
const ANYBODY: f64 = 0.02;
/// The part of the active users at the flat head of Zipf's law.
const HEAD: f64 = 0.001;
/// How often a visitor is drawn who is not with us on that day before one is taken all the same.
const DRAWS: usize = 6;
/// Events a visit has on average.
const VISIT_EVENTS: f64 = 2.97;
/// The part of events that arrive late.
const LATE: f64 = 0.005;
/// The longest that one does.
const LATE_SECONDS: u64 = 3 * DAY_SECONDS as u64;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A visit began.
    Login,
    /// Something was looked at.
    View,
    /// It was put into the cart.
    Cart,
    /// It was bought.
    Purchase,
}

impl Kind {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Login, Self::View, Self::Cart, Self::Purchase];

    /// The event's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::View => "view",
            Self::Cart => "cart",
            Self::Purchase => "purchase",
        }
    }
}

/// One event. Only purchases have an amount, a category and a channel; others have zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970.
    pub time: u32,
    /// The user's arrival number.
    pub user: u32,
    /// Hundredths.
    pub amount: u32,
    /// What.
    pub kind: Kind,
    /// Of [`CATEGORIES`].
    pub category: u8,
    /// Of [`CHANNELS`].
    pub channel: u8,
}

impl Event {
    /// The day since 1970.
    pub fn day(&self) -> u32 {
        self.time / DAY_SECONDS
    }
}

/// A day's events.
#[derive(Debug, Default)]
pub struct Day {
    /// Those that happened on it, in the order of time.
    pub happened: Vec<Event>,
    /// Those that arrived on it, in the order of arrival: nearly all of them on time.
    pub arrived: Vec<Event>,
}

/// What data to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// How many users.
    pub users: u32,
    /// About how many events: visits are random.
    pub events: u64,
    /// Which data set.
    pub seed: u64,
}

impl Recipe {
    /// Makes the events a day at a time. The next day is made by a thread of its own while one is
    /// visited; at most three are in memory.
    ///
    /// # Errors
    /// The visitor's first, which ends the making.
    pub fn for_each_day<E>(&self, mut visit: impl FnMut(&Day) -> Result<(), E>) -> Result<(), E> {
        let (sender, receiver) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut maker = Maker::new(*self);
                for day in 0..DAYS {
                    // Nobody receives any more when the visitor has failed.
                    if sender.send(maker.day(day)).is_err() {
                        return;
                    }
                }
            });
            receiver.into_iter().try_for_each(|day| visit(&day))
        })
    }

    /// 0 `f`, 1 `m`, 2 `x`: the one attribute that users have.
    pub fn gender(&self, user: u32) -> u8 {
        let drawn = Stream::new([self.seed, 2, u64::from(user)]).below(50);
        u8::from(drawn >= 26) + u8::from(drawn >= 49)
    }

    /// The arrival numbers of the users whose portraits are asked for: users who do something.
    pub fn portrayed(&self) -> Vec<u32> {
        let visitors = Visitors::new(self);
        let mut stream = Stream::new([self.seed, 3, 0]);
        (0..PORTRAITS)
            .map(|_| visitors.active(&mut stream))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}

/// Makes one day after the other.
struct Maker {
    recipe: Recipe,
    visitors: Visitors,
    goods: Goods,
    /// What visits of earlier days lead to later.
    later: Vec<Event>,
    /// What has happened and not arrived, with the second of its arrival.
    under_way: Vec<(u32, Event)>,
}

impl Maker {
    fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            visitors: Visitors::new(&recipe),
            goods: Goods::new(),
            later: Vec::new(),
            under_way: Vec::new(),
        }
    }

    /// The day that so many others went before.
    fn day(&mut self, number: u32) -> Day {
        let mut stream = Stream::new([self.recipe.seed, 1, u64::from(number)]);
        let day = TODAY + 1 - DAYS + number;
        let end = ((day + 1) * DAY_SECONDS).min(NOW);
        for _ in 0..self.visits(number) {
            let user = self.visitors.on_day(&mut stream, number);
            let start = day * DAY_SECONDS + stream.below(u64::from(DAY_SECONDS)) as u32;
            self.goods.visit(&mut stream, user, start, &mut self.later);
        }
        let mut happened: Vec<Event> = self.later.extract_if(.., |e| e.time < end).collect();
        happened.sort_unstable_by_key(|event| (event.time, event.user, event.kind));
        happened.dedup_by_key(|event| (event.time, event.user));
        let arrived = self.deliver(&mut stream, &happened, number, end);
        Day { happened, arrived }
    }

    /// How many visits begin on a day, so that all days together have the events wanted.
    fn visits(&self, number: u32) -> u64 {
        let until = |day: u32| {
            let visits = self.recipe.events as f64 / VISIT_EVENTS;
            (visits * f64::from(day) / f64::from(DAYS)) as u64
        };
        until(number + 1) - until(number)
    }

    fn deliver(
        &mut self,
        stream: &mut Stream,
        happened: &[Event],
        number: u32,
        end: u32,
    ) -> Vec<Event> {
        for event in happened {
            let late = if stream.unit() < LATE {
                stream.below(LATE_SECONDS) as u32
            } else {
                0
            };
            self.under_way.push((event.time + late, *event));
        }
        // Before the questions are asked, everything has arrived.
        let last = number + 1 == DAYS;
        let mut arrived: Vec<(u32, Event)> = self
            .under_way
            .extract_if(.., |(arrival, _)| last || *arrival < end)
            .collect();
        arrived.sort_by_key(|(arrival, _)| *arrival);
        arrived.into_iter().map(|(_, event)| event).collect()
    }
}

/// Who visits.
struct Visitors {
    users: u32,
    seed: u64,
}

impl Visitors {
    fn new(recipe: &Recipe) -> Self {
        Self {
            users: recipe.users,
            seed: recipe.seed,
        }
    }

    fn on_day(&self, stream: &mut Stream, number: u32) -> u32 {
        let mut user = self.any(stream);
        for _ in 1..DRAWS {
            if self.is_with_us(user, number) {
                break;
            }
            user = self.any(stream);
        }
        user
    }

    fn any(&self, stream: &mut Stream) -> u32 {
        if stream.unit() < ANYBODY {
            self.of_rank(stream.below(u64::from(self.users)))
        } else {
            self.active(stream)
        }
    }

    /// The inverse of the distribution function whose density is proportional to
    /// 1 / (rank + head).
    fn active(&self, stream: &mut Stream) -> u32 {
        let part = HEAD * ((1.0 + 1.0 / HEAD).powf(stream.unit()) - 1.0);
        self.of_rank((part * ACTIVE * f64::from(self.users)) as u64)
    }

    /// Spreads the ranks over the arrival numbers, one to one: the factor is prime, and larger
    /// than any number of users.
    fn of_rank(&self, rank: u64) -> u32 {
        let users = u64::from(self.users);
        (rank.min(users - 1) * 4_294_967_291 % users) as u32
    }

    /// Two in five users are older than the history, the others come over the year; every second
    /// one leaves again, after half a year on average.
    fn is_with_us(&self, user: u32, number: u32) -> bool {
        let mut stream = Stream::new([self.seed, 4, u64::from(user)]);
        let came = (stream.unit() - 0.4) / 0.6 * f64::from(DAYS);
        let stays = if stream.unit() < 0.5 {
            f64::INFINITY
        } else {
            -(1.0 - stream.unit()).ln() * 180.0
        };
        let since = f64::from(number) - came;
        since >= 0.0 && since <= stays
    }
}

/// What is looked at and bought.
struct Goods {
    category: Weighted,
    channel: Weighted,
}

impl Goods {
    fn new() -> Self {
        Self {
            category: Weighted::zipf(CATEGORIES.len(), 0.8),
            channel: Weighted::new([0.4, 0.3, 0.15, 0.1, 0.05]),
        }
    }

    /// Appends a visit's events.
    fn visit(&self, stream: &mut Stream, user: u32, start: u32, events: &mut Vec<Event>) {
        let plain = |kind, time| Event {
            time,
            user,
            amount: 0,
            kind,
            category: 0,
            channel: 0,
        };
        let mut after = |seconds: u64| 1 + stream.below(seconds) as u32;
        let (first, pause, hesitation) = (after(60), after(300), after(900));
        let mut time = start;
        if stream.unit() < 0.7 {
            events.push(plain(Kind::Login, time));
            time += first;
        }
        for _ in 0..=stream.geometric(0.7).min(20) {
            events.push(plain(Kind::View, time));
            time += pause;
        }
        if stream.unit() < 0.5 {
            events.push(plain(Kind::Cart, time));
            time += hesitation;
            if stream.unit() < 0.3 {
                // The cart is left and remembered later.
                time += stream.below(3 * u64::from(DAY_SECONDS)) as u32;
            }
            if stream.unit() < 0.66 {
                events.push(self.purchase(stream, user, time));
            }
        } else if stream.unit() < 0.03 {
            events.push(self.purchase(stream, user, time));
        }
    }

    fn purchase(&self, stream: &mut Stream, user: u32, time: u32) -> Event {
        let amount = (3.6 + 0.9 * stream.normal()).exp().clamp(0.5, 20_000.0);
        Event {
            time,
            user,
            amount: (amount * 100.0) as u32,
            kind: Kind::Purchase,
            category: self.category.choose(stream),
            channel: self.channel.choose(stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        convert::Infallible,
    };

    use super::*;

    const RECIPE: Recipe = Recipe {
        users: 10_000,
        events: 200_000,
        seed: 1,
    };

    fn made(recipe: Recipe) -> (Vec<Event>, Vec<Event>) {
        let (mut happened, mut arrived) = (Vec::new(), Vec::new());
        recipe
            .for_each_day(|day| {
                happened.extend_from_slice(&day.happened);
                arrived.extend_from_slice(&day.arrived);
                Ok::<_, Infallible>(())
            })
            .unwrap();
        (happened, arrived)
    }

    #[test]
    fn the_same_seed_makes_the_same_events() {
        let (events, _) = made(RECIPE);
        assert!(events == made(RECIPE).0);
        assert!(events != made(Recipe { seed: 2, ..RECIPE }).0);
        let wanted = RECIPE.events as usize;
        assert!((wanted * 97 / 100..wanted * 103 / 100).contains(&events.len()));
    }

    #[test]
    fn events_happen_in_order_and_nearly_all_arrive_so() {
        let (happened, mut arrived) = made(RECIPE);
        assert!(happened.is_sorted_by_key(|event| event.time));
        assert!(happened.iter().all(|event| event.time < NOW));
        let late = arrived.windows(2).filter(|w| w[0].time > w[1].time).count();
        assert!((500..1_500).contains(&late), "{late}");
        let mut all = happened;
        all.sort_by_key(|event| (event.time, event.user));
        arrived.sort_by_key(|event| (event.time, event.user));
        assert!(all == arrived);
    }

    #[test]
    fn nobody_does_two_things_in_a_second() {
        let (events, _) = made(RECIPE);
        let distinct: BTreeSet<_> = events.iter().map(|e| (e.user, e.time)).collect();
        assert_eq!(distinct.len(), events.len());
    }

    #[test]
    fn few_users_do_much_and_a_third_next_to_nothing() {
        let (events, _) = made(RECIPE);
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for event in &events {
            *counts.entry(event.user).or_default() += 1;
        }
        let silent = RECIPE.users as usize - counts.len();
        assert!((1_500..5_000).contains(&silent), "{silent}");
        let mut counts: Vec<u32> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let busiest: u32 = counts.iter().take(100).sum();
        assert!((20_000..100_000).contains(&busiest), "{busiest}");
        assert!(counts[0] < 5_000, "{}", counts[0]);
    }

    #[test]
    fn every_kind_has_its_share() {
        let (events, _) = made(RECIPE);
        let share = |kind| {
            events.iter().filter(|event| event.kind == kind).count() as f64 / events.len() as f64
        };
        let check = |kind, expected: f64| {
            assert!(
                (share(kind) - expected).abs() < 0.02,
                "{kind:?} {}",
                share(kind)
            );
        };
        check(Kind::Login, 0.235);
        check(Kind::View, 0.48);
        check(Kind::Cart, 0.168);
        check(Kind::Purchase, 0.115);
    }

    #[test]
    fn ranks_and_users_are_one_to_one() {
        let visitors = Visitors::new(&RECIPE);
        let users: BTreeSet<u32> = (0..u64::from(RECIPE.users))
            .map(|rank| visitors.of_rank(rank))
            .collect();
        assert_eq!(users.len(), RECIPE.users as usize);
    }
}
