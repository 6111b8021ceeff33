//! Ranges of one number: within `AND` their intersection, within `OR` one range where they
//! touch. A range of every number is the presence of a value.

use super::leaf_range;
use crate::{
    ids::NumberId,
    plan::logical::{Expr, Leaf, Range},
};

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::And(of) => Expr::And(intersected(of)),
        Expr::Or(of) => Expr::Or(joined(of)),
        Expr::Leaf(Leaf::Range(NumberId::Attribute(attribute), Range::FULL)) => {
            Leaf::Present(attribute).into()
        }
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) | Expr::AtLeast { .. } => expr,
    }
}

/// The ranges by number, and everything else.
fn split(of: Vec<Expr>) -> (Vec<(NumberId, Range)>, Vec<Expr>) {
    let mut ranges = Vec::new();
    let mut others = Vec::new();
    for operand in of {
        match leaf_range(&operand) {
            Some(range) => ranges.push(range),
            None => others.push(operand),
        }
    }
    ranges.sort_unstable();
    (ranges, others)
}

fn intersected(of: Vec<Expr>) -> Vec<Expr> {
    let (ranges, mut others) = split(of);
    let mut merged: Vec<(NumberId, Option<Range>)> = Vec::new();
    for (number, range) in ranges {
        match merged.last_mut() {
            Some((last, common)) if *last == number => {
                *common = common.and_then(|common| common.intersect(range));
            }
            _ => merged.push((number, Some(range))),
        }
    }
    others.extend(merged.into_iter().map(|(number, range)| match range {
        Some(range) => Leaf::Range(number, range).into(),
        None => Expr::None,
    }));
    others
}

fn joined(of: Vec<Expr>) -> Vec<Expr> {
    let (ranges, mut others) = split(of);
    let mut merged: Vec<(NumberId, Range)> = Vec::new();
    for (number, range) in ranges {
        let joined = merged
            .last()
            .filter(|(last, _)| *last == number)
            .and_then(|(_, last)| last.join(range));
        match (joined, merged.last_mut()) {
            (Some(joined), Some(last)) => last.1 = joined,
            (None, _) | (_, None) => merged.push((number, range)),
        }
    }
    others.extend(
        merged
            .into_iter()
            .map(|(number, range)| Leaf::Range(number, range).into()),
    );
    others
}
