//! Statements that write: from targets and values to mutations.
//!
//! Knows who is to be changed and how. Whether a change fits is the writer's to say.

use std::sync::Arc;

use tessera_query_lang::ast::{Assignment, Expr, NameRef, Spanned, Value};
use tessera_query_lang::name::Name;

use super::{
    count::count, dataset::Dataset, limits::QueryLimits, planner, query::resolver, rows::KeySink,
    scan::Context, segment::PreparedSegment,
};
use crate::{
    budget::Budget,
    datum::Datum,
    error::Error,
    plan::{ResolveError, Resolver, resolve::ResolvedAssignment},
    write::{LimitError, Mutation},
};

/// What is to be done to each user, as written.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// `TAG … WITH`
    Tag(Vec<Spanned<NameRef>>),
    /// `UNTAG … WITH`
    Untag(Vec<Spanned<NameRef>>),
    /// `SET`
    Set(Vec<(Spanned<Name>, Assignment)>),
    /// `DELETE USER`
    Delete,
}

/// What is to be done to each user, with names and values.
enum ResolvedChange {
    Tag(Vec<String>),
    Untag(Vec<String>),
    Set(Vec<ResolvedAssignment>),
    Delete,
}

/// What a writing statement is resolved with.
#[derive(Clone)]
pub(crate) struct Given {
    /// The parameters' values.
    pub(crate) parameters: Arc<[(String, Datum)]>,
    /// The statement's moment.
    pub(crate) now: jiff::Timestamp,
    /// How much it may take.
    pub(crate) limits: QueryLimits,
    /// When to stop.
    pub(crate) budget: Budget,
    /// Users one `WHERE` may find.
    pub(crate) where_users_max: u32,
}

impl Change {
    /// The mutations of named users.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub(crate) fn of_keys(
        &self,
        dataset: &dyn Dataset,
        keys: &[Spanned<Value>],
        given: &Given,
    ) -> Result<Vec<Mutation>, Error> {
        let mut resolver = resolver(dataset, &given.parameters, given.now, &given.limits)?;
        let keys = resolver.user_keys(keys)?;
        let change = self.resolve(&mut resolver)?;
        resolver.finish()?;
        Ok(mutations(keys, &change))
    }

    /// The mutations of every user of an expression.
    ///
    /// # Errors
    /// [`ResolveError`], with the place; [`LimitError`] when it finds too many; when the store
    /// fails or the budget is used up.
    pub(crate) fn of_filter(
        &self,
        dataset: &dyn Dataset,
        filter: &Expr,
        given: &Given,
    ) -> Result<Vec<Mutation>, Error> {
        let mut resolver = resolver(dataset, &given.parameters, given.now, &given.limits)?;
        let filter = resolver.expr(filter)?;
        let change = self.resolve(&mut resolver)?;
        resolver.finish()?;
        // The writer waits meanwhile, on whose thread this runs: the query threads stay free.
        let context = Context {
            dataset,
            pool: None,
            budget: &given.budget,
            limits: &given.limits,
        };
        let plan = planner::plan(dataset, filter)?;
        let found = count(context, &plan)?;
        if found > u64::from(given.where_users_max) {
            return Err(LimitError::WhereUsers {
                found,
                max: given.where_users_max,
            }
            .into());
        }
        let segment = PreparedSegment {
            plan,
            returns: Vec::new(),
            order: Vec::new(),
            sample: None,
        };
        let mut sink = KeySink::default();
        segment.run(context, None, None, &mut sink)?;
        Ok(mutations(sink.into_keys(), &change))
    }

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Result<ResolvedChange, ResolveError> {
        Ok(match self {
            Self::Tag(tags) => ResolvedChange::Tag(resolver.tag_names(tags)?),
            Self::Untag(tags) => ResolvedChange::Untag(resolver.tag_names(tags)?),
            Self::Set(assignments) => {
                let resolved = assignments
                    .iter()
                    .map(|(name, assignment)| resolver.assignment(name, assignment));
                ResolvedChange::Set(resolved.collect::<Result<_, _>>()?)
            }
            Self::Delete => ResolvedChange::Delete,
        })
    }
}

fn mutations(keys: Vec<String>, change: &ResolvedChange) -> Vec<Mutation> {
    let mut mutations = Vec::with_capacity(keys.len());
    for user in keys {
        match change {
            ResolvedChange::Tag(tags) => mutations.push(Mutation::Tag {
                user,
                tags: tags.clone(),
            }),
            ResolvedChange::Untag(tags) => mutations.push(Mutation::Untag {
                user,
                tags: tags.clone(),
            }),
            ResolvedChange::Set(assignments) => assign(&user, assignments, &mut mutations),
            ResolvedChange::Delete => mutations.push(Mutation::DeleteUser { user }),
        }
    }
    mutations
}

/// Assignments in their order; neighbouring ones that set make one mutation.
fn assign(user: &str, assignments: &[ResolvedAssignment], mutations: &mut Vec<Mutation>) {
    let mut set = Vec::new();
    let flush = |set: &mut Vec<(String, Datum)>, mutations: &mut Vec<Mutation>| {
        if !set.is_empty() {
            mutations.push(Mutation::Set {
                user: user.to_owned(),
                values: std::mem::take(set),
            });
        }
    };
    for assignment in assignments {
        match assignment {
            ResolvedAssignment::Set(attribute, value) => {
                set.push((attribute.clone(), value.clone()));
            }
            ResolvedAssignment::Add(attribute, values) => {
                flush(&mut set, mutations);
                let (user, attribute, values) =
                    (user.to_owned(), attribute.clone(), values.clone());
                mutations.push(Mutation::Add {
                    user,
                    attribute,
                    values,
                });
            }
            ResolvedAssignment::Remove(attribute, values) => {
                flush(&mut set, mutations);
                let (user, attribute, values) =
                    (user.to_owned(), attribute.clone(), values.clone());
                mutations.push(Mutation::Remove {
                    user,
                    attribute,
                    values,
                });
            }
        }
    }
    flush(&mut set, mutations);
}
