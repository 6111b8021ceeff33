//! Statements that write: from targets and values to mutations.
//!
//! Knows who is to be changed and how. Whether a change fits is the writer's to say.

use std::{collections::HashSet, sync::Arc};

use tessera_query_lang::ast::{Assignment, Expr, HoldingTerms, NameRef, Spanned, Value};
use tessera_query_lang::name::Name;

use super::{
    count::count,
    dataset::Dataset,
    heard::Heard,
    limits::QueryLimits,
    planner,
    query::resolver,
    ranks::RankedUsers,
    scan::{Context, Unit},
    scheduler::Scheduler,
};
use crate::{
    budget::Budget,
    datum::Datum,
    error::Error,
    ids::{BLOCK_BITS, PartitionId, UserId},
    limits::Limits,
    plan::{ResolveError, Resolver, physical::Plan, resolve::ResolvedAssignment},
    schema::Schema,
    write::{HoldTerms, LimitError, Mutation, SelectedUsers, bytes_applied, bytes_copied},
};

/// What is to be done to each user, as written.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// `TAG … WITH`
    Tag(Vec<Spanned<NameRef>>, HoldingTerms),
    /// `UNTAG … WITH`
    Untag(Vec<Spanned<NameRef>>),
    /// `CLEAR TAG … WITH`
    Clear(Vec<Spanned<NameRef>>),
    /// `SET`
    Set(Vec<(Spanned<Name>, Assignment)>),
    /// `DELETE USER`
    Delete,
}

/// What is to be done to each user, with names and values.
enum ResolvedChange {
    Tag(Vec<String>, HoldTerms),
    Untag(Vec<String>),
    Clear(Vec<String>),
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
    /// How much it may write.
    pub(crate) writes: WriteLimits,
    /// The threads that find the users of an expression.
    pub(crate) scheduler: Arc<Scheduler>,
    /// What there is to say beside the answer.
    pub(crate) heard: Arc<Heard>,
}

/// How much one statement may write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteLimits {
    /// Users one `WHERE` may find.
    pub(crate) where_users_max: u32,
    /// Mutations of named users.
    pub(crate) mutations_max: u32,
    /// Bytes of what is written.
    pub(crate) bytes_max: u64,
}

impl WriteLimits {
    fn check_bytes(self, bytes: u64) -> Result<(), LimitError> {
        if bytes > self.bytes_max {
            Err(LimitError::RequestBytes {
                max: self.bytes_max,
            })
        } else {
            Ok(())
        }
    }
}

impl From<&Limits> for WriteLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            where_users_max: limits.where_users_max,
            mutations_max: limits.mutations_max,
            bytes_max: limits.request_bytes_max,
        }
    }
}

impl Change {
    /// The mutations of named users.
    ///
    /// # Errors
    /// [`ResolveError`], with the place; [`LimitError`] when there would be too many.
    pub(crate) fn of_keys(
        &self,
        dataset: &dyn Dataset,
        keys: &[Spanned<Value>],
        given: &Given,
    ) -> Result<Vec<Mutation>, Error> {
        let mut resolver = resolver(dataset, &given.parameters, given.now, &given.limits)?;
        let keys = resolver.user_keys(keys)?;
        let change = self.resolve(&mut resolver)?;
        given.heard.add(resolver.finish_with_notices()?);
        change.check_keys(&keys, given.writes)?;
        Ok(keys.into_iter().flat_map(|key| change.of(key)).collect())
    }

