//! What becomes of a user's holdings when a tag is given or taken.
//!
//! Deterministic: the second comes with the command. Knows the rules of tags, of tagging again
//! and of exclusive groups. Does not know how records are staged or stored.

use bincode::{Decode, Encode};

use crate::{
    ids::{GroupId, TagId},
    schema::{OnRetag, Schema, TagDefinition, Validity},
    storage::{Holding, Phase, Source, Term, UserRecord},
    time::{Length, TimeError, timestamp_of_micros},
    write::WriteError,
};

/// How tags are given. What is not said follows from the tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct HoldTerms {
    /// The first second, counted from 1970-01-01T00:00:00Z; that of the request if not given.
    pub since_s: Option<i64>,
    /// When they end.
    pub end: HoldEnd,
    /// On whose word.
    pub source: Source,
}

/// When a holding ends. Only those of dynamic tags do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub enum HoldEnd {
    /// When the tag's own validity is over; not at all if it is static.
    #[default]
    OfTag,
    /// Before this second, counted from 1970-01-01T00:00:00Z.
    At(i64),
    /// So long after its start.
    After(Length),
}

impl From<Source> for HoldTerms {
    /// Nothing said but on whose word.
    fn from(source: Source) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }
}

/// The rules, at the second of a command.
#[derive(Clone, Copy)]
pub(super) struct Holdings<'a> {
    pub(super) schema: &'a Schema,
    pub(super) at_s: i64,
}

