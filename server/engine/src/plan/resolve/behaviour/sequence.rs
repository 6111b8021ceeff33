//! Sequences: one event after the other.

use tessera_query_lang::ast::{self, Events, Period, Span, Spanned};

use super::window::exact_us;
use crate::{
    behaviour::{Filter, Question, Step, Window},
    plan::{
        logical::Expr,
        resolve::{ResolveError, Resolver},
    },
};

/// Steps of one sequence: each user has a place for each of them.
const STEPS_MAX: usize = 16;

impl Resolver<'_> {
    pub(super) fn sequence(
        &mut self,
        steps: &[Events],
        within: Option<&Spanned<Period>>,
        window: Option<&Spanned<ast::Window>>,
        span: Span,
    ) -> Result<Expr, ResolveError> {
        if steps.len() > STEPS_MAX {
            let max = STEPS_MAX as u64;
            return Err(ResolveError::TooMany {
                what: "steps of a sequence",
                max,
                span,
            });
        }
        let Some((first, rest)) = steps.split_first() else {
            return Ok(Expr::None);
        };
        let asked = self.events(first, window, span)?;
        let mut then = Vec::with_capacity(rest.len());
        for step in rest {
            let step = self.events(step, None, span)?;
            then.push(Step {
                event: step.event.id,
                filter: step.filter,
            });
        }
        let within_us = match within {
            Some(period) => exact_us(period.node).ok_or_else(|| {
                let message =
                    "the time of a sequence is in seconds to weeks, which all have a fixed length";
                ResolveError::mismatch(message, period.span)
            })?,
            None => i64::MAX,
        };
        match then.is_empty() {
            true => self.did(&asked, Filter::All, Window::ALL),
            false => self.ask(&asked, Question::Sequence { then, within_us }),
        }
    }
}
