#![expect(clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::ast::{Decimal, Parameter, RelativeTime, TimeAnchor, TimeUnit};

/// Each token as its text, prefixed with a letter for its kind.
fn shown(text: &str) -> String {
    let show = |token: &Token| {
        let piece = &text[token.span.range()];
        match &token.kind {
            TokenKind::Word => format!("w{piece}"),
            TokenKind::Pattern => format!("g{piece}"),
            TokenKind::Quoted(value) => format!("q{value}"),
            TokenKind::Integer(value) => format!("i{value}"),
            TokenKind::Decimal(_) => format!("f{piece}"),
            TokenKind::Date(value) => format!("d{value}"),
            TokenKind::Timestamp(value) => format!("t{value}"),
            TokenKind::Relative(_) => format!("r{piece}"),
            TokenKind::Duration(_) => format!("u{piece}"),
            TokenKind::Parameter(_) => piece.to_owned(),
            TokenKind::Symbol(symbol) => symbol.as_str().to_owned(),
            TokenKind::Bad(error) => format!("!{error}"),
            TokenKind::End => String::new(),
        }
    };
    tokens(text)
        .iter()
        .map(show)
        .collect::<Vec<_>>()
        .join(" ")
        .trim_end()
        .to_owned()
}

#[test]
fn texts_become_tokens() {
    let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text}");
    check("", "");
    check("tag:vip", "wtag : wvip");
    check("tag:promo-2026/autumn", "wtag : wpromo-2026/autumn");
    check("tag:高价值 tag:हिन्दी", "wtag : w高价值 wtag : wहिन्दी");
    check("promo-* * *x", "gpromo-* g* g*x");
    check("age:18..34", "wage : i18 .. i34");
    check("age:-5..10", "wage : i-5 .. i10");
    check("x:..-5", "wx : .. i-5");
    check("x:a..b", "wx : wa .. wb");
    check("a.b..c.d", "wa.b .. wc.d");
    check("spend:1000..", "wspend : i1000 ..");
    check("x:1.5..2.50", "wx : f1.5 .. f2.50");
    check("birthday:..2000-01-01", "wbirthday : .. d2000-01-01");
    check("2000-01-01..2001-01-01", "d2000-01-01 .. d2001-01-01");
    check("-000044-03-15", "d-000044-03-15");
    check("2026-11-23T10:00:00Z..", "t2026-11-23T10:00:00Z ..");
    check("2026-11-23T10:00:00.25+02:00", "t2026-11-23T08:00:00.25Z");
    check(
        "2026-11-23T10:00:00.123456000Z",
        "t2026-11-23T10:00:00.123456Z",
    );
    check(
        "now today-3d NOW+2MO now-playing",
        "rnow rtoday-3d rNOW+2MO wnow-playing",
    );
    check("nowhere now.x", "wnowhere wnow.x");
    check("now..today", "rnow .. rtoday");
    check("30d 3mo 3h", "u30d u3mo u3h");
    check("a-=b a -= b c+=d", "wa -= wb wa -= wb wc += wd");
    check("a<=1 b>2 c!=3", "wa <= i1 wb > i2 wc != i3");
    check("5% 0.1%", "i5 % f0.1 %");
    check("a -- b\nc--d", "wa wc--d");
    check("a--", "wa--");
    check(r#""a \"b\" \\ \n\t\r\u{e9}""#, "qa \"b\" \\ \n\t\ré");
    check("$1 $name $\"a b\" $a..$2", "$1 $name $\"a b\" $a .. $2");
}

#[test]
fn bad_places_say_why() {
    let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text}");
    check("a 85123A", "wa !a name cannot begin with a digit");
    check("18-34", "!a name cannot begin with a digit");
    check("2026-11-23x", "!a name cannot begin with a digit");
    check("2026-13-23", "!there is no such date");
    check("2026-11-23T10:00:00", "!this is not a timestamp");
    check("2026-11-23T25:00:00Z", "!this is not a timestamp");
    check(
        "2016-12-31T23:59:60Z",
        "!second 60 cannot be kept: timestamps have no leap seconds",
    );
    check(
        "2026-11-23T10:00:00.123456789Z",
        "!a timestamp is kept in microseconds, and this one is finer",
    );
    check("007", "!a number cannot begin with 0");
    check(
        "1.1234567890123456789",
        "!a decimal has at most 18 digits after its point",
    );
    check(
        "99999999999999999.99",
        "!the digits of this decimal do not fit 64 bits",
    );
    check(&"9".repeat(50), "!this number is too large");
    check("now-30x", "!a time needs a unit after its number");
    check("now-30", "!a time needs a unit after its number");
    check("now-99999999999d", "!this time is too far away");
    check("\"a", "!this quoted text is not closed");
    check("\"a\\", "!this quoted text is not closed");
    check("\"a\\x\"", "!unknown escape in a quoted text");
    check("\"\\u{110000}\"", "!unknown escape in a quoted text");
    check("$0", "!a parameter is $1 to $65535 or $name");
    check("$65536", "!a parameter is $1 to $65535 or $name");
    check("$", "!a parameter is $1 to $65535 or $name");
    check("$\"\"", "!a name cannot be empty");
    check("'a'", "!unexpected character `'`");
    check("\u{0}", "!unexpected character U+0000");
    check("a = = b", "wa = = wb");
    check("a == b", "wa !`==` is not an operator");
}

#[test]
fn literals_carry_their_values() {
    let check = |text: &str, expected: TokenKind| match tokens(text).as_slice() {
        [token, _] => assert_eq!(token.kind, expected, "{text}"),
        other => panic!("{text} became {other:?}"),
    };
    let relative = |anchor, amount, unit| {
        TokenKind::Relative(RelativeTime {
            anchor,
            amount,
            unit,
        })
    };
    check(
        "1.50",
        TokenKind::Decimal(Decimal {
            units: 150,
            scale: 2,
        }),
    );
    check(
        "-0.5",
        TokenKind::Decimal(Decimal {
            units: -5,
            scale: 1,
        }),
    );
    check("now-30d", relative(TimeAnchor::Now, -30, TimeUnit::Day));
    check("today+2mo", relative(TimeAnchor::Today, 2, TimeUnit::Month));
    check("now-0y", relative(TimeAnchor::Now, 0, TimeUnit::Second));
    check("$12", TokenKind::Parameter(Parameter::Position(12)));
}

#[test]
fn bare_words_are_told_from_others() {
    let check = |text: &str, expected: bool| assert_eq!(is_bare_word(text), expected, "{text}");
    check("vip", true);
    check("promo-2026/autumn", true);
    check("_", true);
    check("a.b", true);
    check("a..b", false);
    check("a.", false);
    check("a*", false);
    check("a b", false);
    check("1a", false);
    check("", false);
}
