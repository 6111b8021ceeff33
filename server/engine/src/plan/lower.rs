//! From a simplified expression to a plan.
//!
//! Knows which rows stand for which leaf, and looks up the users that are named one by one. Does
//! not simplify: that is what passes are for.

use std::sync::Arc;

use super::{
    estimate::{Estimates, estimate},
    logical::{Expr, Leaf},
    physical::{IdLists, Operation, OperatorId, Plan},
};
use crate::{
    exec::dataset::Dataset,
    ids::{AttributeId, PartitionId, RowId, UserId},
    storage::StorageError,
};

/// Makes a plan for an expression.
///
/// # Errors
/// When the store fails while users are looked up.
pub fn lower(
    expr: &Expr,
    dataset: &dyn Dataset,
    sizes: &dyn Estimates,
) -> Result<Plan, StorageError> {
    Lowering {
        dataset,
        sizes,
        next: 0,
    }
    .plan(expr)
}

struct Lowering<'a> {
    dataset: &'a dyn Dataset,
    sizes: &'a dyn Estimates,
    next: u32,
}

impl Lowering<'_> {
    fn plan(&mut self, expr: &Expr) -> Result<Plan, StorageError> {
        let id = self.next_id();
        let estimate = estimate(expr, self.sizes);
        let operation = match expr {
            Expr::All => Operation::Row(RowId::Users),
            Expr::None => Operation::Nothing,
            Expr::Leaf(leaf) => self.leaf(leaf)?,
            Expr::Not(_) => self.intersect(std::slice::from_ref(expr))?,
            Expr::And(of) => self.intersect(of)?,
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

    fn leaf(&self, leaf: &Leaf) -> Result<Operation, StorageError> {
        Ok(match leaf {
            Leaf::Tag(tag) => Operation::Row(RowId::Tag(*tag)),
            Leaf::Present(attribute) => Operation::Row(RowId::Present(*attribute)),
            Leaf::Value(attribute, code) => Operation::Row(RowId::Value(*attribute, *code)),
            Leaf::Range(attribute, range) => Operation::Slices(*attribute, *range),
            Leaf::Text(attribute, text) => {
                Operation::Ids(Arc::new(self.text_ids(*attribute, text)?))
            }
            Leaf::Keys(keys) => Operation::Ids(Arc::new(self.key_ids(keys)?)),
            Leaf::Behaviour(behaviour) => Operation::Behaviour(Arc::clone(behaviour)),
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
