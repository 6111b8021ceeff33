//! What each pass does, one table a pass.

use super::*;
use crate::{
    ids::{AttributeId, TagId},
    plan::{estimate::tests::ByTag, logical::Range},
};

fn tag(id: u32) -> Expr {
    Leaf::Tag(TagId(id)).into()
}

fn not(expr: Expr) -> Expr {
    expr.negated()
}

fn and(of: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::And(of.into_iter().collect())
}

fn or(of: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::Or(of.into_iter().collect())
}

fn at_least(threshold: u32, of: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::AtLeast {
        threshold,
        of: of.into_iter().collect(),
    }
}

fn range(attribute: u32, low: i64, high: i64) -> Expr {
    Leaf::Range(AttributeId(attribute).into(), Range { low, high }).into()
}

fn checker(name: &'static str) -> impl Fn(Expr, Expr) {
    move |before: Expr, after: Expr| {
        let rewritten = PASSES
            .iter()
            .filter(|pass| pass.name == name)
            .fold(before.clone(), |expr, pass| apply(*pass, expr, &ByTag));
        assert_eq!(rewritten, after, "{name} of {before:?}");
    }
}

#[test]
fn flatten_nested() {
    let check = checker("flatten nested");
    check(
        and([tag(1), and([tag(2), and([tag(3)])])]),
        and([tag(1), tag(2), tag(3)]),
    );
    check(
        or([or([tag(1), tag(2)]), tag(3)]),
        or([tag(1), tag(2), tag(3)]),
    );
    check(
        and([or([tag(1), tag(2)]), tag(3)]),
        and([or([tag(1), tag(2)]), tag(3)]),
    );
}

#[test]
fn fold_double_negation() {
    let check = checker("fold double negation");
    check(not(not(tag(1))), tag(1));
    check(not(not(not(tag(1)))), not(tag(1)));
    check(not(Expr::All), Expr::None);
    check(not(Expr::None), Expr::All);
}

#[test]
fn fold_negated_unions() {
    let check = checker("fold negated unions");
    check(not(or([tag(1), not(tag(2))])), and([not(tag(1)), tag(2)]));
    check(not(and([not(tag(1)), not(tag(2))])), or([tag(1), tag(2)]));
    check(or([not(tag(1)), not(tag(2))]), not(and([tag(1), tag(2)])));
    check(
        not(and([tag(1), not(tag(2))])),
        not(and([tag(1), not(tag(2))])),
    );
    check(or([not(tag(1)), tag(2)]), or([not(tag(1)), tag(2)]));
}

#[test]
fn fold_thresholds() {
    let check = checker("fold thresholds");
    check(at_least(0, [tag(1)]), Expr::All);
    check(at_least(1, [tag(1), tag(2)]), or([tag(1), tag(2)]));
    check(at_least(2, [tag(1), tag(2)]), and([tag(1), tag(2)]));
    check(at_least(3, [tag(1), tag(2)]), Expr::None);
    check(
        at_least(2, [tag(1), tag(2), tag(2)]),
        at_least(2, [tag(1), tag(2), tag(2)]),
    );
    check(
        at_least(2, [tag(1), tag(2), Expr::All, Expr::None]),
        or([tag(1), tag(2)]),
    );
}

#[test]
fn merge_ranges() {
    let check = checker("merge ranges");
    check(
        and([range(0, 1, 9), tag(1), range(0, 5, 20)]),
        and([tag(1), range(0, 5, 9)]),
    );
    check(and([range(0, 1, 2), range(0, 5, 20)]), and([Expr::None]));
    check(
        and([range(0, 1, 2), range(1, 5, 20)]),
        and([range(0, 1, 2), range(1, 5, 20)]),
    );
    check(
        or([range(0, 3, 4), range(0, 1, 2), range(0, 9, 9)]),
        or([range(0, 1, 4), range(0, 9, 9)]),
    );
    check(
        range(0, i64::MIN, i64::MAX),
        Leaf::Present(AttributeId(0)).into(),
    );
}

#[test]
fn fold_constants() {
    let check = checker("fold constants");
    check(and([tag(1), Expr::All]), tag(1));
    check(and([tag(1), Expr::None]), Expr::None);
    check(or([tag(1), Expr::None]), tag(1));
    check(or([tag(1), Expr::All]), Expr::All);
    check(and([]), Expr::All);
    check(or([]), Expr::None);
    check(and([tag(1), or([tag(2), Expr::All])]), tag(1));
}

#[test]
fn order_operands() {
    let check = checker("order operands");
    check(
        and([tag(30), tag(10), not(tag(80))]),
        and([tag(10), not(tag(80)), tag(30)]),
    );
    check(or([tag(10), tag(30)]), or([tag(30), tag(10)]));
    check(
        at_least(2, [tag(10), tag(30), tag(20)]),
        at_least(2, [tag(30), tag(20), tag(10)]),
    );
    check(
        and([range(1, 0, 1), range(0, 0, 1)]),
        and([range(0, 0, 1), range(1, 0, 1)]),
    );
}

#[test]
fn deduplicate_operands() {
    let check = checker("deduplicate operands");
    check(and([tag(1), tag(2), tag(1)]), and([tag(1), tag(2)]));
    check(or([tag(1), tag(1)]), or([tag(1)]));
    check(
        at_least(2, [tag(1), tag(1), tag(2)]),
        at_least(2, [tag(1), tag(1), tag(2)]),
    );
}

#[test]
fn fold_contradictions() {
    let check = checker("fold contradictions");
    check(and([tag(1), tag(2), not(tag(1))]), Expr::None);
    check(or([not(tag(1)), tag(1)]), Expr::All);
    check(and([tag(1), or([tag(1), tag(2)])]), and([tag(1)]));
    check(or([tag(1), and([tag(1), tag(2)])]), or([tag(1)]));
    check(and([tag(1), not(tag(2))]), and([tag(1), not(tag(2))]));
}

#[test]
fn all_together() {
    let check = |before: Expr, after: Expr| {
        assert_eq!(simplify(before.clone(), &ByTag), after, "{before:?}");
    };
    check(
        and([tag(3), and([not(or([tag(2), tag(1)])), Expr::All])]),
        and([tag(3), not(tag(2)), not(tag(1))]),
    );
    check(not(not(and([tag(1), not(not(tag(1)))]))), tag(1));
    check(or([and([tag(1), not(tag(1))]), tag(2)]), tag(2));
}

#[test]
fn every_changing_step_is_told() {
    let mut steps = Vec::new();
    simplify_with(
        and([tag(1), and([tag(2), Expr::All])]),
        &ByTag,
        &mut |step| steps.push(step.pass),
    );
    assert_eq!(steps, ["flatten nested", "fold constants"]);
}
