//! The passes that simplify an expression: small pure functions in one visible list.
//!
//! Every pass keeps the meaning (property-tested against the naive evaluator), looks at one node
//! whose operands are simplified already, and is repeated with the others until nothing changes.
//! They do not know the data; only the order of operands depends on estimated sizes.

mod deduplicate_operands;
mod expand_holdings;
mod flatten_nested;
mod fold_constants;
mod fold_contradictions;
mod fold_double_negation;
mod fold_negated_unions;
mod fold_thresholds;
mod merge_ranges;
mod order_operands;

use super::{
    estimate::Estimates,
    logical::{Expr, Leaf},
};

/// A named rewriting of one node.
#[derive(Clone, Copy)]
pub struct Pass {
    /// What it does, as `EXPLAIN` shows it.
    pub name: &'static str,
    /// Rewrites a node whose operands are rewritten already.
    pub rewrite: fn(Expr, &dyn Estimates) -> Expr,
}

/// All passes, in the order they run.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "expand holdings",
        rewrite: |expr, _| expand_holdings::rewrite(expr),
    },
    Pass {
        name: "flatten nested",
        rewrite: |expr, _| flatten_nested::rewrite(expr),
    },
    Pass {
        name: "fold double negation",
        rewrite: |expr, _| fold_double_negation::rewrite(expr),
    },
    Pass {
        name: "fold negated unions",
        rewrite: |expr, _| fold_negated_unions::rewrite(expr),
    },
    Pass {
        name: "fold thresholds",
        rewrite: |expr, _| fold_thresholds::rewrite(expr),
    },
    Pass {
        name: "merge ranges",
        rewrite: |expr, _| merge_ranges::rewrite(expr),
    },
    Pass {
        name: "fold constants",
        rewrite: |expr, _| fold_constants::rewrite(expr),
    },
    Pass {
        name: "order operands",
        rewrite: order_operands::rewrite,
    },
    Pass {
        name: "deduplicate operands",
        rewrite: |expr, _| deduplicate_operands::rewrite(expr),
    },
    Pass {
        name: "fold contradictions",
        rewrite: |expr, _| fold_contradictions::rewrite(expr),
    },
];

pub(super) use expand_holdings::held;
pub(super) use order_operands::in_order;

/// Rounds after which simplification stops even where a further one might find more.
const ROUNDS_MAX: usize = 8;

/// One step of simplification that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The pass.
    pub pass: &'static str,
    /// The expression after it.
    pub after: Expr,
}

/// Applies one pass to every node, operands first.
pub fn apply(pass: Pass, expr: Expr, sizes: &dyn Estimates) -> Expr {
    let inner = match expr {
        Expr::All | Expr::None | Expr::Leaf(_) => expr,
        Expr::Not(inner) => apply(pass, *inner, sizes).negated(),
        Expr::And(of) => Expr::And(apply_all(pass, of, sizes)),
        Expr::Or(of) => Expr::Or(apply_all(pass, of, sizes)),
        Expr::AtLeast { threshold, of } => Expr::AtLeast {
            threshold,
            of: apply_all(pass, of, sizes),
        },
    };
    (pass.rewrite)(inner, sizes)
}

fn apply_all(pass: Pass, of: Vec<Expr>, sizes: &dyn Estimates) -> Vec<Expr> {
    of.into_iter()
        .map(|operand| apply(pass, operand, sizes))
        .collect()
}

/// Runs all passes until nothing changes, and tells every step that changed something.
pub fn simplify_with(expr: Expr, sizes: &dyn Estimates, changed: &mut dyn FnMut(Step)) -> Expr {
    repeated(expr, |expr| {
        PASSES.iter().fold(expr, |before, pass| {
            let after = apply(*pass, before.clone(), sizes);
            if after != before {
                changed(Step {
                    pass: pass.name,
                    after: after.clone(),
                });
            }
            after
        })
    })
}

/// Runs rounds until one changes nothing.
fn repeated(mut expr: Expr, mut round: impl FnMut(Expr) -> Expr) -> Expr {
    for _ in 0..ROUNDS_MAX {
        let before = expr.clone();
        expr = round(expr);
        if expr == before {
            break;
        }
    }
    expr
}

/// Runs all passes until nothing changes.
pub fn simplify(expr: Expr, sizes: &dyn Estimates) -> Expr {
    repeated(expr, |expr| {
        PASSES
            .iter()
            .fold(expr, |expr, pass| apply(*pass, expr, sizes))
    })
}

/// The ranges among operands, by number, and the rest.
fn leaf_range(expr: &Expr) -> Option<(crate::ids::NumberId, super::logical::Range)> {
    match expr {
        Expr::Leaf(Leaf::Range(number, range)) => Some((*number, *range)),
        Expr::Leaf(
            Leaf::Tag(_)
            | Leaf::Present(_)
            | Leaf::Value(..)
            | Leaf::Text(..)
            | Leaf::Keys(_)
            | Leaf::Held(..)
            | Leaf::Recorded(..)
            | Leaf::Blocked(_)
            | Leaf::Behaviour(_)
            | Leaf::Referral(_)
            | Leaf::Anniversary(..),
        )
        | Expr::All
        | Expr::None
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::AtLeast { .. } => None,
    }
}

#[cfg(test)]
mod tests;
