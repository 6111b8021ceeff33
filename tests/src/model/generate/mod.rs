//! Random steps: mostly sensible ones over a small world, in which names meet again and again.
//!
//! Knows what is defined (it looks at the model) so that most of what it says means something.
//! Does not know what the right answer is.

mod behaviour;
mod definition;
mod dimension;
mod expr;
mod literal;
mod statement;
mod write;

use jiff::SignedDuration;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tessera_protocol::message::{Mutation, UnknownTags};
use tessera_query_lang::{
    ast::{Spanned, Statement},
    name::Name,
};

use super::Model;

/// Something that happens to a database.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Step {
    /// A statement.
    Statement(Statement),
    /// A typed write.
    Write {
        /// What to do.
        mutations: Vec<Mutation>,
        /// What to do about tags that are not defined.
        unknown_tags: UnknownTags,
    },
    /// Time goes on.
    Wait(SignedDuration),
    /// The database is closed and opened again.
    Restart,
}

/// Tags that may be defined. Names that need quotes, look like keywords or are in other scripts
/// are among them.
const TAGS: [&str; 9] = [
    "vip",
    "promo-1",
    "promo-2",
    "promo/autumn.3",
    "高价值",
    "count",
    "two words",
    "a\"b\\c",
    "new",
];
const GROUPS: [&str; 3] = ["lifecycle", "plan", "by channel"];
const SEGMENTS: [&str; 4] = ["loyal", "young", "all of them", "not"];
/// A name of any kind that is never defined.
const NOWHERE: &str = "nowhere";
/// The values of enums and multis: few, and some that look like other literals.
const LABELS: [&str; 6] = ["red", "green", "dark blue", "7", "true", "2026-01-05"];

/// A source of random steps.
#[derive(Debug)]
pub struct Generator {
    rng: StdRng,
    /// How many keys users may have.
    keys: u32,
    /// Whether the step under way may still contain a deliberate mistake: two would leave open
    /// which one is reported.
    mistake_left: Mistake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Allowed,
    Made,
}

impl Generator {
    /// The same seed gives the same steps, as long as the model answers the same.
    pub fn new(seed: u64, keys: u32) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            keys,
            mistake_left: Mistake::Allowed,
        }
    }

    /// The next step.
    pub fn step(&mut self, model: &Model) -> Step {
        self.mistake_left = if self.chance(0.1) {
            Mistake::Allowed
        } else {
            Mistake::Made
        };
        match self.rng.random_range(0..1000) {
            0..300 => self.write(model),
            300..420 => Step::Statement(self.write_statement(model)),
            420..520 => Step::Statement(self.definition(model)),
            520..985 => Step::Statement(self.query(model)),
            985..996 => Step::Wait(SignedDuration::from_secs(
                self.rng.random_range(1..3_000_000),
            )),
            _ => Step::Restart,
        }
    }

    /// Statements that give a world something to speak of.
    pub fn beginnings(&mut self, model: &Model) -> Step {
        self.mistake_left = Mistake::Made;
        Step::Statement(self.any_define(model))
    }

    /// A key of a user that may or may not be there.
    pub fn key(&mut self) -> String {
        let number = self.rng.random_range(0..self.keys);
        match number {
            0 => "ключ 'é'".to_owned(),
            1 => "q\"uo\\te".to_owned(),
            2 => "k".repeat(256),
            3 => "17".to_owned(),
            _ => format!("u{number}"),
        }
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// Whether to make the step's one mistake here.
    fn mistake(&mut self) -> bool {
        let make = self.mistake_left == Mistake::Allowed && self.chance(0.2);
        if make {
            self.mistake_left = Mistake::Made;
        }
        make
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> Option<&'a T> {
        items.choose(&mut self.rng).copied()
    }

    fn count(&mut self, at_most: usize) -> usize {
        self.rng.random_range(1..=at_most)
    }

    /// One of the defined names, or rarely one that is not.
    fn defined<'a>(&mut self, names: impl Iterator<Item = &'a String>) -> Option<String> {
        if self.mistake() {
            return Some(NOWHERE.to_owned());
        }
        let names: Vec<&str> = names.map(String::as_str).collect();
        self.pick(&names).map(str::to_owned)
    }

    /// The attributes that satisfy a condition, by name.
    fn attributes(model: &Model, fits: impl Fn(&super::Attribute) -> bool) -> Vec<&str> {
        model
            .attributes
            .iter()
            .filter(|(_, attribute)| fits(attribute))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// A name that no text stands behind.
fn named(text: &str) -> Spanned<Name> {
    Spanned::synthetic(name(text))
}

/// A name.
fn name(text: &str) -> Name {
    Name::new(text).expect("the generator's names are names")
}
