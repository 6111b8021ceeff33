//! Tokens that carry a value: numbers, times, quoted texts, parameters.

use jiff::civil::Date;
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while_m_n, take_while1},
    character::complete::{char, digit1, one_of},
    combinator::{not, opt, peek, recognize},
    sequence::{pair, preceded, terminated},
};

use super::{Bad, Scan, Scanned, TokenKind, is_name_char, is_name_start, word_bytes};
use crate::ast::{
    Decimal, PERIOD_AMOUNT_MAX, Parameter, Period, RelativeTime, TimeAnchor, TimeUnit,
};
use crate::error::ParseErrorKind;
use crate::name::Name;
use crate::timestamp::{TimestampError, parse_with_offset};

/// The most digits after a decimal point.
const SCALE_MAX: usize = 18;

/// `"a \"quoted\" text\n"`, with the escapes `\"`, `\\`, `\n`, `\r`, `\t` and `\u{1f600}`.
/// A wrong escape is reported after the closing quote is found, so that a reader who goes on
/// after errors does not take the rest of the text for quoted.
pub(super) fn quoted(text: &str) -> Scan {
    let mut value = String::new();
    let mut wrong_escape = None;
    let mut chars = text.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                return match wrong_escape {
                    None => Ok((TokenKind::Quoted(value), at + 1)),
                    Some(bad) => Err(Bad {
                        token_bytes: at + 1,
                        ..bad
                    }),
                };
            }
            '\\' => match escape(&text[at + 1..]) {
                Some((escaped, len)) => {
                    value.push(escaped);
                    // `len` counts bytes, and every escape is ASCII.
                    chars.by_ref().take(len).for_each(drop);
                }
                None => {
                    let after = chars.next().map_or(0, |(_, after)| after.len_utf8());
                    wrong_escape.get_or_insert_with(|| unknown_escape(at, at + 1 + after));
                }
            },
            _ => value.push(char),
        }
    }
    // Only the quote is pointed at: the rest of the text may be long.
    Err(Bad {
        token_bytes: text.len(),
        ..Bad::new(ParseErrorKind::UnclosedQuote, 1)
    })
}

fn unknown_escape(start: usize, end: usize) -> Bad {
    let hint = r#"the escapes are \" \\ \n \r \t and \u{1f600}"#;
    Bad {
        start,
        ..Bad::new(ParseErrorKind::UnknownEscape, end)
    }
    .with_hint(hint)
}

/// What stands after a backslash: the character it means and the bytes it takes.
fn escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.chars().next()? {
        '"' => '"',
        '\\' => '\\',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            return unicode_escape(text).ok().and_then(|(rest, digits)| {
                let code = u32::from_str_radix(digits, 16).ok()?;
                Some((char::from_u32(code)?, text.len() - rest.len()))
            });
        }
        _ => return None,
    };
    Some((simple, 1))
}

/// `u{1f600}`
fn unicode_escape(text: &str) -> Scanned<'_> {
    let digits = take_while_m_n(1, 6, |c: char| c.is_ascii_hexdigit());
    terminated(preceded(tag("u{"), digits), char('}')).parse(text)
}

/// `$1`, `$name`, `$"a name"`
pub(super) fn parameter(text: &str) -> Scan {
    let rest = &text[1..];
    if rest.starts_with(is_name_start) {
        let len = 1 + word_bytes(rest);
        return named_parameter(&text[1..len], len);
    }
    if rest.starts_with('"') {
        let (kind, len) = quoted(rest).map_err(|bad| Bad {
            start: bad.start + 1,
            end: bad.end + 1,
            token_bytes: bad.token_bytes + 1,
            ..bad
        })?;
        return if let TokenKind::Quoted(name) = kind {
            named_parameter(&name, len + 1)
        } else {
            Ok((kind, len + 1))
        };
    }
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let position = rest[..digits]
        .parse::<u16>()
        .ok()
        .filter(|position| *position > 0);
    match position {
        Some(position) => Ok((
            TokenKind::Parameter(Parameter::Position(position)),
            1 + digits,
        )),
        None => Err(Bad::value(
            "a parameter is $1 to $65535 or $name",
            1 + digits,
        )),
    }
}

fn named_parameter(name: &str, len: usize) -> Scan {
    match Name::new(name) {
        Ok(name) => Ok((TokenKind::Parameter(Parameter::Name(name)), len)),
        Err(error) => Err(Bad::new(error.into(), len)),
    }
}