impl Holdings<'_> {
    /// How a user holds a tag after it is given. `None` when nothing changes.
    pub(super) fn given(
        self,
        record: &UserRecord,
        tag: TagId,
        terms: &HoldTerms,
    ) -> Result<Option<Holding>, WriteError> {
        let Some(definition) = self.schema.tag_by_id(tag) else {
            return Ok(None);
        };
        let held = record.holding(tag);
        if definition.lifecycle.is_closed() {
            // Who has a holding that is not over keeps it as it is.
            return match held.map(|held| held.phase(self.at_s)) {
                Some(Phase::InEffect | Phase::Coming) => Ok(None),
                Some(Phase::Ended) | None => Err(no_new_holdings(definition)),
            };
        }
        let fresh = self.fresh(definition, terms)?;
        if self.is_ruled(tag) && self.is_overruled(record, tag, fresh) {
            return Ok(None);
        }
        let next = match held {
            None => fresh,
            Some(held) if held.phase(self.at_s) == Phase::Ended => fresh,
            // What is over does not end what is not.
            Some(_) if fresh.phase(self.at_s) == Phase::Ended => return Ok(None),
            Some(held) => match definition.validity {
                Validity::Static => standing_again(held, fresh, terms),
                Validity::Dynamic(_) => timed_again(definition, held, fresh, terms)?,
            },
        };
        if held == Some(next) {
            return Ok(None);
        }
        check_calendar(next)?;
        Ok(Some(next))
    }

    /// Whether a rule may say who holds a tag.
    pub(super) fn is_ruled(self, tag: TagId) -> bool {
        let definition = self.schema.tag_by_id(tag);
        definition.is_some_and(|tag| self.schema.rule_of(tag).is_some())
    }

    /// Whether a stronger word is against giving a tag of a rule: the rule's against those of
    /// models, the one that took the tag against all but the same, and in a group the one on
    /// which a sibling is held.
    fn is_overruled(self, record: &UserRecord, tag: TagId, fresh: Holding) -> bool {
        if fresh.source >= Source::Rule {
            return true;
        }
        if record.is_blocked(tag) && fresh.source != Source::Manual {
            return true;
        }
        let Some(group) = self.exclusive_group(tag) else {
            return false;
        };
        let siblings = self.held_of_group(record, group).into_iter();
        siblings
            .filter(|(sibling, held)| *sibling != tag && overlap(*held, fresh))
            .any(|(_, held)| held.source < fresh.source)
    }

    /// A holding of somebody who has none.
    fn fresh(self, tag: &TagDefinition, terms: &HoldTerms) -> Result<Holding, WriteError> {
        let since_s = terms.since_s.unwrap_or(self.at_s);
        let end = match (terms.end, tag.validity) {
            (HoldEnd::OfTag, Validity::Static) => None,
            (HoldEnd::OfTag, Validity::Dynamic(length)) => Some(HoldEnd::After(length)),
            (HoldEnd::At(_) | HoldEnd::After(_), Validity::Static) => {
                return Err(WriteError::StaticEnds {
                    tag: tag.name.to_string(),
                });
            }
            (end, Validity::Dynamic(_)) => Some(end),
        };
        let until_s = match end {
            Some(HoldEnd::At(until_s)) => Some(until_s),
            Some(HoldEnd::After(length)) => Some(after(length, since_s)?),
            Some(HoldEnd::OfTag) | None => None,
        };
        if until_s.is_some_and(|until_s| until_s <= since_s) {
            return Err(WriteError::EndsBeforeStart {
                tag: tag.name.to_string(),
            });
        }
        let is_timed = match tag.validity {
            Validity::Static => since_s > self.at_s,
            Validity::Dynamic(_) => true,
        };
        Ok(if is_timed {
            Holding::timed(terms.source, since_s, until_s)
        } else {
            Holding::standing(terms.source, Some(since_s))
        })
    }

    /// How a user holds a tag after it is taken: `None` when nothing is left of it.
    pub(super) fn taken(self, tag: TagId, held: Holding) -> Option<Holding> {
        match held.phase(self.at_s) {
            Phase::Ended => Some(held),
            Phase::Coming => None,
            Phase::InEffect => self.ended(tag, held, self.at_s),
        }
    }

    /// A holding that ends earlier. `None` when nothing is left: holdings of static tags leave no
    /// trace.
    fn ended(self, tag: TagId, held: Holding, until_s: i64) -> Option<Holding> {
        let definition = self.schema.tag_by_id(tag)?;
        let since_s = held.since_s().filter(|since_s| *since_s < until_s)?;
        match definition.validity {
            Validity::Static => None,
            Validity::Dynamic(_) => Some(Holding::timed(held.source, since_s, Some(until_s))),
        }
    }

    /// Gives a tag, and ends the holdings that it excludes.
    pub(super) fn give(self, record: &mut UserRecord, tag: TagId, holding: Holding) {
        if let Some(group) = self.exclusive_group(tag) {
            for (sibling, held) in self.held_of_group(record, group) {
                if sibling != tag && overlap(held, holding) {
                    let until_s = holding.since_s().unwrap_or(self.at_s);
                    put(record, sibling, self.ended(sibling, held, until_s));
                }
            }
        }
        record.unblock(tag);
        record.hold(tag, holding);
    }

    /// Whether anything is to be done to take a tag.
    pub(super) fn is_to_take(self, record: &UserRecord, tag: TagId) -> bool {
        let held = record.holding(tag);
        held.is_some_and(|held| self.taken(tag, held) != Some(held))
            || self.is_ruled(tag) && !record.is_blocked(tag)
    }

    /// Takes a tag, and remembers it if a rule would give it again.
    pub(super) fn take(self, record: &mut UserRecord, tag: TagId) {
        if let Some(held) = record.holding(tag) {
            put(record, tag, self.taken(tag, held));
        }
        if self.is_ruled(tag) {
            record.block(tag);
        }
    }

    /// The group of which the user may hold only this tag, if there is one.
    pub(super) fn exclusive_group(self, tag: TagId) -> Option<GroupId> {
        self.schema.exclusive_group(tag).map(|group| group.id)
    }

    fn held_of_group(self, record: &UserRecord, group: GroupId) -> Vec<(TagId, Holding)> {
        let is_member = |(tag, _): &(TagId, Holding)| self.schema.is_beneath(*tag, group);
        record.holdings().filter(is_member).collect()
    }
}

/// The refusal of a new holding of a tag that takes none.
pub(super) fn no_new_holdings(tag: &TagDefinition) -> WriteError {
    WriteError::NoNewHoldings {
        tag: tag.name.to_string(),
        state: tag.lifecycle.word(),
    }
}

