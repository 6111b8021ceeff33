//! Holdings, behaviour, rules, upkeep, forms and referral: what parses, and what is refused.

use super::{check, refused};

/// These texts print as they are written.
fn same(texts: &[&str]) {
    for text in texts {
        check(text, text);
    }
}

#[test]
fn holdings() {
    same(&[
        "COUNT tag:member[until <= now+7d]",
        "COUNT tag:(a, b-*, $1)[since >= now-7d, until IS PRESENT, source = rule]",
        "COUNT tag:vip[since:2026-01-01..now, source:(import, model)]",
        "COUNT tag:vip[until:$1..]",
        "COUNT lapsed(tag:member, 30d)",
        "COUNT lapsed(tag:(a, b))",
        "COUNT NOT lapsed(tag:member-*, 2026-01-01..2026-01-31)",
        "COUNT birthday ANNIVERSARY IN today..today+7d",
        "TAG \"u1\" WITH member, x FROM 2026-01-01 UNTIL now+1y SOURCE import",
        "TAG WHERE tag:a WITH b FOR 30d",
        "TAG \"u1\" WITH $1 FROM $2 FOR 12h SOURCE model",
        "CLEAR TAG \"u1\", \"u2\" WITH vip",
        "CLEAR TAG WHERE ALL WITH $1",
    ]);
    check("COUNT tag:a[SINCE:today]", "COUNT tag:a[since = today]");
    check(
        "COUNT tag:a[source != rule]",
        "COUNT tag:a[source:(manual, import, model)]",
    );
    check(
        "COUNT birthday anniversary in today",
        "COUNT birthday ANNIVERSARY IN today..today",
    );
    check(
        "TAG u1 WITH from SOURCE manual FOR 1w",
        "TAG \"u1\" WITH from FOR 1w SOURCE manual",
    );
    check("COUNT Lapsed ( tag : a , 1d )", "COUNT lapsed(tag:a, 1d)");
}

#[test]
fn holdings_are_checked() {
    refused(
        "COUNT tag:a[]",
        "expected since, until or source, found `]`",
        "]",
        None,
    );
    refused(
        "COUNT tag:a[sinc >= now]",
        "expected since, until or source, found `sinc`",
        "sinc",
        Some("did you mean since?"),
    );
    refused(
        "COUNT tag:a[source = rul]",
        "expected manual, import, rule or model, found `rul`",
        "rul",
        Some("did you mean rule?"),
    );
    refused(
        "COUNT tag:a[source > rule]",
        "sources have no order",
        ">",
        Some("write source = rule or source != rule"),
    );
    refused(
        "TAG \"u\" WITH a SOURCE rule",
        "what a rule gives is not given by hand",
        "rule",
        Some("write SOURCE manual, import or model; DEFINE TAG … AS makes a rule"),
    );
    refused(
        "TAG \"u\" WITH a UNTIL now FOR 1d",
        "FOR is written twice",
        "FOR",
        None,
    );
    refused(
        "TAG \"u\" WITH a FOR 0d",
        "this must be at least 1",
        "0d",
        None,
    );
    refused(
        "TAG \"u\" WITH a FOR 9999999999d",
        "this time is too long",
        "9999999999d",
        None,
    );
    refused(
        "COUNT lapsed(member)",
        "expected tag, found `member`",
        "member",
        None,
    );
    refused(
        "COUNT lapsed(tag:a, member)",
        "expected a window such as 30d, found `member`",
        "member",
        Some("a window is a period such as 30d, or days such as 2026-01-01..2026-01-31"),
    );
    refused(
        "CLEAR \"u\" WITH a",
        "expected TAG, found `\"u\"`",
        "\"u\"",
        None,
    );
}

