//! The texts of `\help`.
//!
//! Knows the language in a few lines a topic. Does not know what is defined.

/// The topics and their texts.
const TOPICS: [(&str, &str); 14] = [
    (
        "expressions",
        "Who:\n\
         \x20 tag:vip  tag:promo-*  tag:(a, b)     holds a tag\n\
         \x20 gender:f  city:(paris, rome)         has a value\n\
         \x20 newsletter = true, != false          compares; also < <= > >=\n\
         \x20 age:18..34  spend:1000..  age >= 18  within a range\n\
         \x20 gender IS MISSING, IS PRESENT        has one at all\n\
         \x20 segment:loyal  user:(\"u1\", \"u2\")     a saved segment, named users\n\
         \x20 group:lifecycle IS MISSING           holds no tag of the group\n\
         \x20 birthday ANNIVERSARY IN today..today+7d  the day returns\n\
         \x20 tag:vip[since >= now-7d]             how a tag is held: \\help validity\n\
         \x20 lapsed(tag:member, 30d)              held it until lately\n\
         \x20 did:purchase[30d]                    what users did: \\help behaviour\n\
         \x20 referred_by(x)  inviter_of(x)        who invited whom: \\help referral\n\
         \x20 AT LEAST 2 OF (x, y, z)              a threshold\n\
         \x20 NOT x   x AND y   x OR y   ( x )     NOT binds tightest, then AND\n\
         \x20 ALL                                  everyone",
    ),
    (
        "count",
        "COUNT expression\n\nHow many users:  COUNT tag:vip AND age >= 18",
    ),
    (
        "segment",
        "SEGMENT expression [RETURN field, …] [ORDER BY field [ASC|DESC], …] [SAMPLE p% [SEED n]] [LIMIT n]\n\n\
         Which users:  SEGMENT tag:vip RETURN age, city, TAGS ORDER BY age DESC LIMIT 10\n\
         With LIMIT there is a cursor for the next page: FETCH \"cursor\", CLOSE \"cursor\".",
    ),
    (
        "dimension",
        "DIMENSION dim, … [MEASURE …] [HAVING …] [ORDER BY …] [TOP n] [WHERE expression]\n\n\
         Split by what:\n\
         \x20 DIMENSION gender\n\
         \x20 DIMENSION age[18,25,35], gender MEASURE count, avg(spend) WHERE tag:vip\n\
         \x20 DIMENSION signup BY month              also day, week, quarter, year\n\
         \x20 DIMENSION tag:promo-* TOP 10\n\
         \x20 DIMENSION purchase BY week, purchase.category, 90d MEASURE count, users\n\
         \x20 DIMENSION gender MEASURE sum(purchase.amount, 90d) WHERE tag:vip\n\n\
         Measures: count, share, sum(f), avg(f), min(f), max(f), p50(f), … p99(f)\n\
         \x20 of events: users, count(e), days(e), first(e), last(e), sum(e.f), …",
    ),
    (
        "validity",
        "DEFINE TAG member DYNAMIC FOR 30d [ON RETAG REPLACE|EXTEND|LATER]\n\
         ALTER TAG member STATIC                its holdings do not end\n\
         TAG \"u1\" WITH member [FROM t] [UNTIL t | FOR 30d] [SOURCE manual|import|model]\n\
         CLEAR TAG \"u1\" WITH x                forgets what was given or taken by hand\n\n\
         tag:member[until <= now+7d]            ends soon\n\
         tag:member[since >= now-7d, source = rule]\n\
         tag:member[until IS MISSING]           has no end\n\
         lapsed(tag:member, 30d)                ended within the last 30 days",
    ),
    (
        "behaviour",
        "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM) [RETENTION 2y]\n\
         ALTER EVENT purchase [ADD PROPERTIES (note TEXT)] [RETENTION 2y | NO RETENTION]\n\
         TRACK \"u1\" purchase [AT t] [ID \"e-1\"] [WITH amount = 12.50, category = shoes]\n\n\
         did:purchase[30d]  did:purchase[category:shoes, 30d]\n\
         count(purchase, 30d) >= 3  days(login, 7d) >= 5\n\
         sum(purchase.amount, 90d) > 1000       also avg(…), min(…), max(…)\n\
         count(purchase[category:shoes AND amount >= 10], 90d) >= 2\n\
         last(purchase) < now-60d  first(purchase) >= 2026-01-01\n\
         last(purchase).channel:ads\n\
         top(purchase.category, 90d):shoes      the most frequent value\n\
         sequence(view -> cart -> purchase, within 1d, 30d)\n\n\
         Windows: 30d (today and 29 days before), 4w, 3mo, 1y, 12h, 2026-01-01..2026-01-31\n\
         DIMENSION purchase BY day, 90d         \\help dimension has more",
    ),
    (
        "referral",
        "SET \"u2\" invited_by = u1               said once, and for good\n\
         referred_by(tag:vip)                  their inviter is one of these\n\
         inviter_of(tag:vip)                   they invited one of these\n\
         descendants_of(user:(\"u1\"), 3)        up to so many steps below\n\
         count(invited) >= 2                   how many they invited\n\
         DIMENSION invited_by TOP 10\n\n\
         First: DEFINE ATTRIBUTE invited_by USER",
    ),
    (
        "rules",
        "DEFINE TAG high_value AS sum(purchase.amount, 90d) > 1000\n\
         DEFINE GROUP tier AS high: expression, mid: expression, low: OTHERWISE\n\
         DEFINE GROUP spenders AS BANDS OF sum(purchase.amount, 90d) (whale: 10000.., small: OTHERWISE)\n\
         DEFINE GROUP spenders AS PERCENTILES OF spend (top: 90..100, low: OTHERWISE)\n\
         ALTER TAG x AS expression | NO RULE\n\
         ALTER GROUP tier AS layers | NO RULE\n\
         CLEAR TAG \"u1\" WITH high_value         the rule decides again\n\n\
         The first layer that fits wins. Rules are right at the moment of the question.\n\
         What is given or taken by hand counts more than a rule: \\help validity",
    ),
    (
        "upkeep",
        "RENAME TAG a TO b                 MERGE TAG a INTO b\n\
         USAGES TAG a                      what needs it\n\
         LINT TAGS [LIKE …] [LIMIT n]      what could be cleaner\n\
         TREND tag:vip [LAST 90d] [BY day|week|month]\n\
         ALTER TAG x DRAFT | ACTIVE | DEPRECATED | ARCHIVED",
    ),
    (
        "forms",
        "DEFINE FORM welcome (\n\
         \x20 gender ENUM REQUIRED SETS ATTRIBUTE gender,\n\
         \x20 plan (pro, free) SETS TAG (pro: vip, free: basic),\n\
         \x20 bought TEXT SETS EVENT purchase.note)\n\
         SUBMIT FORM welcome FOR \"u1\" WITH gender = f, plan = pro [ID \"k\"]\n\
         SHOW FORMS, DROP FORM welcome",
    ),
    (
        "portrait",
        "PORTRAIT \"key\"            everything known of one user\n\
         WHY \"key\" IN expression  why the user is in it, and what would change that",
    ),
    (
        "define",
        "DEFINE TAG vip [DYNAMIC FOR 30d] [IN GROUP g] [AS expression] [OWNER \"…\"] [DESCRIPTION \"…\"]\n\
         DEFINE GROUP lifecycle [EXCLUSIVE | SHARED] [IN GROUP parent] [AS layers]\n\
         DEFINE ATTRIBUTE age INTEGER [WRITE ONCE | MUTABLE]\n\
         \x20 types: ENUM [(a, b)], MULTI [(a, b)], INTEGER, DECIMAL(n), DATE, TIMESTAMP, BOOLEAN, TEXT, USER\n\
         DEFINE ATTRIBUTE age AS YEARS SINCE birthday\n\
         DEFINE EVENT purchase (amount DECIMAL(2), …), DEFINE FORM welcome (…)\n\
         SAVE SEGMENT loyal AS expression\n\
         ALTER ATTRIBUTE gender ADD VALUES (x), ALTER TAG x NO GROUP, …\n\
         DROP TAG vip [IF EXISTS], …",
    ),
    (
        "write",
        "TAG \"u1\", \"u2\" WITH vip          UNTAG \"u1\" WITH vip\n\
         TAG WHERE expression WITH vip     UNTAG WHERE expression WITH vip\n\
         SET \"u1\" gender = f, age = 30, city = MISSING, interests += golf\n\
         TRACK \"u1\" purchase WITH amount = 12.50\n\
         SUBMIT FORM welcome FOR \"u1\" WITH gender = f\n\
         DELETE USER \"u1\"\n\n\
         For files see: tessera import --help",
    ),
    (
        "show",
        "SHOW TAGS | GROUPS | ATTRIBUTES | SEGMENTS | EVENTS | FORMS [LIKE \"promo-*\"] [LIMIT n]\n\
         SHOW VALUES OF city [LIKE \"p*\"]\n\
         SHOW STATUS\n\
         EXPLAIN [ANALYZE] COUNT|SEGMENT|DIMENSION …",
    ),
];