/// `now`, `today`, `now-30d`, `today+2w`; nothing when the text begins another word.
pub(super) fn relative_time(text: &str) -> Option<Scan> {
    let word = &text[..word_bytes(text)];
    let anchor_len = word.find('-').unwrap_or(word.len());
    let anchor = anchor(&word[..anchor_len])?;
    let rest = &text[anchor_len..];
    let is_distance =
        rest.starts_with(['+', '-']) && rest[1..].starts_with(|c: char| c.is_ascii_digit());
    if is_distance {
        return Some(distance(text, anchor_len, anchor));
    }
    let now = RelativeTime {
        anchor,
        amount: 0,
        unit: TimeUnit::Second,
    };
    (anchor_len == word.len()).then_some(Ok((TokenKind::Relative(now), anchor_len)))
}

fn anchor(word: &str) -> Option<TimeAnchor> {
    if word.eq_ignore_ascii_case("now") {
        Some(TimeAnchor::Now)
    } else if word.eq_ignore_ascii_case("today") {
        Some(TimeAnchor::Today)
    } else {
        None
    }
}

/// `-30d` or `+2w` after `now` or `today`.
fn distance(text: &str, anchor_len: usize, anchor: TimeAnchor) -> Scan {
    let rest = &text[anchor_len..];
    let len = anchor_len + 1 + word_bytes(&rest[1..]);
    let piece = &text[anchor_len + 1..len];
    let unit_at = piece
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(piece.len());
    let Some(unit) = time_unit(&piece[unit_at..]) else {
        let hint = "the units are s m h d w mo y, as in now-30d";
        return Err(Bad::value("a time needs a unit after its number", len).with_hint(hint));
    };
    let sign = if rest.starts_with('-') { "-" } else { "" };
    match format!("{sign}{}", &piece[..unit_at]).parse() {
        Ok(amount) => Ok((
            TokenKind::Relative(RelativeTime {
                anchor,
                amount,
                unit: unit_of(amount, unit),
            }),
            len,
        )),
        Err(_) => Err(Bad::value("this time is too far away", len)),
    }
}

/// No distance at all has one unit, so that `now` and `now-0d` are the same.
fn unit_of(amount: i32, unit: TimeUnit) -> TimeUnit {
    if amount == 0 { TimeUnit::Second } else { unit }
}

fn time_unit(text: &str) -> Option<TimeUnit> {
    let units = [
        ("s", TimeUnit::Second),
        ("m", TimeUnit::Minute),
        ("h", TimeUnit::Hour),
        ("d", TimeUnit::Day),
        ("w", TimeUnit::Week),
        ("mo", TimeUnit::Month),
        ("y", TimeUnit::Year),
    ];
    units
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, unit)| unit)
}

/// The literal shapes, the longest first, because one begins like the next.
#[derive(Clone, Copy)]
enum Shape {
    Timestamp,
    Date,
    Decimal,
    Duration,
    Integer,
}

/// `42`, `-7`, `1.50`, `2026-11-23`, `2026-11-23T10:00:00Z`, `30d`
pub(super) fn number_or_time(text: &str) -> Scan {
    let shape: IResult<&str, (Shape, &str)> = alt((
        recognize((date_shape, one_of("Tt"), time_of_day, opt(zone)))
            .map(|piece| (Shape::Timestamp, piece)),
        date_shape.map(|piece| (Shape::Date, piece)),
        recognize((opt(char('-')), digit1, char('.'), digit1)).map(|piece| (Shape::Decimal, piece)),
        recognize(pair(digit1, duration_unit)).map(|piece| (Shape::Duration, piece)),
        recognize(pair(opt(char('-')), digit1)).map(|piece| (Shape::Integer, piece)),
    ))
    .parse(text);
    let Ok((_, (shape, piece))) = shape else {
        return Err(Bad::value("this is not a number", 1));
    };
    let glued = word_bytes(&text[piece.len()..]);
    if glued > 0 {
        return Err(begins_with_digit(&text[..piece.len() + glued]));
    }
    let len = piece.len();
    match shape {
        Shape::Timestamp => timestamp(piece),
        Shape::Date => date(piece),
        Shape::Decimal => decimal(piece),
        Shape::Duration => period(piece),
        Shape::Integer => integer(piece),
    }
    .map(|kind| (kind, len))
}

fn begins_with_digit(text: &str) -> Bad {
    Bad::new(ParseErrorKind::NameBeginsWithDigit, text.len())
        .with_hint(format!("quote it: \"{text}\""))
}

