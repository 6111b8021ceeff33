//! `TREND`: which tag, and since which day.

use tessera_query_lang::ast::{NameRef, Spanned, Trend};

use super::{ResolveError, Resolver};
use crate::{schema::TagDefinition, time::SECONDS_PER_DAY};

impl<'a> Resolver<'a> {
    /// The tag, and the first day that is asked for; the earliest there is if none is said.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub(crate) fn trend(
        &mut self,
        trend: &Trend,
    ) -> Result<(&'a TagDefinition, i32), ResolveError> {
        let tag = self.tag_ref(&trend.tag)?;
        let Some(last) = &trend.last else {
            return Ok((tag, i32::MIN));
        };
        let first_s = self.window_start(last.node, last.span)?;
        let day = first_s.div_euclid(SECONDS_PER_DAY);
        Ok((tag, i32::try_from(day).unwrap_or(i32::MIN)))
    }

    fn tag_ref(&mut self, name: &Spanned<NameRef>) -> Result<&'a TagDefinition, ResolveError> {
        let text = self.name_ref(name)?;
        self.tag_named(&text, name.span)
    }
}
