//! Who invited whom, by the attribute `invited_by`.

use super::{Expr, Node, Test};
use crate::render::{QueryError, Writer};

/// The inviter is one of these users.
pub fn referred_by(of: Expr) -> Expr {
    relative("referred_by", of, None)
}

/// Invited one of these users.
pub fn inviter_of(of: Expr) -> Expr {
    relative("inviter_of", of, None)
}

/// One of these users is above, at most so many steps.
pub fn descendants_of(of: Expr, steps: u32) -> Expr {
    relative("descendants_of", of, Some(steps))
}

/// Invited so many users at least.
///
/// ```
/// use tessera_client::expr::{invited_at_least, referred_by, tag};
///
/// let who = referred_by(tag("vip")).and(invited_at_least(2));
/// assert_eq!(who.to_text()?.0, r#"referred_by(tag:"vip") AND count(invited) >= $1"#);
/// # Ok::<(), tessera_client::QueryError>(())
/// ```
pub fn invited_at_least(count: u32) -> Expr {
    let test = Test::Compare(" >= ", i64::from(count).into());
    Expr::leaf(Node::Invited(test))
}

fn relative(function: &'static str, of: Expr, steps: Option<u32>) -> Expr {
    if steps == Some(0) {
        return Expr::failed(QueryError::Empty("steps"));
    }
    Expr::branch(function, vec![of], |of| Node::Referral {
        function,
        of,
        steps,
    })
}

/// Writes `descendants_of(tag:"vip", 3)`.
pub(super) fn write(
    function: &str,
    of: &[Expr],
    steps: Option<u32>,
    writer: &mut Writer,
) -> Result<(), QueryError> {
    writer.words(function);
    writer.words("(");
    writer.list("users", of, |writer, expr| expr.write(writer))?;
    if let Some(steps) = steps {
        writer.words(", ");
        writer.number(u64::from(steps));
    }
    writer.words(")");
    Ok(())
}