    /// The users of an expression, and the mutations of each.
    ///
    /// # Errors
    /// [`ResolveError`], with the place; [`LimitError`] when it finds too many or would write too
    /// much; when the store fails or the budget is used up.
    pub(crate) fn of_filter(
        &self,
        dataset: &dyn Dataset,
        filter: &Expr,
        given: &Given,
    ) -> Result<SelectedUsers, Error> {
        let context = Context {
            dataset,
            scheduler: Some(&given.scheduler),
            turn: None,
            budget: &given.budget,
            limits: &given.limits,
            orders: None,
        };
        let ranks = RankedUsers::new(context);
        let resolver = resolver(dataset, &given.parameters, given.now, &given.limits)?;
        let mut resolver = resolver.ranked_by(&ranks);
        let filter = resolver.expr(filter).map_err(|error| ranks.reason(error))?;
        let change = self.resolve(&mut resolver)?;
        given.heard.add(resolver.finish_with_notices()?);
        let plan = planner::plan(context, filter)?;
        let found = count(context, &plan)?;
        change.check_found(found, dataset.schema(), given.writes)?;
        Ok(SelectedUsers {
            users: users_of(context, &plan)?,
            change: Box::new(move |key| change.of(key.to_owned())),
        })
    }

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Result<ResolvedChange, ResolveError> {
        Ok(match self {
            Self::Tag(tags, terms) => {
                let tags = last_of_each(resolver.tag_names(tags)?);
                ResolvedChange::Tag(tags, resolver.hold_terms(terms)?)
            }
            Self::Untag(tags) => ResolvedChange::Untag(last_of_each(resolver.tag_names(tags)?)),
            Self::Clear(tags) => ResolvedChange::Clear(last_of_each(resolver.tag_names(tags)?)),
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

/// The users that a plan finds, rising in each partition.
fn users_of(context: Context<'_>, plan: &Plan) -> Result<Vec<(PartitionId, Vec<UserId>)>, Error> {
    let found = context.map_shards(plan, |mut shard| {
        let Unit {
            partition,
            shard: _,
        } = shard.unit;
        let mut users = Vec::new();
        shard.for_each_block(0, |block| {
            let start = u32::from(block.id.0) << BLOCK_BITS;
            block
                .users
                .for_each(|place| users.push(UserId(start | u32::from(place))));
            Ok::<_, Error>(())
        })?;
        Ok((partition, users))
    })?;
    Ok(found)
}

impl ResolvedChange {
    /// The mutations of one user.
    fn of(&self, user: String) -> Vec<Mutation> {
        match self {
            Self::Tag(tags, terms) if *terms == HoldTerms::default() => vec![Mutation::Tag {
                user,
                tags: tags.clone(),
            }],
            Self::Tag(tags, terms) => vec![Mutation::Hold {
                user,
                tags: tags.clone(),
                terms: *terms,
            }],
            Self::Untag(tags) => vec![Mutation::Untag {
                user,
                tags: tags.clone(),
            }],
            Self::Clear(tags) => vec![Mutation::Clear {
                user,
                tags: tags.clone(),
            }],
            Self::Set(assignments) => {
                let mut mutations = Vec::with_capacity(1);
                assign(&user, assignments, &mut mutations);
                mutations
            }
            Self::Delete => vec![Mutation::DeleteUser { user }],
        }
    }

    /// Refuses more than a request may hold, before it is built: a short text can name many
    /// users and a long change.
    fn check_keys(&self, keys: &[String], limits: WriteLimits) -> Result<(), LimitError> {
        let each = self.of(String::new());
        let found = keys.len().saturating_mul(each.len());
        if found > limits.mutations_max as usize {
            return Err(LimitError::Mutations {
                found,
                max: limits.mutations_max,
            });
        }
        let key_bytes: usize = keys.iter().map(String::len).sum();
        let bytes: u64 = each.iter().map(bytes_copied).sum();
        let bytes = bytes
            .saturating_mul(keys.len() as u64)
            .saturating_add(key_bytes.saturating_mul(each.len()) as u64);
        limits.check_bytes(bytes)
    }

    /// Refuses what would take too much once it is applied to so many users.
    fn check_found(
        &self,
        found: u64,
        schema: &Schema,
        limits: WriteLimits,
    ) -> Result<(), LimitError> {
        let max = limits.where_users_max;
        if found > u64::from(max) {
            return Err(LimitError::WhereUsers { found, max });
        }
        let each = self.of(String::new());
        let bytes: u64 = each
            .iter()
            .map(|mutation| bytes_applied(mutation, schema))
            .sum();
        limits.check_bytes(bytes.saturating_mul(found))
    }
}

/// Every name once, where it stands last: of two siblings in an exclusive group the last wins.
fn last_of_each(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity(names.len());
    let mut last: Vec<String> = names
        .into_iter()
        .rev()
        .filter(|name| seen.insert(name.clone()))
        .collect();
    last.reverse();
    last
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
