//! Statements about one user: `PORTRAIT` and `WHY`.
//!
//! What they evaluate, they ask of the user's record and events, and of who invited whom.

use tessera_query_lang::ast::{self, Spanned, Value};

use super::{
    portrait::{self, ByRule, Evaluates},
    query::{Query, give, resolver},
    ranks::RankedUsers,
    why::{self, Subject},
};
use crate::{
    datum::{ResultSink, Summary},
    error::Error,
    ids::TagId,
    plan::{ResolveError, Resolver},
    schema::GroupDefinition,
};

/// How many rules and saved segments that cannot be resolved a portrait names.
const MEANING_WARNINGS_MAX: usize = 100;

impl Query<'_> {
    /// `PORTRAIT`. An unknown user has no rows, and a warning says so.
    pub(crate) fn portrait(
        &self,
        key: &Spanned<Value>,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let key = self.resolve(|resolver| resolver.text(key))?;
        let mut evaluation = Evaluation {
            query: self,
            ranks: RankedUsers::new(self.context()),
            warnings: Vec::new(),
        };
        let rows = portrait::rows(&*self.dataset, &key, self.now_s(), &mut evaluation)?;
        let mut warnings = evaluation.warnings;
        let rows = rows.unwrap_or_else(|| {
            warnings = vec![unknown_user(&key)];
            Vec::new()
        });
        Ok(Summary {
            warnings,
            ..give(sink, portrait::header(), rows)?
        })
    }

    /// `WHY`. An unknown user has no rows, and a warning says so.
    pub(crate) fn why(
        &self,
        user: &Spanned<Value>,
        filter: &ast::Expr,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let ranks = RankedUsers::new(self.context());
        let mut resolver = self.resolver()?.ranked_by(&ranks);
        let key = resolver.text(user)?;
        let location = self.dataset.locate(&key)?;
        let record = match location {
            Some(location) => self.dataset.record(location)?,
            None => None,
        };
        let (Some(location), Some(record)) = (location, record) else {
            resolver.expr(filter).map_err(|error| ranks.reason(error))?;
            self.heard.add(resolver.finish_with_notices()?);
            return Ok(Summary {
                warnings: vec![unknown_user(&key)],
                ..give(sink, why::header(), Vec::new())?
            });
        };
        let events = self.dataset.user_events(location)?;
        let subject = Subject {
            dataset: &*self.dataset,
            key: &key,
            record: &record,
            events: &events,
            at_s: self.now_s(),
        };
        let schema = self.dataset.schema();
        let why = why::why(&mut resolver, schema, subject, filter, self.budget);
        let why = why.map_err(|error| ranks.failure().unwrap_or(error))?;
        self.heard.add(resolver.finish_with_notices()?);
        Ok(Summary {
            warnings: why.warnings,
            ..give(sink, why::header(), why.rows)?
        })
    }
}

/// What of a portrait has to be evaluated, one meaning after the other: all at once may not fit
/// memory.
struct Evaluation<'q> {
    query: &'q Query<'q>,
    ranks: RankedUsers<'q>,
    warnings: Vec<String>,
}

impl Evaluation<'_> {
    fn resolver(&self) -> Result<Resolver<'_>, ResolveError> {
        let Query {
            dataset,
            now,
            limits,
            ..
        } = self.query;
        Ok(resolver(&**dataset, &[], *now, limits)?.ranked_by(&self.ranks))
    }

    /// Warns of a meaning that is not one any more, unless it was something else that failed.
    fn warn(&mut self, unnamed: &mut u64, error: &ResolveError) -> Result<(), Error> {
        if let Some(failure) = self.ranks.failure() {
            return Err(failure);
        }
        match self.warnings.len() < MEANING_WARNINGS_MAX {
            true => self.warnings.push(error.to_string()),
            false => *unnamed += 1,
        }
        Ok(())
    }

    /// The layer of a group in which the user is by its rule: the first that fits, unless the user
    /// was given one, or had this one taken. Each condition is asked once.
    fn layer_of(
        &mut self,
        group: &GroupDefinition,
        subject: Subject<'_>,
        unnamed: &mut u64,
    ) -> Result<Option<TagId>, Error> {
        let schema = self.query.dataset.schema();
        let mut held = subject.record.tags_at(subject.at_s);
        if held.any(|tag| schema.is_beneath(tag, group.id)) {
            return Ok(None);
        }
        let resolved = self.resolver()?.layers_of(group.id);
        let layers = match resolved {
            Ok(layers) => layers,
            Err(error) => {
                self.warn(unnamed, &error)?;
                return Ok(None);
            }
        };
        for (tag, condition) in layers {
            if subject.is_in(&condition)? {
                let is_taken = subject.record.is_blocked(tag);
                return Ok((!is_taken).then_some(tag));
            }
        }
        Ok(None)
    }

    fn warn_unnamed(&mut self, unnamed: u64, kind: &str) {
        if unnamed > 0 {
            let warning = format!("{unnamed} more {kind} cannot be resolved");
            self.warnings.push(warning);
        }
    }
}

impl Evaluates for Evaluation<'_> {
    fn by_rule(&mut self, subject: Subject<'_>) -> Result<Vec<ByRule>, Error> {
        let schema = self.query.dataset.schema();
        let (mut tags, mut unnamed) = (Vec::new(), 0);
        for tag in schema.tags_with_own_rules() {
            self.query.budget.check()?;
            if subject.record.holds(tag.id, subject.at_s) {
                continue;
            }
            let resolved = self.resolver()?.holders_of(tag.id);
            match resolved {
                Ok(holders) if subject.is_in(&holders)? => tags.push(tag.id),
                Ok(_) => {}
                Err(error) => self.warn(&mut unnamed, &error)?,
            }
        }
        for group in schema.layered_groups() {
            self.query.budget.check()?;
            tags.extend(self.layer_of(group, subject, &mut unnamed)?);
        }
        let mut tags: Vec<_> = tags.iter().filter_map(|id| schema.tag_by_id(*id)).collect();
        tags.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        let budget = self.query.budget;
        let mut found = Vec::with_capacity(tags.len());
        for tag in tags {
            let reason = why::reason(&mut self.resolver()?, schema, subject, tag, budget);
            match reason {
                Ok(reason) => found.push(ByRule {
                    tag: tag.id,
                    reason,
                }),
                // A question about the tag would be too large too.
                Err(Error::Resolve(error)) => self.warn(&mut unnamed, &error)?,
                Err(error) => return Err(error),
            }
        }
        self.warn_unnamed(unnamed, "rules");
        Ok(found)
    }

    /// With warnings about those that cannot be resolved any more.
    fn segments(&mut self, subject: Subject<'_>) -> Result<Vec<String>, Error> {
        let (mut segments, mut unnamed) = (Vec::new(), 0);
        for segment in self.query.dataset.schema().segments() {
            self.query.budget.check()?;
            let name = ast::NameRef::Name(segment.name.clone());
            let expr = ast::Expr::Segment(vec![Spanned::synthetic(name)]);
            let resolved = self.resolver()?.expr(&expr);
            match resolved {
                Ok(expr) => {
                    if subject.is_in(&expr)? {
                        segments.push(segment.name.to_string());
                    }
                }
                Err(error) => self.warn(&mut unnamed, &error)?,
            }
        }
        self.warn_unnamed(unnamed, "saved segments");
        Ok(segments)
    }
}

fn unknown_user(key: &str) -> String {
    format!("there is no user {key:?}")
}
