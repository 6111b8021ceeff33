//! `NOT NOT x` → `x`, `NOT ALL` → nobody, `NOT` nobody → `ALL`.

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    let Expr::Not(inner) = expr else { return expr };
    match *inner {
        Expr::Not(twice) => *twice,
        Expr::All => Expr::None,
        Expr::None => Expr::All,
        other @ (Expr::Leaf(_) | Expr::And(_) | Expr::Or(_) | Expr::AtLeast { .. }) => {
            other.negated()
        }
    }
}
