//! What each piece of a text is, for colours.
//!
//! Knows tokens and the words of the language. Does not parse: a text that is still being
//! typed has colours too, and no text is refused.

use crate::ast::Span;
use crate::keywords::is_keyword;
use crate::lexer::{Symbol, Token, TokenKind, comment, token};

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenClass {
    /// A word of the language, as far as can be told without parsing.
    Keyword,
    /// A name, a pattern, or a bare value.
    Name,
    /// A quoted text, closed or not.
    String,
    /// A number.
    Number,
    /// A date, a timestamp, a relative time, a duration.
    Time,
    /// `$1`, `$name`
    Parameter,
    /// Punctuation and operators.
    Operator,
    /// `-- to the end of the line`
    Comment,
    /// What is no token.
    Error,
}

/// Every piece of a text but its white space, in order.
///
/// ```
/// use tessera_query_lang::{TokenClass, classify};
/// let classes: Vec<_> = classify("COUNT tag:vip").into_iter().map(|(_, class)| class).collect();
/// assert_eq!(classes, [TokenClass::Keyword, TokenClass::Keyword, TokenClass::Operator, TokenClass::Name]);
/// ```
pub fn classify(text: &str) -> Vec<(Span, TokenClass)> {
    let mut classes = Vec::new();
    let mut context = Context::default();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let (span, class) = match comment(&text[at..]) {
            Ok((_, piece)) => (Span::new(at, at + piece.len()), TokenClass::Comment),
            Err(_) => {
                let token = token(text, at);
                if token.kind == TokenKind::End {
                    return classes;
                }
                (token.span, context.class(text, &token))
            }
        };
        at = span.end as usize;
        classes.push((span, class));
    }
}

/// What stood before a word, as far as it tells a keyword from a name.
#[derive(Default)]
struct Context {
    /// Whether a value or a name is due: after a colon or a comparison. The end of
    /// a range may be missing, so none is due after dots.
    value_is_due: bool,
    /// How deep inside of a list of names or values; such a list begins where one is due.
    list_depth: usize,
}

impl Context {
    fn class(&mut self, text: &str, token: &Token) -> TokenClass {
        let piece = &text[token.span.range()];
        let is_value = self.value_is_due || self.list_depth > 0;
        self.after(token, piece);
        match &token.kind {
            TokenKind::Word if is_value => value_class(piece),
            TokenKind::Word if is_keyword(piece) => TokenClass::Keyword,
            TokenKind::Word | TokenKind::Pattern => TokenClass::Name,
            TokenKind::Quoted(_) => TokenClass::String,
            TokenKind::Integer(_) | TokenKind::Decimal(_) => TokenClass::Number,
            TokenKind::Date(_)
            | TokenKind::Timestamp(_)
            | TokenKind::Relative(_)
            | TokenKind::Duration(_) => TokenClass::Time,
            TokenKind::Parameter(_) => TokenClass::Parameter,
            TokenKind::Symbol(_) => TokenClass::Operator,
            TokenKind::Bad(_) if piece.starts_with('"') => TokenClass::String,
            TokenKind::Bad(_) | TokenKind::End => TokenClass::Error,
        }
    }

    fn after(&mut self, token: &Token, piece: &str) {
        let symbol = token.symbol();
        match symbol {
            Some(Symbol::OpenParen) if self.value_is_due || self.list_depth > 0 => {
                self.list_depth += 1;
            }
            Some(Symbol::CloseParen) => self.list_depth = self.list_depth.saturating_sub(1),
            Some(Symbol::Semicolon) => self.list_depth = 0,
            Some(_) | None => {}
        }
        // `tag:LIKE "promo *"`: the word does not fill the place.
        let is_like = self.value_is_due && piece.eq_ignore_ascii_case("like");
        self.value_is_due = is_like
            || matches!(
                symbol,
                Some(
                    Symbol::Colon
                        | Symbol::Equal
                        | Symbol::NotEqual
                        | Symbol::Less
                        | Symbol::LessOrEqual
                        | Symbol::Greater
                        | Symbol::GreaterOrEqual
                        | Symbol::PlusEqual
                        | Symbol::MinusEqual
                )
            );
    }
}

/// A word where a value is due is a keyword only if it has a meaning of its own there.
fn value_class(word: &str) -> TokenClass {
    let special = ["true", "false", "missing"];
    if special
        .iter()
        .any(|special| special.eq_ignore_ascii_case(word))
    {
        TokenClass::Keyword
    } else {
        TokenClass::Name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_has_a_class() {
        let letter = |class: TokenClass| match class {
            TokenClass::Keyword => 'K',
            TokenClass::Name => 'N',
            TokenClass::String => 'S',
            TokenClass::Number => '1',
            TokenClass::Time => 'T',
            TokenClass::Parameter => 'P',
            TokenClass::Operator => ':',
            TokenClass::Comment => 'C',
            TokenClass::Error => 'E',
        };
        let check = |text: &str, expected: &str| {
            let classes: String = classify(text)
                .into_iter()
                .map(|(_, class)| letter(class))
                .collect();
            assert_eq!(classes, expected, "{text}");
        };
        check("", "");
        check("COUNT tag:count AND not x", "KK:NKKN");
        check(
            "tag:(all, count) or",
            "K:(N:N)K".replace(['(', ')'], ":").as_str(),
        );
        check("(tag:x OR tag:y)", ":K:NKK:N:");
        check("age:18.. AND city:a..b", "N:1:KN:N:N");
        check("gender = missing, x = user", "N:K:N:N");
        check("x >= now-3d $1 -- note", "N:TPC");
        check("-- note\nCOUNT \"x", "CKS");
        check("85A é ' \"a\\x\" b", "ENESN");
        check("promo-* 2026-11-23 30d", "NTT");
    }
}
