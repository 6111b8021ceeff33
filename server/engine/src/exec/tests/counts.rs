//! `COUNT` and the passes.

use proptest::prelude::*;

use super::resolved;
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
        lower::lower,
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
    let plan = lower(expr, &*bench.dataset, &sizes).expect("memory does not fail");
    count(bench.context(), &plan).expect("memory does not fail")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

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
