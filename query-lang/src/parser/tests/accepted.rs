//! What parses, and how it is printed.

use super::check;

#[test]
fn expressions() {
    let same = |expr: &str| check(&format!("COUNT {expr}"), &format!("COUNT {expr}"));
    let check = |expr: &str, canonical: &str| {
        check(&format!("COUNT {expr}"), &format!("COUNT {canonical}"));
    };
    for expr in [
        "ALL",
        "tag:vip",
        "tag:promo-*",
        "tag:*",
        "tag:(a, b-*, $1, \"c d\")",
        "tag:高价值",
        "tag:count",
        "tag:now-30d",
        "tag:\"like\"",
        "tag:LIKE \"my promo-*\"",
        "tag:\"85123A\"",
        "gender:f",
        "city:(paris, rome, \"new york\")",
        "age:18..34",
        "age:-5..10",
        "age:25",
        "spend:1000..",
        "spend:1.50..2.5",
        "birthday:..2000-01-01",
        "seen:now-30d..now",
        "seen:today+2w..",
        "name:a..b",
        "name:$low..$2",
        "age >= 18",
        "age = -7",
        "gender != f",
        "seen > 2026-11-23T10:00:00Z",
        "active = true",
        "gender = \"true\"",
        "gender IS MISSING",
        "gender IS PRESENT",
        "segment:loyal",
        "segment:(loyal, $s)",
        "group:lifecycle IS MISSING",
        "group:$g IS PRESENT",
        "user:\"u1\"",
        "user:(\"u1\", \"u2\", $1)",
        "\"user\" = x",
        "count >= 3",
        "AT LEAST 2 OF (tag:a, tag:b AND tag:c, NOT tag:d)",
        "NOT NOT tag:a",
        "tag:a AND tag:b OR tag:c AND NOT tag:d",
        "(tag:a OR tag:b) AND NOT (tag:c AND tag:d)",
        "NOT (tag:a OR tag:b)",
        "age:18.. AND gender:f",
    ] {
        same(expr);
    }
    check("all", "ALL");
    check("TAG : ( vip )", "tag:vip");
    check(
        "(a:1 and b:2) AND (c:3 AND d:4)",
        "a:1 AND b:2 AND c:3 AND d:4",
    );
    check("a:1 OR (b:2 OR c:3)", "a:1 OR b:2 OR c:3");
    check("((a:1 or b:2))", "a:1 OR b:2");
    check("not (not a:1)", "NOT NOT a:1");
    check("a:1 OR (b:2 AND c:3)", "a:1 OR b:2 AND c:3");
    check("gender is not missing", "gender IS PRESENT");
    check("gender is not present", "gender IS MISSING");
    check("age:18 .. 34", "age:18..34");
    check("x:1..$2", "x:1..$2");
    check("user:u1", "user:\"u1\"");
    check("gender:\"f\"", "gender:f");
    check(
        "seen > 2026-11-23T10:00:00+02:00",
        "seen > 2026-11-23T08:00:00Z",
    );
    check("x >= now-0d", "x >= now");
    check("a:1 -- note\n AND b:2", "a:1 AND b:2");
    check("tag:e\u{301}", "tag:\u{e9}");
    check("tag:\"vip\"", "tag:vip");
}

