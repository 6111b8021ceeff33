//! Text → tokens with spans.
//!
//! Knows what a name, a number, a time and a quoted text look like. Does not know which words
//! are keywords, nor what a name stands for: a word is a keyword or a name by its place, and
//! the parser knows places.

mod literal;
mod token;

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while},
    character::complete::one_of,
    combinator::recognize,
    sequence::pair,
};
use unicode_normalization::char::is_combining_mark;

pub(crate) use token::{Symbol, Token, TokenKind};

use crate::ast::Span;
use crate::error::{ParseError, ParseErrorKind};

/// What scanning yields: the rest of the text and the piece before it.
type Scanned<'t> = IResult<&'t str, &'t str>;

/// Reads a text to its end or to the first place that is no token. The last token is
/// [`TokenKind::End`] or [`TokenKind::Bad`], so that an error in front of a bad place is the
/// one that is reported.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += trivia_bytes(&text[at..]);
        let token = token(text, at);
        at = token.span.end as usize;
        let is_last = matches!(token.kind, TokenKind::End | TokenKind::Bad(_));
        tokens.push(token);
        if is_last {
            return tokens;
        }
    }
}

/// How many bytes of white space and comments a text begins with.
pub(crate) fn trivia_bytes(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        match comment(rest) {
            Ok((after, _)) => rest = after,
            Err(_) => return text.len() - rest.len(),
        }
    }
}

/// `-- to the end of the line`
pub(crate) fn comment(text: &str) -> Scanned<'_> {
    recognize(pair(tag("--"), take_while(|c| c != '\n'))).parse(text)
}

/// The token that begins at an offset, where neither white space nor a comment does.
pub(crate) fn token(text: &str, at: usize) -> Token {
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else {
        return Token {
            kind: TokenKind::End,
            span: Span::new(at, at),
        };
    };
    let scanned = match first {
        '"' => literal::quoted(rest),
        '$' => literal::parameter(rest),
        '0'..='9' => literal::number_or_time(rest),
        '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => literal::number_or_time(rest),
        '*' => Ok(word(rest)),
        _ if is_name_start(first) => literal::relative_time(rest).unwrap_or_else(|| Ok(word(rest))),
        _ => symbol(rest, first),
    };
    match scanned {
        Ok((kind, len)) => Token {
            kind,
            span: Span::new(at, at + len),
        },
        Err(bad) => {
            let span = Span::new(at + bad.start, at + bad.end);
            let error = ParseError {
                kind: bad.kind,
                span,
                hint: bad.hint,
            };
            Token {
                kind: TokenKind::Bad(Box::new(error)),
                span: Span::new(at, at + bad.token_bytes),
            }
        }
    }
}

/// A piece of text that is no token. The offsets count from where the token began.
struct Bad {
    kind: ParseErrorKind,
    start: usize,
    end: usize,
    hint: Option<String>,
    /// Where a reader that does not stop at errors goes on.
    token_bytes: usize,
}

impl Bad {
    fn new(kind: ParseErrorKind, end: usize) -> Self {
        Self {
            kind,
            start: 0,
            end,
            hint: None,
            token_bytes: end,
        }
    }

    fn value(message: impl Into<String>, end: usize) -> Self {
        Self::new(ParseErrorKind::InvalidValue(message.into()), end)
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A token and its length in bytes.
type Scan = Result<(TokenKind, usize), Bad>;

/// Whether a bare name may begin with the character.
pub(crate) fn is_name_start(char: char) -> bool {
    char.is_alphabetic() || char == '_'
}

/// Whether a bare name may go on with the character. Combining marks belong to the letters
/// they stand on; many scripts cannot be written without them.
pub(crate) fn is_name_char(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '/') || is_combining_mark(char)
}

/// How many bytes of a text belong to a name or, with its `*`, to a pattern. Two dots are the
/// range operator, and `-=` and `->` are operators too: none of them belongs to a name.
fn word_bytes(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let is_operator = matches!((char, next), ('.', Some('.')) | ('-', Some('=' | '>')));
        if is_operator || !(is_name_char(char) || char == '*') {
            return at;
        }
    }
    text.len()
}

/// A word, or with a `*` in it a pattern.
fn word(text: &str) -> (TokenKind, usize) {
    let len = word_bytes(text);
    let kind = if text[..len].contains('*') {
        TokenKind::Pattern
    } else {
        TokenKind::Word
    };
    (kind, len)
}

/// Whether a text is one bare word, whatever it means.
pub(crate) fn is_bare_word(text: &str) -> bool {
    // A dot at the end would run together with the dots of a range.
    text.starts_with(is_name_start)
        && word_bytes(text) == text.len()
        && !text.contains('*')
        && !text.ends_with('.')
        && !matches!(literal::relative_time(text), Some(Err(_)))
}

/// Whether a text is one bare pattern.
pub(crate) fn is_bare_pattern(text: &str) -> bool {
    text.starts_with(|c| is_name_start(c) || c == '*')
        && word_bytes(text) == text.len()
        && text.contains('*')
        && !matches!(literal::relative_time(text), Some(Err(_)))
}

/// Whether a bare word in the place of a value would be a time.
pub(crate) fn is_relative_time(text: &str) -> bool {
    literal::relative_time(text).is_some()
}

fn symbol(text: &str, first: char) -> Scan {
    let two = alt((
        tag("!="),
        tag("<="),
        tag(">="),
        tag("+="),
        tag("-="),
        tag("->"),
        tag(".."),
        tag("<>"),
        tag("=="),
    ));
    let one = recognize(one_of("()[],:;=<>%"));
    let is_property = |c: char| is_name_start(c) || c == '"';
    if first == '.' && text[1..].starts_with(is_property) {
        return Ok((TokenKind::Symbol(Symbol::Dot), 1));
    }
    let scanned: Scanned<'_> = alt((two, one)).parse(text);
    let unexpected = Bad::new(ParseErrorKind::UnexpectedCharacter(first), first.len_utf8());
    match scanned {
        Ok((_, "<>")) => Err(Bad::value("`<>` is not an operator", 2).with_hint("write !=")),
        Ok((_, "==")) => Err(Bad::value("`==` is not an operator", 2).with_hint("write =")),
        Ok((_, piece)) => match Symbol::from_text(piece) {
            Some(symbol) => Ok((TokenKind::Symbol(symbol), piece.len())),
            None => Err(unexpected),
        },
        Err(_) => Err(match first {
            '\'' | '“' | '”' | '‘' | '’' | '`' | '«' => {
                unexpected.with_hint("write texts in double quotes: \"text\"")
            }
            '-' | '+' => unexpected.with_hint("a sign touches its number, as in -5 and now-30d"),
            '&' => unexpected.with_hint("write AND"),
            '|' => unexpected.with_hint("write OR"),
            '!' => unexpected.with_hint("write NOT or !="),
            _ => unexpected,
        }),
    }
}

#[cfg(test)]
mod tests;
