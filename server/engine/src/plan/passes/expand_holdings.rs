//! Who holds a tag in a second is who has a holding that has not ended and does not start later.

use crate::{
    ids::{NumberId, TagId},
    plan::logical::{Expr, Leaf, Range},
};

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::Leaf(Leaf::Held(tag, at_s)) => Expr::And(held(tag, at_s).into()),
        Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::AtLeast { .. } => expr,
    }
}

/// The holders of a tag in a second, as what all of them are. Times are whole seconds, so a
/// holding has ended from the second of its end on.
pub(crate) fn held(tag: TagId, at_s: i64) -> [Expr; 3] {
    let ended = Range {
        low: i64::MIN,
        high: at_s,
    };
    let coming = Range {
        low: at_s.saturating_add(1),
        high: i64::MAX,
    };
    let without = |number, range| Expr::from(Leaf::Range(number, range)).negated();
    [
        Leaf::Tag(tag).into(),
        without(NumberId::Until(tag), ended),
        without(NumberId::Since(tag), coming),
    ]
}
