//! Which statement a text is.

use super::Parsed;
use super::cursor::Cursor;
use crate::ast::Statement;
use crate::error::Expected;
use crate::lexer::Symbol;

/// The rule of a statement, for what stands after its first word.
type Rule = fn(&mut Cursor<'_>) -> Parsed<Statement>;

/// Every statement by its first word.
const RULES: &[(&str, Rule)] = &[
    ("ALTER", |cursor| cursor.alter()),
    ("CLEAR", |cursor| cursor.clear()),
    ("CLOSE", |cursor| cursor.close()),
    ("COUNT", |cursor| cursor.count()),
    ("DEFINE", |cursor| cursor.define()),
    ("DELETE", |cursor| cursor.delete()),
    ("DIMENSION", |cursor| cursor.dimension()),
    ("DROP", |cursor| cursor.drop_definition()),
    ("EXPLAIN", |cursor| cursor.explain()),
    ("FETCH", |cursor| cursor.fetch()),
    ("LINT", |cursor| cursor.lint()),
    ("MERGE", |cursor| cursor.merge()),
    ("PORTRAIT", |cursor| cursor.portrait()),
    ("RENAME", |cursor| cursor.rename()),
    ("SAVE", |cursor| cursor.save()),
    ("SEGMENT", |cursor| cursor.segment()),
    ("SET", |cursor| cursor.set()),
    ("SHOW", |cursor| cursor.show()),
    ("SUBMIT", |cursor| cursor.submit()),
    ("TAG", |cursor| cursor.tag()),
    ("TRACK", |cursor| cursor.track()),
    ("TREND", |cursor| cursor.trend()),
    ("UNTAG", |cursor| cursor.untag()),
    ("USAGES", |cursor| cursor.usages()),
    ("WHY", |cursor| cursor.why()),
];

impl Cursor<'_> {
    /// A statement without its `;`.
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        self.expect(Expected::Statement);
        if self.ahead(1).symbol() == Some(Symbol::Colon) {
            let hint = "begin with what you want to know, as in COUNT tag:vip";
            return Err(self.unexpected().with_hint(hint));
        }
        let rule = RULES
            .iter()
            .find(|(keyword, _)| self.is_keyword_ahead(0, keyword));
        let Some((_, rule)) = rule else {
            return Err(self.unexpected());
        };
        self.advance();
        rule(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keywords::STATEMENTS;

    #[test]
    fn the_statements_that_are_read_are_those_that_are_offered() {
        let read: Vec<&str> = RULES.iter().map(|(keyword, _)| *keyword).collect();
        assert_eq!(read, STATEMENTS);
    }
}