fn digits(count: usize) -> impl Fn(&str) -> Scanned<'_> {
    move |text| take_while_m_n(count, count, |c: char| c.is_ascii_digit()).parse(text)
}

/// `2026-11-23`, and for years before the first `-000044-03-15`.
fn date_shape(text: &str) -> Scanned<'_> {
    let year = alt((digits(4), recognize(pair(char('-'), digits(6)))));
    let month_and_day = (char('-'), digits(2), char('-'), digits(2));
    recognize((
        year,
        month_and_day,
        not(peek(take_while_m_n(1, 1, |c: char| c.is_ascii_digit()))),
    ))
    .parse(text)
}

fn time_of_day(text: &str) -> Scanned<'_> {
    let fraction = pair(char('.'), digit1);
    recognize((
        digit1,
        take_while(|c: char| c == ':' || c.is_ascii_digit()),
        opt(fraction),
    ))
    .parse(text)
}

fn zone(text: &str) -> Scanned<'_> {
    let offset = pair(
        one_of("+-"),
        take_while1(|c: char| c == ':' || c.is_ascii_digit()),
    );
    alt((recognize(one_of("Zz")), recognize(offset))).parse(text)
}

fn duration_unit(text: &str) -> Scanned<'_> {
    let unit = take_while_m_n(1, 2, |c: char| c.is_ascii_alphabetic());
    let (rest, unit) =
        terminated(unit, not(peek(take_while_m_n(1, 1, is_name_char)))).parse(text)?;
    match time_unit(unit) {
        Some(_) => Ok((rest, unit)),
        None => Err(nom::Err::Error(nom::error::make_error(
            text,
            nom::error::ErrorKind::Tag,
        ))),
    }
}

/// `30d`
fn period(text: &str) -> Result<TokenKind, Bad> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (amount, unit) = text.split_at(unit_at);
    refuse_leading_zero(amount, text)?;
    let amount = amount
        .parse()
        .ok()
        .filter(|amount| *amount <= PERIOD_AMOUNT_MAX);
    match (amount, time_unit(unit)) {
        (Some(amount), Some(unit)) => Ok(TokenKind::Duration(Period { amount, unit })),
        (_, _) => Err(Bad::value("this time is too long", text.len())),
    }
}

fn timestamp(text: &str) -> Result<TokenKind, Bad> {
    // The shape keeps out most of what is not RFC 3339; the parser judges the rest.
    parse_with_offset(text)
        .map(TokenKind::Timestamp)
        .map_err(|error| match error {
            TimestampError::NotATimestamp => {
                let hint =
                    "write 2026-11-23T10:00:00Z, or with an offset such as +02:00 in place of Z";
                Bad::value("this is not a timestamp", text.len()).with_hint(hint)
            }
            TimestampError::NamedZone | TimestampError::TooFine | TimestampError::LeapSecond => {
                Bad::value(error.to_string(), text.len())
            }
        })
}

fn date(text: &str) -> Result<TokenKind, Bad> {
    text.parse::<Date>()
        .map(TokenKind::Date)
        .map_err(|_| Bad::value("there is no such date", text.len()))
}

fn decimal(text: &str) -> Result<TokenKind, Bad> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    refuse_leading_zero(whole, text)?;
    if fraction.len() > SCALE_MAX {
        let message = format!("a decimal has at most {SCALE_MAX} digits after its point");
        return Err(Bad::value(message, text.len()));
    }
    let scale = u8::try_from(fraction.len()).unwrap_or(u8::MAX);
    match format!("{whole}{fraction}").parse() {
        Ok(units) => Ok(TokenKind::Decimal(Decimal { units, scale })),
        Err(_) => Err(Bad::value(
            "the digits of this decimal do not fit 64 bits",
            text.len(),
        )),
    }
}

fn integer(text: &str) -> Result<TokenKind, Bad> {
    refuse_leading_zero(text, text)?;
    text.parse()
        .map(TokenKind::Integer)
        .map_err(|_| Bad::value("this number is too large", text.len()))
}

/// `007` is hardly meant as the number 7, and as a text it needs quotes.
fn refuse_leading_zero(whole: &str, text: &str) -> Result<(), Bad> {
    let digits = whole.trim_start_matches('-');
    if digits.len() > 1 && digits.starts_with('0') {
        let hint = format!("quote it if it is a text: \"{text}\"");
        return Err(Bad::value("a number cannot begin with 0", text.len()).with_hint(hint));
    }
    Ok(())
}
