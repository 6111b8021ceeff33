//! From a simplified expression to a plan.
//!
//! Knows which rows stand for which leaf, and looks up the users that are named one by one. Does
//! not simplify: that is what passes are for.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use super::{
    estimate::{Estimates, estimate},
    logical::{Expr, Leaf, Range, Referral},
    passes::{held, in_order},
    physical::{IdLists, LookAt, Operation, OperatorId, Plan},
    user_set::UserSet,
};
use crate::{
    exec::dataset::Dataset,
    ids::{AttributeId, PartitionId, RowId, SliceRow, UserId},
    storage::StorageError,
};

/// Whom the questions about inviters find.
pub type Referrals = HashMap<Arc<Referral>, Arc<UserSet>, RandomState>;

/// Makes a plan for an expression. What it asks about inviters was found before.
///
/// # Errors
/// When the store fails while users are looked up.
pub fn lower(
    expr: &Expr,
    dataset: &dyn Dataset,
    sizes: &dyn Estimates,
    referrals: &Referrals,
) -> Result<Plan, StorageError> {
    Lowering {
        dataset,
        sizes,
        referrals,
        next: 0,
    }
    .plan(expr)
}

/// What of an expression is looked up user by user, and a set that everybody it finds is in.
fn looked_up(expr: &Expr) -> Option<(LookAt, Expr)> {
    let Expr::Leaf(leaf) = expr else {
        return None;
    };
    match leaf {
        Leaf::Recorded(tag, test) => Some((LookAt::Holding(*tag, *test), Leaf::Tag(*tag).into())),
        Leaf::Anniversary(attribute, unit, days) => Some((
            LookAt::Anniversary(*attribute, *unit, *days),
            Leaf::Present(*attribute).into(),
        )),
        Leaf::Tag(_)
        | Leaf::Present(_)
        | Leaf::Value(..)
        | Leaf::Range(..)
        | Leaf::Text(..)
        | Leaf::Keys(_)
        | Leaf::Behaviour(_)
        | Leaf::Referral(_)
        | Leaf::Blocked(_)
        | Leaf::Held(..) => None,
    }
}

struct Lowering<'a> {
    dataset: &'a dyn Dataset,
    sizes: &'a dyn Estimates,
    referrals: &'a Referrals,
    next: u32,
}

