//! How a user holds a tag: since when, until when, and on whose word.
//!
//! Knows what a holding says at a moment. Does not know who holds what, nor how a holding comes
//! about or is stored.

use bincode::{Decode, Encode};

/// On whose word a tag is held. The stronger stands before the weaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Source {
    /// Somebody said so.
    #[default]
    Manual,
    /// It came with data from elsewhere.
    Import,
    /// A rule said so.
    Rule,
    /// A model thinks so.
    Model,
}

impl Source {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Manual, Self::Import, Self::Rule, Self::Model];

    /// Its word in the language.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Import => "import",
            Self::Rule => "rule",
            Self::Model => "model",
        }
    }

    /// The stronger of two.
    #[must_use]
    pub fn or_stronger(self, other: Self) -> Self {
        self.min(other)
    }
}

/// When a tag is held. Times are seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// As long as nobody takes it away.
    Standing {
        /// Since when, where that is known: format 2 did not say.
        since_s: Option<i64>,
    },
    /// From a second on, and before another if there is one. Has rows of its own.
    Timed {
        /// The first second.
        since_s: i64,
        /// The first second after it; after `since_s`.
        until_s: Option<i64>,
    },
}

/// How a user holds a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holding {
    /// On whose word.
    pub source: Source,
    /// When.
    pub term: Term,
}

/// What a holding is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has yet to start.
    Coming,
    /// The tag is held.
    InEffect,
    /// It has ended.
    Ended,
}

impl Holding {
    /// Held as long as nobody takes it away.
    pub fn standing(source: Source, since_s: Option<i64>) -> Self {
        let term = Term::Standing { since_s };
        Self { source, term }
    }

    /// Held from one second on and before another.
    pub fn timed(source: Source, since_s: i64, until_s: Option<i64>) -> Self {
        let term = Term::Timed { since_s, until_s };
        Self { source, term }
    }

    /// Since when, where that is known.
    pub fn since_s(self) -> Option<i64> {
        match self.term {
            Term::Standing { since_s } => since_s,
            Term::Timed { since_s, .. } => Some(since_s),
        }
    }

    /// Until when, if it ends.
    pub fn until_s(self) -> Option<i64> {
        match self.term {
            Term::Standing { .. } => None,
            Term::Timed { until_s, .. } => until_s,
        }
    }

    /// What it is in a second. A clock that goes back makes no difference to a standing one.
    pub fn phase(self, at_s: i64) -> Phase {
        match self.term {
            Term::Standing { .. } => Phase::InEffect,
            Term::Timed { since_s, .. } if at_s < since_s => Phase::Coming,
            Term::Timed { until_s, .. } if until_s.is_some_and(|until_s| until_s <= at_s) => {
                Phase::Ended
            }
            Term::Timed { .. } => Phase::InEffect,
        }
    }

    /// Whether the tag is held in a second.
    pub fn is_in_effect(self, at_s: i64) -> bool {
        self.phase(at_s) == Phase::InEffect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holding_is_in_effect_from_its_first_second_and_before_its_end() {
        let check = |holding: Holding, at_s, expected| {
            assert_eq!(holding.phase(at_s), expected, "{holding:?} at {at_s}");
        };
        let timed = Holding::timed(Source::Import, 10, Some(20));
        check(timed, 9, Phase::Coming);
        check(timed, 10, Phase::InEffect);
        check(timed, 19, Phase::InEffect);
        check(timed, 20, Phase::Ended);
        let endless = Holding::timed(Source::Import, 10, None);
        check(endless, 9, Phase::Coming);
        check(endless, i64::MAX, Phase::InEffect);
        check(
            Holding::standing(Source::Manual, Some(10)),
            9,
            Phase::InEffect,
        );
        check(Holding::standing(Source::Manual, None), 9, Phase::InEffect);
    }

    #[test]
    fn a_manual_word_is_the_strongest() {
        assert!(Source::ALL.is_sorted());
        assert_eq!(Source::Model.or_stronger(Source::Import), Source::Import);
        assert_eq!(Source::Manual.or_stronger(Source::Rule), Source::Manual);
    }
}
