//! How a tag is held: conditions in brackets, `lapsed`, and the terms of `TAG`.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use super::list::Clause;
use crate::ast::{Comparison, Expr, HoldingEnd, HoldingTerms, HoldingTest, Source, Spanned};
use crate::error::Expected;
use crate::lexer::Symbol;

/// Every source by its word.
const SOURCES: [(&str, Source); 4] = [
    ("manual", Source::Manual),
    ("import", Source::Import),
    ("rule", Source::Rule),
    ("model", Source::Model),
];

impl Cursor<'_> {
    /// `vip`, `(a, b)`, `vip[since >= now-7d]` after `tag:`
    pub(super) fn tags_held(&mut self) -> Parsed<Expr> {
        let tags = self.tags()?;
        // Rarely meant, so not offered where something else is wrong.
        if !self.is_symbol(Symbol::OpenBracket) {
            return Ok(Expr::Tag(tags));
        }
        self.advance();
        self.forget_attribute();
        let tests = self.comma_list(Self::holding_test)?;
        self.symbol(Symbol::CloseBracket)?;
        Ok(Expr::Held { tags, tests })
    }

    /// `since >= now-7d`, `until IS MISSING`, `source = rule`
    fn holding_test(&mut self) -> Parsed<HoldingTest> {
        self.count_leaf()?;
        if self.take_keyword("since").is_some() {
            return self.range_test().map(HoldingTest::Since);
        }
        if self.take_keyword("until").is_some() {
            if self.take_keyword("IS").is_some() {
                return self.presence().map(HoldingTest::UntilIs);
            }
            return self.range_test().map(HoldingTest::Until);
        }
        self.keyword("source")?;
        self.source_test().map(HoldingTest::Source)
    }

    /// `= rule`, `!= rule`, `:(import, model)`
    fn source_test(&mut self) -> Parsed<Vec<Spanned<Source>>> {
        if self.take_symbol(Symbol::Colon).is_some() {
            return self.one_or_paren_list(Self::source);
        }
        let start = self.span();
        match self.take_comparison() {
            Some(Comparison::Equal) => self.source().map(|source| vec![source]),
            Some(Comparison::NotEqual) => {
                let not = self.source()?;
                let others = SOURCES.iter().filter(|(_, source)| *source != not.node);
                Ok(others
                    .map(|(_, source)| Spanned::new(*source, not.span))
                    .collect())
            }
            Some(
                Comparison::Less
                | Comparison::LessOrEqual
                | Comparison::Greater
                | Comparison::GreaterOrEqual,
            ) => Err(invalid_value("sources have no order", start)
                .with_hint("write source = rule or source != rule")),
            None => Err(self.unexpected()),
        }
    }

    fn source(&mut self) -> Parsed<Spanned<Source>> {
        for (word, source) in SOURCES {
            if let Some(span) = self.take_keyword(word) {
                return Ok(Spanned::new(source, span));
            }
        }
        Err(self.unexpected())
    }

    /// `lapsed(tag:member, 30d)`
    pub(super) fn lapsed(&mut self) -> Parsed<Expr> {
        self.advance();
        self.symbol(Symbol::OpenParen)?;
        self.keyword("tag")?;
        self.symbol(Symbol::Colon)?;
        let tags = self.tags()?;
        let window = self.window_after_comma()?;
        self.symbol(Symbol::CloseParen)?;
        Ok(Expr::Lapsed { tags, window })
    }

    /// `[FROM t] [UNTIL t | FOR 30d] [SOURCE import]` after the tags of `TAG`
    pub(super) fn holding_terms(&mut self) -> Parsed<HoldingTerms> {
        let mut terms = HoldingTerms::default();
        self.forget_attribute();
        loop {
            let found = self
                .clause("FROM", &mut terms.from, Self::value)?
                .or_try(|| {
                    self.clause("UNTIL", &mut terms.end, |cursor| {
                        cursor.value().map(HoldingEnd::Until)
                    })
                })?
                .or_try(|| {
                    self.clause("FOR", &mut terms.end, |cursor| {
                        cursor.period().map(HoldingEnd::For)
                    })
                })?
                .or_try(|| self.clause("SOURCE", &mut terms.source, Self::source_given))?;
            if found == Clause::Absent {
                return Ok(terms);
            }
        }
    }

    /// A source that a holding can be given: rules give theirs themselves.
    fn source_given(&mut self) -> Parsed<Spanned<Source>> {
        if self.is_keyword_ahead(0, "rule") {
            let hint = "write SOURCE manual, import or model; DEFINE TAG … AS makes a rule";
            return Err(
                invalid_value("what a rule gives is not given by hand", self.span())
                    .with_hint(hint),
            );
        }
        self.expect(Expected::Keyword("manual"));
        self.expect(Expected::Keyword("import"));
        self.expect(Expected::Keyword("model"));
        let source = SOURCES
            .iter()
            .find(|(word, _)| self.is_keyword_ahead(0, word));
        match source {
            Some((_, source)) => Ok(Spanned::new(*source, self.advance())),
            None => Err(self.unexpected()),
        }
    }
}
