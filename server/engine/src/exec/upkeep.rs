//! Statements about tags themselves: what needs them, how large they were, and what is odd.

use tessera_query_lang::{
    ast::{DefinitionKind, ShowList, Spanned, Trend},
    name::Name,
};

use super::{
    asked::AskedTags,
    lint::{self, Findings, Lint},
    query::{Query, give},
    tag_size, trend,
};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, ResultSink, Summary},
    error::Error,
    ids::TagId,
    time::{day_of_micros, micros_of_timestamp},
    write::{Use, usages},
};

impl Query<'_> {
    /// `USAGES`: `kind`, `name`, `purpose`
    pub(crate) fn usages(
        &self,
        kind: DefinitionKind,
        name: &Spanned<Name>,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        self.resolve(|_| Ok(()))?;
        let uses = usages(self.dataset.schema(), kind, name)?;
        let column = |name: &str| Column {
            name: name.to_owned(),
            role: ColumnRole::Value,
        };
        let header = Header {
            kind: ResultKind::Definitions,
            columns: ["kind", "name", "purpose"].map(column).into(),
        };
        let text = |text: &str| Datum::Text(text.to_owned());
        let row = |found: &Use| vec![text(found.kind), text(&found.name), text(found.purpose)];
        give(sink, header, uses.iter().map(row).collect())
    }

    /// `TREND`: the size noted on each day, and that of this moment.
    pub(crate) fn trend(
        &self,
        statement: &Trend,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        let (tag, first) = self.resolve(|resolver| {
            let (tag, first) = resolver.trend(statement)?;
            Ok((tag.clone(), first))
        })?;
        let today = day_of_micros(micros_of_timestamp(self.now));
        let mut sizes = match today.checked_sub(1) {
            Some(yesterday) if first <= yesterday => {
                self.dataset.tag_sizes(tag.id, first, yesterday)?
            }
            Some(_) | None => Vec::new(),
        };
        if first <= today {
            sizes.push((today, tag_size::users_of(self.context(), &tag, self.now)?));
        }
        let rows = trend::rows(&sizes, statement.unit);
        give(sink, trend::header(statement.unit), rows)
    }

    /// `LINT TAGS`
    pub(crate) fn lint(
        &self,
        list: &ShowList,
        asked: &AskedTags,
        sink: &mut dyn ResultSink,
    ) -> Result<Summary, Error> {
        self.resolve(|_| Ok(()))?;
        let mut days = asked.days();
        for (tag, day) in self.dataset.tags_asked()? {
            let known: &mut i32 = days.entry(TagId(tag.0)).or_insert(day);
            *known = (*known).max(day);
        }
        let lint = Lint {
            context: self.context(),
            now: self.now,
            asked: days,
        };
        let Findings { rows, warnings } = lint.run(list)?;
        Ok(Summary {
            warnings,
            ..give(sink, lint::header(), rows)?
        })
    }
}