#[test]
fn asking_statements() {
    for text in [
        "COUNT tag:vip",
        "SEGMENT tag:vip RETURN KEY, TAGS, age, \"key\" ORDER BY age DESC, KEY SAMPLE 0.1% SEED 7 LIMIT 100",
        "SEGMENT ALL SAMPLE 5%",
        "SEGMENT ALL RETURN order, limit ORDER BY asc",
        "FETCH \"c1\" LIMIT 10",
        "FETCH $cursor",
        "CLOSE \"c1\"",
        "PORTRAIT \"u 1\"",
        "EXPLAIN COUNT tag:vip",
        "EXPLAIN ANALYZE DIMENSION gender WHERE tag:vip",
        "DIMENSION gender",
        "DIMENSION gender, age[18, 25, 35], signup BY month, tag, tag:promo-*, tag:(a, b), group:lifecycle",
        "DIMENSION \"tag\" MEASURE count, share, sum(spend), avg(spend), min(spend), max(spend), p50(spend), p100(\"a b\")",
        "DIMENSION city MEASURE count HAVING count >= 10 AND (sum(spend) > 1.5 OR NOT share < 0.01) ORDER BY count DESC, city TOP 20 WHERE tag:vip",
        "DIMENSION group:\"life cycle\" ORDER BY group:\"life cycle\", tag, \"count\", sum, p50(spend) DESC",
        "SHOW TAGS",
        "SHOW TAGS LIKE \"promo *\" LIMIT 10",
        "SHOW GROUPS",
        "SHOW ATTRIBUTES LIMIT 1",
        "SHOW SEGMENTS LIKE \"x\"",
        "SHOW VALUES OF city LIKE \"p*\"",
        "SHOW STATUS",
    ] {
        check(text, text);
    }
    check("count tag:vip ;\n", "COUNT tag:vip");
    check(
        "SEGMENT ALL LIMIT 5 SAMPLE 5 % ORDER BY KEY ASC",
        "SEGMENT ALL ORDER BY KEY SAMPLE 5% LIMIT 5",
    );
    check(
        "DIMENSION age WHERE tag:a MEASURE count",
        "DIMENSION age MEASURE count WHERE tag:a",
    );
    check("DIMENSION age WHERE ALL", "DIMENSION age");
    check(
        "DIMENSION a MEASURE P05(x), COUNT",
        "DIMENSION a MEASURE p5(x), count",
    );
    check(
        "SHOW TAGS LIMIT 3 LIKE promo-*",
        "SHOW TAGS LIKE \"promo-*\" LIMIT 3",
    );
}

#[test]
fn writing_statements() {
    for text in [
        "DEFINE TAG vip",
        "DEFINE TAG IF NOT EXISTS vip IN GROUP value OWNER \"crm\" DESCRIPTION \"the best\\n\"",
        "DEFINE TAG \"if\"",
        "DEFINE GROUP lifecycle EXCLUSIVE",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE IF NOT EXISTS gender ENUM (f, m, \"not said\") WRITE ONCE OWNER \"x\"",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE interests MULTI (golf)",
        "DEFINE ATTRIBUTE spend DECIMAL(2)",
        "DEFINE ATTRIBUTE born DATE",
        "DEFINE ATTRIBUTE seen TIMESTAMP",
        "DEFINE ATTRIBUTE active BOOLEAN",
        "DEFINE ATTRIBUTE email TEXT",
        "DEFINE ATTRIBUTE invited_by USER",
        "DEFINE SEGMENT IF NOT EXISTS loyal DESCRIPTION \"d\" AS tag:vip OR spend:1000..",
        "ALTER TAG vip IN GROUP g",
        "ALTER TAG vip NO GROUP OWNER \"o\"",
        "ALTER GROUP lifecycle SHARED",
        "ALTER ATTRIBUTE gender ADD VALUES (x, \"y z\") MUTABLE DESCRIPTION \"\"",
        "ALTER SEGMENT loyal OWNER \"o\" AS ALL",
        "DROP TAG vip",
        "DROP SEGMENT IF EXISTS loyal",
        "SAVE SEGMENT loyal OWNER \"o\" AS tag:vip",
        "TAG \"u1\", $1 WITH vip, \"go ld\", $2",
        "TAG WHERE age:18.. WITH adult",
        "UNTAG \"u1\" WITH vip",
        "SET \"u1\" gender = f, age = 30, interests += (golf, chess), interests -= x, city = MISSING",
        "SET WHERE age:18.. city = paris",
        "SET WHERE tag:\"like\" \"user\" = \"missing\"",
        "SET $1 gender = $2",
        "DELETE USER \"u1\", \"u2\"",
    ] {
        check(text, text);
    }
    check(
        "DEFINE TAG vip DESCRIPTION d IF NOT EXISTS OWNER crm",
        "DEFINE TAG IF NOT EXISTS vip OWNER \"crm\" DESCRIPTION \"d\"",
    );
    check("DROP GROUP g IF EXISTS", "DROP GROUP IF EXISTS g");
    check(
        "DEFINE SEGMENT s AS tag:a OWNER o IF NOT EXISTS",
        "DEFINE SEGMENT IF NOT EXISTS s OWNER \"o\" AS tag:a",
    );
    check("SET u1 a=1, b+=c, d-=e", "SET \"u1\" a = 1, b += c, d -= e");
    check(
        "SET WHERE age:18.. \"city\" = paris",
        "SET WHERE age:18.. city = paris",
    );
    check("DEFINE GROUP g SHARED", "DEFINE GROUP g");
    check("TAG u1 WITH with", "TAG \"u1\" WITH with");
}