#[test]
fn behaviour() {
    same(&[
        "COUNT did:purchase",
        "COUNT did:(a, b)",
        "COUNT NOT did:login[14d]",
        "COUNT did:purchase[category:shoes, 30d]",
        "COUNT did:purchase[2026-01-01..2026-01-31]",
        "COUNT did:purchase[2026-01-01..]",
        "COUNT did:purchase[..today-1d]",
        "COUNT did:purchase[amount:5.., 2026-01-01..]",
        "COUNT did:purchase[now = 5]",
        "COUNT did:$1[$2..$3]",
        "COUNT did:(a, $1)[NOT (x:1 OR y IS MISSING) AND z != 3, 4w]",
        "COUNT count(purchase, 30d) >= 3",
        "COUNT count(purchase):3..5",
        "COUNT count(\"invited\") > 1",
        "COUNT count(purchase[category:shoes AND amount >= 10], 90d) >= 2",
        "COUNT days(login, 7d) >= 5",
        "COUNT sum(purchase.amount, 90d) > 1000",
        "COUNT avg(purchase[category:(shoes, hats)].amount) <= 1.50",
        "COUNT min(\"a shop\".\"the amount\", 12h) != 0",
        "COUNT max($1.amount, 1y):..$2",
        "COUNT sum(\"shop.purchase\".amount) > 1",
        "COUNT sum(purchase.a.b) > 1",
        "COUNT last(purchase) < now-60d",
        "COUNT first(purchase, 1y) >= 2026-01-01",
        "COUNT last(purchase).channel:ads",
        "COUNT first(purchase[amount > 5], 3mo).channel IS MISSING",
        "COUNT top(purchase.category, 90d):shoes",
        "COUNT top(purchase.category):(shoes, hats)",
        "COUNT sequence(view -> cart -> purchase, within 1d, 30d)",
        "COUNT sequence(view[channel:ads] -> purchase)",
        "COUNT sequence(a -> b, 2026-01-01..2026-01-31)",
        "COUNT count >= 3 AND last = 5",
    ]);
    check("COUNT count(p):3", "COUNT count(p) = 3");
    check("COUNT SUM(p.a) > 1", "COUNT sum(p.a) > 1");
    check("COUNT sequence(a->b)", "COUNT sequence(a -> b)");
    check("COUNT sum(p.\"a b\") > 1", "COUNT sum(\"p\".\"a b\") > 1");
    check(
        "COUNT sequence(a -> b, 30d, WITHIN 1h)",
        "COUNT sequence(a -> b, within 1h, 30d)",
    );
    check("COUNT sum($e.amount) > 1", "COUNT sum($\"e\".amount) > 1");
}

#[test]
fn behaviour_is_checked() {
    refused(
        "COUNT did:purchase[category:shoes, amount > 5]",
        "expected a window such as 30d, found `amount`",
        "amount",
        Some("join conditions with AND; after the comma stands the window"),
    );
    refused(
        "COUNT count(purchase[30d]) > 1",
        "a window does not stand here",
        "30d",
        Some("write it after a comma, as in count(purchase, 30d)"),
    );
    refused(
        "COUNT sum(purchase) > 1",
        "expected `[` or `.`, found `)`",
        ")",
        Some("name a property of the event, as in purchase.amount"),
    );
    refused(
        "COUNT count(purchase, 30x) > 1",
        "a length of time needs a unit after its number",
        "30x",
        Some("the units are s m h d w mo y, as in 30d"),
    );
    refused(
        "COUNT count(purchase, ..)",
        "expected a value, found `)`",
        ")",
        None,
    );
    refused(
        "COUNT count(purchase, 30d)",
        "expected `:` or a comparison, found the end of the text",
        "",
        None,
    );
    refused(
        "COUNT sequence(view)",
        "expected `[` or `->`, found `)`",
        ")",
        None,
    );
    refused(
        "COUNT sequence(a -> b, 30d, 30d)",
        "expected within, found `30d`",
        "30d",
        None,
    );
    refused(
        "COUNT top(purchase.category) = shoes",
        "expected `:`, found `=`",
        "=",
        None,
    );
    refused(
        "COUNT cuont(purchase, 30d) >= 3",
        "expected `:`, a comparison, IS or ANNIVERSARY IN, found `(`",
        "(",
        Some("did you mean count?"),
    );
    refused(
        "COUNT sum(.amount) > 1",
        "expected the name of an event, found `.`",
        ".",
        None,
    );
}