impl Lowering<'_> {
    fn plan(&mut self, expr: &Expr) -> Result<Plan, StorageError> {
        let id = self.next_id();
        let estimate = estimate(expr, self.sizes);
        let operation = match expr {
            Expr::All => Operation::Row(RowId::Users),
            Expr::None => Operation::Nothing,
            Expr::Leaf(leaf) => match looked_up(expr) {
                Some((test, beneath)) => self.look(vec![test], vec![beneath])?,
                None => self.leaf(leaf)?,
            },
            Expr::Not(_) => self.conjunction(std::slice::from_ref(expr))?,
            Expr::And(of) => self.conjunction(of)?,
            Expr::Or(of) => Operation::Union(self.plans(of)?),
            Expr::AtLeast { threshold: 0, .. } => Operation::Row(RowId::Users),
            Expr::AtLeast { threshold, of } => Operation::Threshold {
                threshold: *threshold,
                of: self.plans(of)?,
            },
        };
        Ok(Plan {
            id,
            estimate,
            operation,
        })
    }

    fn plans(&mut self, of: &[Expr]) -> Result<Vec<Plan>, StorageError> {
        of.iter().map(|operand| self.plan(operand)).collect()
    }

    fn next_id(&mut self) -> OperatorId {
        let id = OperatorId(self.next);
        self.next += 1;
        id
    }

    /// What takes a look at each user comes last, when the fewest are left.
    fn conjunction(&mut self, of: &[Expr]) -> Result<Operation, StorageError> {
        let (tests, mut input): (Vec<LookAt>, Vec<Expr>) = of.iter().filter_map(looked_up).unzip();
        if tests.is_empty() {
            return self.intersect(of);
        }
        let rest = of.iter().filter(|operand| looked_up(operand).is_none());
        input.extend(rest.cloned());
        input.sort_unstable();
        input.dedup();
        self.look(tests, input)
    }

    fn look(&mut self, tests: Vec<LookAt>, input: Vec<Expr>) -> Result<Operation, StorageError> {
        let input = in_order(Expr::And(input), self.sizes);
        let input = Box::new(self.plan(&input)?);
        Ok(Operation::Look { input, tests })
    }

    /// Negated operands become differences; where nothing else is left, from every user.
    fn intersect(&mut self, of: &[Expr]) -> Result<Operation, StorageError> {
        let mut keep = Vec::new();
        let mut dropped = Vec::new();
        for operand in of {
            match operand {
                Expr::Not(inner) => dropped.push(&**inner),
                Expr::All
                | Expr::None
                | Expr::Leaf(_)
                | Expr::And(_)
                | Expr::Or(_)
                | Expr::AtLeast { .. } => {
                    keep.push(self.plan(operand)?);
                }
            }
        }
        if keep.is_empty() {
            keep.push(self.plan(&Expr::All)?);
        }
        let drop = dropped
            .into_iter()
            .map(|inner| self.plan(inner))
            .collect::<Result<_, _>>()?;
        Ok(Operation::Intersect { keep, drop })
    }

    fn leaf(&mut self, leaf: &Leaf) -> Result<Operation, StorageError> {
        Ok(match leaf {
            Leaf::Tag(tag) => Operation::Row(RowId::Tag(*tag)),
            Leaf::Blocked(tag) => Operation::Row(RowId::Blocked(*tag)),
            Leaf::Present(attribute) => Operation::Row(RowId::Present(*attribute)),
            Leaf::Value(attribute, code) => Operation::Row(RowId::Value(*attribute, *code)),
            Leaf::Range(number, Range::FULL) => Operation::Row(number.row(SliceRow::Present)),
            Leaf::Range(number, range) => Operation::Slices(*number, *range),
            Leaf::Text(attribute, text) => {
                Operation::Ids(Arc::new(self.text_ids(*attribute, text)?))
            }
            Leaf::Keys(keys) => Operation::Ids(Arc::new(self.key_ids(keys)?)),
            Leaf::Behaviour(behaviour) => Operation::Behaviour(Arc::clone(behaviour)),
            Leaf::Referral(of) => match self.referrals.get(of) {
                Some(users) => Operation::Found(Arc::clone(users)),
                None => {
                    let reason = "a plan asks about inviters who were not found";
                    return Err(StorageError::Store(reason.to_owned()));
                }
            },
            // Expanded by a pass, and looked up, before this is asked.
            Leaf::Held(tag, at_s) => self.intersect(&held(*tag, *at_s))?,
            Leaf::Recorded(..) | Leaf::Anniversary(..) => Operation::Nothing,
        })
    }

    fn text_ids(&self, attribute: AttributeId, text: &str) -> Result<IdLists, StorageError> {
        let lists: Result<_, StorageError> = (0..self.dataset.partition_count())
            .map(|partition| {
                self.dataset
                    .text_matches(PartitionId(partition), attribute, text)
            })
            .collect();
        Ok(IdLists::new(lists?))
    }

    fn key_ids(&self, keys: &[String]) -> Result<IdLists, StorageError> {
        let mut lists: Vec<Vec<UserId>> =
            vec![Vec::new(); usize::from(self.dataset.partition_count())];
        for key in keys {
            let Some(location) = self.dataset.locate(key)? else {
                continue;
            };
            if let Some(list) = lists.get_mut(usize::from(location.partition.0)) {
                list.push(location.user);
            }
        }
        for list in &mut lists {
            list.sort_unstable();
            list.dedup();
        }
        Ok(IdLists::new(lists))
    }
}
