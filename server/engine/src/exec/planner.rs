//! From a resolved expression to a plan, with the steps between for those who ask.

use super::{referral, scan::Context, sizes::Sizes};
use crate::{
    error::Error,
    plan::{
        logical::Expr,
        lower::lower,
        passes::{self, Step},
        physical::Plan,
    },
};

/// A plan and how it came about.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The expression as it was resolved.
    pub(crate) resolved: Expr,
    /// Every pass that changed it.
    pub(crate) steps: Vec<Step>,
    /// What will be run.
    pub(crate) plan: Plan,
}

/// Plans an expression. What it asks about inviters is found here.
///
/// # Errors
/// When the store fails or the budget is used up.
pub(crate) fn plan(context: Context<'_>, expr: Expr) -> Result<Plan, Error> {
    let referrals = referral::find(context, &expr)?;
    let mut sizes = Sizes::measure(context.dataset, &expr)?;
    sizes.know(&referrals);
    let simplified = passes::simplify(expr, &sizes);
    Ok(lower(&simplified, context.dataset, &sizes, &referrals)?)
}

/// Plans an expression and keeps the steps.
///
/// # Errors
/// When the store fails or the budget is used up.
pub(crate) fn plan_with_steps(context: Context<'_>, expr: Expr) -> Result<Planned, Error> {
    let referrals = referral::find(context, &expr)?;
    let mut sizes = Sizes::measure(context.dataset, &expr)?;
    sizes.know(&referrals);
    let mut steps = Vec::new();
    let simplified = passes::simplify_with(expr.clone(), &sizes, &mut |step| steps.push(step));
    let plan = lower(&simplified, context.dataset, &sizes, &referrals)?;
    Ok(Planned {
        resolved: expr,
        steps,
        plan,
    })
}
