//! Who: the leaves of an expression, and `AT LEAST`.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{AttributeTest, Comparison, Expr, NameRef, Presence, Spanned, TagPattern};
use crate::error::{Expected, NameKind, ParseError};
use crate::keywords::{EXPRESSION, Place};
use crate::lexer::{Symbol, TokenKind};
use crate::name::Glob;
use crate::suggest;

impl Expr {
    /// What is neither `NOT`, `AND`, `OR` nor a parenthesis.
    pub(super) fn read_leaf(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        cursor.expect(Expected::Expression);
        if cursor.peek_keyword("AT LEAST").is_some() {
            return cursor.at_least();
        }
        if cursor.is_keyword_ahead(0, "ALL") {
            cursor.advance();
            cursor.count_leaf()?;
            return Ok(Self::All);
        }
        let prefix = match cursor.ahead(1).symbol() {
            Some(Symbol::Colon) => cursor.word_ahead(0).map(str::to_ascii_lowercase),
            Some(_) | None => None,
        };
        match prefix.as_deref() {
            Some("tag") => cursor.after_prefix(Cursor::tags_held),
            Some("did") => {
                let start = cursor.span();
                cursor.after_prefix(|cursor| cursor.did(start))
            }
            Some("segment") => cursor.after_prefix(Cursor::segments).map(Self::Segment),
            Some("user") => cursor.after_prefix(Cursor::users).map(Self::Users),
            Some("group") => cursor.after_prefix(Cursor::group_presence),
            Some(_) | None => match cursor.call()? {
                Some(call) => Ok(call),
                None => cursor.attribute(),
            },
        }
    }
}