/// Whether there is a second in which both are in effect.
pub(super) fn overlap(left: Holding, right: Holding) -> bool {
    let start = |holding: Holding| match holding.term {
        Term::Standing { .. } => i64::MIN,
        Term::Timed { since_s, .. } => since_s,
    };
    let end = |holding: Holding| holding.until_s().unwrap_or(i64::MAX);
    start(left) < end(right) && start(right) < end(left)
}

fn put(record: &mut UserRecord, tag: TagId, holding: Option<Holding>) {
    match holding {
        Some(holding) => record.hold(tag, holding),
        None => record.remove_tag(tag),
    }
}

/// A static tag is given to somebody who has it: it keeps its start, unless another is said or
/// it has yet to come.
fn standing_again(held: Holding, fresh: Holding, terms: &HoldTerms) -> Holding {
    let source = held.source.or_stronger(fresh.source);
    let starts_earlier =
        matches!(held.term, Term::Timed { since_s, .. } if fresh.since_s() < Some(since_s));
    let term = match held.term {
        _ if terms.since_s.is_some() || starts_earlier => fresh.term,
        Term::Timed {
            since_s,
            until_s: Some(_),
        } => Term::Standing {
            since_s: Some(since_s),
        },
        term @ (Term::Standing { .. } | Term::Timed { until_s: None, .. }) => term,
    };
    Holding { source, term }
}

/// A dynamic tag is given to somebody whose holding of it has not ended.
fn timed_again(
    tag: &TagDefinition,
    held: Holding,
    fresh: Holding,
    terms: &HoldTerms,
) -> Result<Holding, WriteError> {
    let since_s = match (held.since_s(), fresh.since_s()) {
        (Some(held), Some(fresh)) => held.min(fresh),
        (Some(known), None) | (None, Some(known)) => known,
        (None, None) => return Ok(held),
    };
    let source = held.source.or_stronger(fresh.source);
    let both = held.until_s().zip(fresh.until_s());
    let until_s = match tag.on_retag {
        // A weaker word does not replace a stronger one.
        OnRetag::Replace if fresh.source > held.source => return Ok(held),
        OnRetag::Replace => return Ok(fresh),
        OnRetag::Later => both.map(|(held, fresh)| held.max(fresh)),
        OnRetag::Extend => match (both, length_of(tag, terms)) {
            (None, _) => None,
            (Some((until_s, _)), Some(length)) => Some(after(length, until_s)?),
            (Some((until_s, end_s)), None) => {
                let since_s = fresh.since_s().unwrap_or(end_s);
                let length_s = end_s.saturating_sub(since_s);
                Some(until_s.saturating_add(length_s))
            }
        },
    };
    Ok(Holding::timed(source, since_s, until_s))
}

/// How long a new holding lasts, where that was said as a length.
fn length_of(tag: &TagDefinition, terms: &HoldTerms) -> Option<Length> {
    match (terms.end, tag.validity) {
        (HoldEnd::After(length), _) | (HoldEnd::OfTag, Validity::Dynamic(length)) => Some(length),
        (HoldEnd::At(_), _) | (HoldEnd::OfTag, Validity::Static) => None,
    }
}

fn after(length: Length, second: i64) -> Result<i64, WriteError> {
    length.after_s(second).map_err(beyond_calendar)
}

fn beyond_calendar(error: TimeError) -> WriteError {
    WriteError::BeyondCalendar(error.to_string())
}

/// Refuses a holding of which nobody could be told since or until when it is: it could not be
/// read again either.
fn check_calendar(holding: Holding) -> Result<(), WriteError> {
    let is_beyond = |second: i64| timestamp_of_micros(second.saturating_mul(1_000_000)).is_none();
    let bounds = [holding.since_s(), holding.until_s()];
    match bounds.into_iter().flatten().any(is_beyond) {
        true => Err(beyond_calendar(TimeError::OutOfRange)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