#[test]
fn events() {
    same(&[
        "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM, note TEXT) RETENTION 2y",
        "DEFINE EVENT IF NOT EXISTS login OWNER \"web\" DESCRIPTION \"signs in\"",
        "ALTER EVENT purchase ADD PROPERTIES (channel ENUM (ads, mail)) NO RETENTION",
        "ALTER EVENT purchase RETENTION 90d",
        "DROP EVENT IF EXISTS purchase",
        "SHOW EVENTS LIKE \"p*\" LIMIT 5",
        "TRACK \"u1\" purchase",
        "TRACK \"u1\" purchase AT 2026-11-23T10:00:00Z ID \"e-1\" WITH amount = 12.50, category = shoes",
        "TRACK $1 $2 AT $3 ID $4 WITH amount = $5",
        "DIMENSION purchase BY day, 90d",
        "DIMENSION purchase.category MEASURE count, users, sum(purchase.amount) WHERE tag:vip",
        "DIMENSION did:purchase BY week, did:purchase.category, 2026-01-01.. TOP 5",
        "DIMENSION did:purchase[channel:ads] BY month",
        "DIMENSION did:purchase[channel:ads].category",
        "DIMENSION gender MEASURE count(purchase, 90d), sum(purchase.amount, 90d)",
        "DIMENSION gender MEASURE avg(\"purchase\".amount), last(purchase) HAVING days(login) > 1",
        "DIMENSION gender ORDER BY sum(purchase.amount, 90d) DESC, users",
        "DIMENSION age[18, 25]",
    ]);
    check(
        "DIMENSION purchase[channel:ads].category",
        "DIMENSION did:purchase[channel:ads].category",
    );
    check(
        "DIMENSION \"shop.purchase\".category",
        "DIMENSION did:\"shop.purchase\".category",
    );
    check(
        "DIMENSION purchase.\"a b\" MEASURE sum(purchase.\"a b\")",
        "DIMENSION did:\"purchase\".\"a b\" MEASURE sum(\"purchase\".\"a b\")",
    );
    check(
        "TRACK u1 purchase WITH a = 1 AT now ID e",
        "TRACK \"u1\" purchase AT now ID \"e\" WITH a = 1",
    );
    refused(
        "DEFINE BEHAVIOUR purchase",
        "expected TAG, GROUP, ATTRIBUTE, SEGMENT, EVENT or FORM, found `BEHAVIOUR`",
        "BEHAVIOUR",
        Some("a behaviour is defined as an EVENT"),
    );
    refused(
        "DEFINE EVENT p (a TEXT, a ENUM)",
        "a is named twice",
        "a",
        None,
    );
    refused(
        "TRACK \"u\" p WITH a = 1, a = 2",
        "a is named twice",
        "a",
        None,
    );
    refused(
        "TRACK \"u\" p WITH a = MISSING",
        "MISSING is not a value",
        "MISSING",
        Some("leave it out, or quote it if it is a value"),
    );
    refused(
        "ALTER EVENT p",
        "expected OWNER, DESCRIPTION, ADD PROPERTIES, RETENTION or NO RETENTION, found the end of \
         the text",
        "",
        None,
    );
    refused(
        "DIMENSION did:purchase",
        "expected `[` or `.`, found the end of the text",
        "",
        Some("name a property of the event, as in purchase.amount"),
    );
    refused(
        "DIMENSION a, 30d, b",
        "expected MEASURE, HAVING, ORDER BY, TOP, WHERE, `;` or the end of the statement, found `,`",
        ",",
        None,
    );
}

#[test]
fn rules() {
    same(&[
        "DEFINE TAG member DYNAMIC FOR 30d ON RETAG EXTEND IN GROUP g",
        "DEFINE TAG high_value AS sum(purchase.amount, 90d) > 1000",
        "DEFINE TAG x DRAFT OWNER \"crm\" AS age:18..",
        "ALTER TAG x DYNAMIC FOR 3mo ON RETAG LATER DEPRECATED IN GROUP g AS tag:a OR tag:b",
        "ALTER TAG x STATIC ACTIVE NO GROUP NO RULE",
        "ALTER TAG x ON RETAG REPLACE",
        "DEFINE GROUP value_tier AS high: tag:vip, mid: age:18.., low: OTHERWISE",
        "DEFINE GROUP g EXCLUSIVE IN GROUP parent AS a: did:(x, y)[30d], b: otherwise = 5",
        "DEFINE GROUP spenders AS BANDS OF sum(purchase.amount, 90d) \
         (whale: 10000.., mid: 1000..10000, none: ..0, small: OTHERWISE)",
        "DEFINE GROUP spenders AS PERCENTILES OF spend (top: 90..100, low: OTHERWISE)",
        "DEFINE GROUP g AS BANDS OF \"sum\" (a: 1..2)",
        "ALTER GROUP g SHARED NO GROUP AS a: tag:b",
        "ALTER GROUP g IN GROUP h",
        "ALTER GROUP g EXCLUSIVE NO GROUP OWNER \"crm\" NO RULE",
        "ALTER GROUP g NO RULE",
        "DEFINE ATTRIBUTE age AS YEARS SINCE birthday DESCRIPTION \"whole years\"",
        "DEFINE ATTRIBUTE IF NOT EXISTS age AS YEARS SINCE birthday",
    ]);
    check("DEFINE TAG x STATIC ACTIVE", "DEFINE TAG x");
    check(
        "DEFINE TAG x AS tag:a IN GROUP g DYNAMIC FOR 1d",
        "DEFINE TAG x DYNAMIC FOR 1d IN GROUP g AS tag:a",
    );
    check(
        "DEFINE GROUP g AS BANDS OF n (a: 3, b: otherwise)",
        "DEFINE GROUP g AS BANDS OF n (a: 3..3, b: OTHERWISE)",
    );
}

