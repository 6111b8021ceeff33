//! From a resolved expression to a plan, with the steps between for those who ask.

use super::{dataset::Dataset, sizes::Sizes};
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

/// Plans an expression.
///
/// # Errors
/// When the store fails.
pub(crate) fn plan(dataset: &dyn Dataset, expr: Expr) -> Result<Plan, Error> {
    let sizes = Sizes::measure(dataset, &expr)?;
    Ok(lower(&passes::simplify(expr, &sizes), dataset, &sizes)?)
}

/// Plans an expression and keeps the steps.
///
/// # Errors
/// When the store fails.
pub(crate) fn plan_with_steps(dataset: &dyn Dataset, expr: Expr) -> Result<Planned, Error> {
    let sizes = Sizes::measure(dataset, &expr)?;
    let mut steps = Vec::new();
    let simplified = passes::simplify_with(expr.clone(), &sizes, &mut |step| steps.push(step));
    let plan = lower(&simplified, dataset, &sizes)?;
    Ok(Planned {
        resolved: expr,
        steps,
        plan,
    })
}
