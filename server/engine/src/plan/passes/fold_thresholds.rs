//! `AT LEAST 0 OF …` → `ALL`, `1 OF n` → `OR`, `n OF n` → `AND`, more than there are → nobody.
//! Operands that are everybody or nobody are counted away.

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    let Expr::AtLeast { threshold, of } = expr else {
        return expr;
    };
    let certain = of
        .iter()
        .filter(|operand| matches!(operand, Expr::All))
        .count();
    let threshold = threshold.saturating_sub(u32::try_from(certain).unwrap_or(u32::MAX));
    let of: Vec<Expr> = of
        .into_iter()
        .filter(|operand| !matches!(operand, Expr::All | Expr::None))
        .collect();
    match threshold {
        0 => Expr::All,
        _ if threshold as usize > of.len() => Expr::None,
        1 => Expr::Or(of),
        _ if threshold as usize == of.len() => Expr::And(of),
        _ => Expr::AtLeast { threshold, of },
    }
}