#[test]
fn rules_are_checked() {
    refused(
        "DEFINE TAG x ON RETAG EXTEND",
        "only a dynamic tag says what tagging again does",
        "EXTEND",
        Some("write DYNAMIC FOR 30d as well"),
    );
    refused(
        "DEFINE TAG x DYNAMIC",
        "expected FOR, found the end of the text",
        "",
        None,
    );
    refused(
        "DEFINE TAG x DYNAMIC FOR 30",
        "a length of time needs a unit after its number",
        "30",
        Some("the units are s m h d w mo y, as in 30d"),
    );
    refused(
        "DEFINE TAG x DRAFT ACTIVE",
        "ACTIVE is written twice",
        "ACTIVE",
        None,
    );
    refused(
        "DEFINE GROUP g AS a: OTHERWISE, b: tag:x",
        "OTHERWISE stands last",
        "OTHERWISE",
        None,
    );
    refused(
        "DEFINE GROUP g AS a: tag:x, a: tag:y",
        "a is named twice",
        "a",
        None,
    );
    refused(
        "DEFINE GROUP g AS BANDS OF n (a: ..)",
        "expected a value, found `)`",
        ")",
        None,
    );
    refused(
        "DEFINE GROUP g AS BANDS OF top(p.a) (a: 1)",
        "expected `:`, found `)`",
        ")",
        None,
    );
    refused(
        "DEFINE ATTRIBUTE age AS MONTHS SINCE birthday",
        "expected YEARS SINCE, found `MONTHS`",
        "MONTHS",
        None,
    );
}

#[test]
fn upkeep_forms_and_referral() {
    same(&[
        "RENAME TAG a TO \"b c\"",
        "MERGE TAG a INTO b",
        "USAGES TAG a",
        "USAGES EVENT purchase",
        "LINT TAGS LIKE \"a*\" LIMIT 3",
        "TREND tag:vip LAST 90d BY day",
        "TREND tag:$1 BY week",
        "WHY \"u1\" IN tag:vip AND NOT did:login[14d]",
        "DEFINE FORM welcome (gender ENUM REQUIRED SETS ATTRIBUTE gender, \
         plan ENUM (pro, free) SETS TAG (pro: vip, free: basic), \
         bought TEXT SETS EVENT purchase.note) OWNER \"web\"",
        "DROP FORM welcome",
        "SHOW FORMS",
        "SUBMIT FORM welcome FOR \"u1\" WITH gender = f, likes = (golf, chess) ID \"k\"",
        "SUBMIT FORM $1 FOR $2",
        "COUNT referred_by(tag:vip OR did:purchase)",
        "COUNT NOT inviter_of(ALL)",
        "COUNT descendants_of(user:\"u1\", 3)",
        "COUNT count(invited) >= 2",
        "COUNT count(invited):1..5",
    ]);
    check("TREND tag:vip", "TREND tag:vip BY day");
    check(
        "DEFINE FORM f (plan (pro, free) SETS TAG (pro: vip))",
        "DEFINE FORM f (plan ENUM (pro, free) SETS TAG (pro: vip))",
    );
    check("COUNT COUNT ( INVITED ) > 1", "COUNT count(invited) > 1");
    refused(
        "RENAME GROUP a TO b",
        "expected TAG, found `GROUP`",
        "GROUP",
        None,
    );
    refused(
        "DEFINE FORM f (a TEXT)",
        "expected REQUIRED or SETS, found `)`",
        ")",
        None,
    );
    refused(
        "DEFINE FORM f (a TEXT SETS EVENT p[x:1].y)",
        "only the name of an event stands here",
        "p",
        None,
    );
    refused(
        "ALTER FORM f OWNER x",
        "a form is not altered",
        "f",
        Some("DROP FORM it and DEFINE FORM it again"),
    );
    refused(
        "COUNT descendants_of(ALL, 11)",
        "this must be from 1 to 10, the steps from inviter to invited",
        "11",
        None,
    );
    refused(
        "COUNT referred_by()",
        "expected an expression such as tag:vip or age >= 18, found `)`",
        ")",
        None,
    );
}
