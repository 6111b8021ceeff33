//! `SHOW …`

use super::Parsed;
use super::cursor::Cursor;
use super::list::Clause;
use crate::ast::{Show, ShowList, Statement};
use crate::error::NameKind;
use crate::keywords::Place;

/// How a list of definitions is shown.
type MakeShow = fn(ShowList) -> Show;

impl Cursor<'_> {
    /// What stands after `SHOW`.
    pub(super) fn show(&mut self) -> Parsed<Statement> {
        self.shown().map(Statement::Show)
    }

    fn shown(&mut self) -> Parsed<Show> {
        let lists: [(&'static str, MakeShow); 6] = [
            ("TAGS", Show::Tags),
            ("GROUPS", Show::Groups),
            ("ATTRIBUTES", Show::Attributes),
            ("SEGMENTS", Show::Segments),
            ("EVENTS", Show::Events),
            ("FORMS", Show::Forms),
        ];
        for (keyword, make) in lists {
            if self.take_keyword(keyword).is_some() {
                return self.show_list().map(make);
            }
        }
        if self.take_keyword("VALUES OF").is_some() {
            let attribute = self.name(NameKind::Attribute, Place::Plain)?;
            return Ok(Show::Values(attribute, self.show_list()?));
        }
        self.keyword("STATUS").map(|_| Show::Status)
    }

    pub(super) fn show_list(&mut self) -> Parsed<ShowList> {
        let (mut like, mut limit) = (None, None);
        loop {
            let found = self
                .clause("LIKE", &mut like, Self::glob)?
                .or_try(|| self.clause("LIMIT", &mut limit, Self::quantity))?;
            if found == Clause::Absent {
                return Ok(ShowList {
                    like,
                    limit: limit.map(|limit| limit.node),
                });
            }
        }
    }
}