const OVERVIEW: &str = "\
COUNT who · SEGMENT who · DIMENSION by what · TRACK · WHY · PORTRAIT \"key\" · SHOW TAGS · EXPLAIN …

  \\help TOPIC        one of: expressions, validity, behaviour, referral, rules, count, segment,
                     dimension, portrait, define, write, show, upkeep, forms
  \\tags [LIKE]       what is defined; also \\attributes, \\groups, \\segments, \\events, \\forms,
                     \\values ATTRIBUTE
  \\format [NAME]     table, json, jsonl, csv or tsv
  \\timing [on|off]   rows and times below answers
  \\watch N [STMT]    again every N seconds, until Ctrl-C
  \\connect HOST:PORT another server
  \\status            what the server says of itself
  \\quit              leave; so does Ctrl-D

Enter runs a statement that is whole or ends with ;  An empty line runs it in any case.
Tab completes keywords, names and values. Ctrl-C cancels what is running.";

/// The help on a topic, or all topics.
pub(crate) fn text(topic: Option<&str>) -> String {
    let Some(topic) = topic else {
        return OVERVIEW.to_owned();
    };
    let wanted = topic.to_lowercase();
    match TOPICS
        .iter()
        .find(|(name, _)| *name == wanted || name.trim_end_matches('s') == wanted)
    {
        Some((_, text)) => (*text).to_owned(),
        None => {
            let names: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
            format!(
                "there is no help on {topic:?}; the topics are {}",
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use tessera_query_lang::keywords;

    use super::super::command::NAMES;
    use super::*;

    /// The texts of all topics.
    fn texts() -> String {
        let texts: Vec<&str> = TOPICS.iter().map(|(_, text)| *text).collect();
        texts.join("\n")
    }

    #[test]
    fn every_word_of_the_language_is_in_a_topic() {
        let texts = texts().to_lowercase();
        let words: Vec<&str> = texts
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .collect();
        for keyword in keywords::all() {
            for word in keyword.trim_end_matches([':', '(']).split(' ') {
                let word = word.to_lowercase();
                assert!(words.contains(&word.as_str()), "{keyword}");
            }
        }
        // Functions as such, and not only words of their names.
        for function in keywords::EXPRESSION {
            assert!(texts.contains(&function.to_lowercase()), "{function}");
        }
    }

    #[test]
    fn the_page_of_the_program_has_every_topic_and_command() {
        let page = include_str!("../../../../docs/repl.md");
        let row = page.lines().find(|line| line.starts_with("| `\\help"));
        let row = row.unwrap_or_default();
        for (topic, _) in TOPICS {
            assert!(row.contains(topic), "{topic}");
        }
        for command in NAMES {
            assert!(page.contains(&format!("`{command}")), "{command}");
        }
    }

    #[test]
    fn topics_have_no_word_that_the_language_does_not_have() {
        let texts = texts();
        let words = texts.split(|letter: char| !letter.is_ascii_alphabetic());
        let shouted =
            words.filter(|word| word.len() > 1 && !word.contains(|c: char| c.is_lowercase()));
        for word in shouted {
            assert!(keywords::is_keyword(word), "{word}");
        }
    }

    #[test]
    fn every_topic_of_the_overview_has_a_text() {
        for (name, body) in TOPICS {
            assert!(OVERVIEW.contains(name), "{name}");
            assert_eq!(text(Some(&name.to_uppercase())), body);
        }
        assert!(text(Some("love")).starts_with("there is no help on \"love\""));
        assert_eq!(text(None), OVERVIEW);
    }
}
