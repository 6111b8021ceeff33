//! `COUNT` and the passes.

use proptest::prelude::*;

use super::{planned, resolved};
use crate::{
    exec::{
        count::count,
        naive,
        sizes::Sizes,
        testing::{Bench, random},
    },
    plan::{
        estimate::estimate,
        logical::Expr,
        lower::{Referrals, lower},
        passes::{self, PASSES},
    },
};

fn naive_count(bench: &Bench, expr: &Expr) -> u64 {
    naive::users(&*bench.dataset, expr)
        .expect("memory does not fail")
        .len() as u64
}

fn fast_count(bench: &Bench, expr: &Expr) -> u64 {
    let sizes = Sizes::measure(&*bench.dataset, expr).expect("memory does not fail");
    let none = Referrals::default();
    let plan = lower(expr, &*bench.dataset, &sizes, &none).expect("memory does not fail");
    count(bench.context(), &plan).expect("memory does not fail")
}

/// The same question in other words: operands in another order, some of them in brackets.
fn reworded(expr: &Expr, choices: &mut impl FnMut(usize) -> usize) -> Expr {
    let mut operands = |of: &[Expr]| {
        let mut reworded_operands: Vec<Expr> = of
            .iter()
            .map(|operand| reworded(operand, choices))
            .collect();
        for last in (1..of.len()).rev() {
            reworded_operands.swap(last, choices(last + 1));
        }
        reworded_operands
    };
    match expr {
        Expr::All | Expr::None | Expr::Leaf(_) => expr.clone(),
        Expr::Not(inner) => reworded(inner, choices).negated(),
        Expr::And(of) => {
            let of = operands(of);
            Expr::And(bracketed(of, Expr::And, choices))
        }
        Expr::Or(of) => {
            let of = operands(of);
            Expr::Or(bracketed(of, Expr::Or, choices))
        }
        Expr::AtLeast { threshold, of } => Expr::AtLeast {
            threshold: *threshold,
            of: operands(of),
        },
    }
}

fn bracketed(
    mut of: Vec<Expr>,
    node: fn(Vec<Expr>) -> Expr,
    choices: &mut impl FnMut(usize) -> usize,
) -> Vec<Expr> {
    let kept = choices(of.len() + 1);
    if kept > 0 && kept + 1 < of.len() {
        let inner = node(of.split_off(kept));
        of.push(inner);
    }
    of
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_wording_does_not_change_the_plan(
        dataset in random::dataset(),
        expr in random::expr(),
        mut seed in any::<u64>(),
    ) {
        let bench = Bench::new(dataset);
        let expr = resolved(&bench.dataset, &expr);
        let mut choices = |below: usize| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (seed >> 33) as usize % below.max(1)
        };
        let other = reworded(&expr, &mut choices);
        prop_assert_eq!(planned(&bench, expr), planned(&bench, other));
    }

    #[test]
    fn counts_agree_with_the_oracle(dataset in random::dataset(), expr in random::expr()) {
        let bench = Bench::new(dataset);
        let expr = resolved(&bench.dataset, &expr);
        let expected = naive_count(&bench, &expr);
        prop_assert_eq!(fast_count(&bench, &expr), expected, "unsimplified");
        let sizes = Sizes::measure(&*bench.dataset, &expr).expect("memory does not fail");
        let simplified = passes::simplify(expr, &sizes);
        prop_assert_eq!(fast_count(&bench, &simplified), expected, "{:?}", simplified);
    }

    #[test]
    fn every_pass_keeps_the_meaning(dataset in random::dataset(), expr in random::expr()) {
        let bench = Bench::new(dataset);
        let expr = resolved(&bench.dataset, &expr);
        let expected = naive_count(&bench, &expr);
        let sizes = Sizes::measure(&*bench.dataset, &expr).expect("memory does not fail");
        for pass in PASSES {
            let after = passes::apply(*pass, expr.clone(), &sizes);
            prop_assert_eq!(naive_count(&bench, &after), expected, "{}: {:?}", pass.name, after);
        }
    }

    #[test]
    fn simplifying_twice_changes_nothing(dataset in random::dataset(), expr in random::expr()) {
        let expr = resolved(&dataset, &expr);
        let sizes = Sizes::measure(&dataset, &expr).expect("memory does not fail");
        let once = passes::simplify(expr, &sizes);
        prop_assert_eq!(passes::simplify(once.clone(), &sizes), once);
    }

    #[test]
    fn the_order_of_operands_does_not_change_the_plan(
        dataset in random::dataset(),
        operands in prop::collection::vec(random::expr(), 2..5),
        seed in any::<u64>(),
    ) {
        let mut operands: Vec<Expr> = operands.iter().map(|operand| resolved(&dataset, operand)).collect();
        let sizes = Sizes::measure(&dataset, &Expr::And(operands.clone())).expect("memory does not fail");
        for node in [Expr::And as fn(Vec<Expr>) -> Expr, Expr::Or] {
            let before = passes::simplify(node(operands.clone()), &sizes);
            let shift = (seed % operands.len() as u64) as usize;
            operands.rotate_left(shift);
            operands.reverse();
            let after = passes::simplify(node(operands.clone()), &sizes);
            prop_assert_eq!(estimate(&before, &sizes), estimate(&after, &sizes));
            prop_assert_eq!(before, after);
        }
    }
}