impl Cursor<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.logic()
    }

    /// `AT LEAST 2 OF (a, b, c)`
    fn at_least(&mut self) -> Parsed<Expr> {
        let span = self.keyword("AT LEAST")?;
        let number = self.number()?;
        self.keyword("OF")?;
        let of = self.nested(span, |cursor| cursor.paren_list(Self::expr))?;
        match u32::try_from(number.node) {
            Ok(threshold) if threshold > 0 && threshold as usize <= of.len() => {
                let threshold = Spanned::new(threshold, number.span);
                Ok(Expr::AtLeast { threshold, of })
            }
            Ok(_) | Err(_) => {
                let message = format!(
                    "this must be from 1 to {}, the number of expressions",
                    of.len()
                );
                Err(invalid_value(message, number.span))
            }
        }
    }

    /// What stands after `tag:` and its like.
    fn after_prefix<T>(&mut self, rest: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.advance();
        self.symbol(Symbol::Colon)?;
        rest(self)
    }

    /// `vip`, `promo-*`, `(a, b)` after `tag:`
    pub(super) fn tags(&mut self) -> Parsed<Vec<Spanned<TagPattern>>> {
        self.one_or_paren_list(Self::tag_pattern)
    }

    fn tag_pattern(&mut self) -> Parsed<Spanned<TagPattern>> {
        self.count_leaf()?;
        if let Some(parameter) = self.take_parameter() {
            return Ok(Spanned::new(
                TagPattern::Parameter(parameter.node),
                parameter.span,
            ));
        }
        let span = self.span();
        if matches!(self.token().kind, TokenKind::Pattern) {
            let glob = Glob::new(self.text_of(self.token()));
            self.advance();
            let glob = glob.map_err(|error| ParseError::new(error.into(), span))?;
            return Ok(Spanned::new(TagPattern::Glob(glob), span));
        }
        let is_quoted_glob =
            self.is_keyword_ahead(0, "LIKE") && matches!(self.ahead(1).kind, TokenKind::Quoted(_));
        if is_quoted_glob {
            self.advance();
            let glob = self.glob()?;
            return Ok(Spanned::new(
                TagPattern::Glob(glob),
                span.to(self.end_of_previous()),
            ));
        }
        let name = self.name(NameKind::Tag, Place::Tag)?;
        Ok(Spanned::new(TagPattern::Name(name.node), name.span))
    }

    fn segments(&mut self) -> Parsed<Vec<Spanned<NameRef>>> {
        self.one_or_paren_list(|cursor| {
            cursor.count_leaf()?;
            cursor.name_ref(NameKind::Segment)
        })
    }

    fn users(&mut self) -> Parsed<Vec<Spanned<crate::ast::Value>>> {
        self.one_or_paren_list(|cursor| {
            cursor.count_leaf()?;
            cursor.text_or_parameter(Expected::Key)
        })
    }

    /// `lifecycle IS MISSING` after `group:`
    fn group_presence(&mut self) -> Parsed<Expr> {
        self.count_leaf()?;
        let name = self.name_ref(NameKind::Group)?;
        self.keyword("IS")?;
        Ok(Expr::Group {
            name,
            is: self.presence()?,
        })
    }

    /// A name or a parameter that holds one.
    pub(super) fn name_ref(&mut self, kind: NameKind) -> Parsed<Spanned<NameRef>> {
        if let Some(parameter) = self.take_parameter() {
            return Ok(Spanned::new(
                NameRef::Parameter(parameter.node),
                parameter.span,
            ));
        }
        let name = self.name(kind, Place::Plain)?;
        Ok(Spanned::new(NameRef::Name(name.node), name.span))
    }

    /// `[NOT] MISSING` or `[NOT] PRESENT` after `IS`
    pub(super) fn presence(&mut self) -> Parsed<Presence> {
        let is_negated = self.take_keyword("NOT").is_some();
        if self.take_keyword("MISSING").is_some() {
            return Ok(if is_negated {
                Presence::Present
            } else {
                Presence::Missing
            });
        }
        self.keyword("PRESENT")?;
        Ok(if is_negated {
            Presence::Missing
        } else {
            Presence::Present
        })
    }

    /// A test of an attribute.
    fn attribute(&mut self) -> Parsed<Expr> {
        let word = self.word_ahead(0);
        match word {
            Some(word) if Place::Attribute.reserves(word) => {
                let next = self.ahead(1).symbol();
                let is_tested = next.is_some_and(Symbol::is_test) || self.is_keyword_ahead(1, "IS");
                return Err(if is_tested {
                    self.reserved_word(word)
                } else {
                    self.unexpected()
                });
            }
            None if !matches!(self.token().kind, TokenKind::Quoted(_)) => {
                return Err(self.unexpected());
            }
            Some(_) | None => {}
        }
        let name = self.name(NameKind::Attribute, Place::Attribute)?;
        self.remember_attribute(&name.node);
        match self.attribute_test()? {
            Some(test) => Ok(Expr::Attribute { name, test }),
            None => Err(self.untested_attribute(word)),
        }
    }

    /// The error where an attribute's test is missing: a lone word was meant to be a keyword or
    /// a tag.
    fn untested_attribute(&self, word: Option<&str>) -> ParseError {
        let error = self.unexpected();
        if let Some(word) = word
            && self.is_symbol(Symbol::OpenParen)
        {
            let functions = EXPRESSION
                .iter()
                .filter_map(|keyword| keyword.strip_suffix('('));
            let near = suggest::nearest(word, functions);
            return match suggest::did_you_mean(&near) {
                Some(hint) => error.with_hint(hint),
                None => error,
            };
        }
        let is_lone = match self.token().symbol() {
            Some(symbol) => symbol.is_end(),
            None => matches!(self.token().kind, TokenKind::Word | TokenKind::End),
        };
        match word {
            Some(word) if is_lone && error.hint.is_none() => error.with_hint(meant_by_word(word)),
            Some(_) | None => error,
        }
    }

    /// What stands after an attribute's name, if it is a test.
    pub(super) fn attribute_test(&mut self) -> Parsed<Option<AttributeTest>> {
        if self.take_symbol(Symbol::Colon).is_some() {
            return self.any_of_or_between().map(Some);
        }
        if let Some(comparison) = self.take_comparison() {
            self.count_leaf()?;
            self.refuse_presence_as_value()?;
            return Ok(Some(AttributeTest::Compare(comparison, self.value()?)));
        }
        if self.take_keyword("IS").is_some() {
            self.count_leaf()?;
            return Ok(Some(AttributeTest::Is(self.presence()?)));
        }
        if self.take_keyword("ANNIVERSARY IN").is_some() {
            self.count_leaf()?;
            return self.anniversary().map(Some);
        }
        Ok(None)
    }

    /// `today..today+7d`, or one day
    fn anniversary(&mut self) -> Parsed<AttributeTest> {
        let first = self.value()?;
        let last = match self.take_symbol(Symbol::Dots) {
            Some(_) => self.value()?,
            None => first.clone(),
        };
        Ok(AttributeTest::Anniversary { first, last })
    }

    /// `f`, `(f, m)`, `18..34`, `18..`, `..34` after an attribute's colon
    fn any_of_or_between(&mut self) -> Parsed<AttributeTest> {
        if self.is_symbol(Symbol::OpenParen) {
            return self
                .paren_list(Self::listed_value)
                .map(AttributeTest::AnyOf);
        }
        self.count_leaf()?;
        if self.take_symbol(Symbol::Dots).is_some() {
            return Ok(AttributeTest::Between {
                low: None,
                high: Some(self.value()?),
            });
        }
        let value = self.value()?;
        match self.take_symbol(Symbol::Dots) {
            Some(dots) => Ok(AttributeTest::Between {
                low: Some(value),
                high: self.range_end(dots)?,
            }),
            None => Ok(AttributeTest::AnyOf(vec![value])),
        }
    }

    pub(super) fn listed_value(&mut self) -> Parsed<Spanned<crate::ast::Value>> {
        self.count_leaf()?;
        let value = self.value()?;
        if self.is_symbol(Symbol::Dots) {
            self.expect(Expected::Symbol(","));
            self.expect(Expected::Symbol(")"));
            let hint = "a list holds values; join ranges with OR";
            return Err(self.unexpected().with_hint(hint));
        }
        Ok(value)
    }

    /// `gender = MISSING` is hardly meant as the value `MISSING`.
    pub(super) fn refuse_presence_as_value(&self) -> Parsed<()> {
        for word in ["MISSING", "PRESENT"] {
            if self.is_keyword_ahead(0, word) {
                let hint = format!("write IS {word}, or quote it if it is a value");
                return Err(
                    invalid_value(format!("{word} is not a value"), self.span()).with_hint(hint)
                );
            }
        }
        Ok(())
    }

    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, if one stands here.
    pub(super) fn take_comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.token().symbol() {
            Some(Symbol::Equal) => Comparison::Equal,
            Some(Symbol::NotEqual) => Comparison::NotEqual,
            Some(Symbol::Less) => Comparison::Less,
            Some(Symbol::LessOrEqual) => Comparison::LessOrEqual,
            Some(Symbol::Greater) => Comparison::Greater,
            Some(Symbol::GreaterOrEqual) => Comparison::GreaterOrEqual,
            Some(_) | None => {
                self.expect(Expected::Comparison);
                return None;
            }
        };
        self.advance();
        Some(comparison)
    }
}

/// What a lone word in an expression was probably meant to be.
fn meant_by_word(word: &str) -> String {
    let keywords = EXPRESSION
        .iter()
        .copied()
        .filter(|keyword| !keyword.ends_with([':', '(']));
    let near = suggest::nearest(word, keywords);
    suggest::did_you_mean(&near).unwrap_or_else(|| format!("a tag is written tag:{word}"))
}
