//! The texts of `\help`.
//!
//! Knows the language in a few lines a topic. Does not know what is defined.

/// The topics and their texts.
const TOPICS: [(&str, &str); 8] = [
    (
        "expressions",
        "Who:\n\
         \x20 tag:vip  tag:promo-*  tag:(a, b)     holds a tag\n\
         \x20 gender:f  city:(paris, rome)         has a value\n\
         \x20 age:18..34  spend:1000..  age >= 18  within a range\n\
         \x20 gender IS MISSING, IS PRESENT        has one at all\n\
         \x20 segment:loyal  user:(\"u1\", \"u2\")     a saved segment, named users\n\
         \x20 group:lifecycle IS MISSING           holds no tag of the group\n\
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
         \x20 DIMENSION signup BY month\n\
         \x20 DIMENSION tag:promo-* TOP 10\n\
         Measures: count, share, sum(f), avg(f), min(f), max(f), p50(f), … p99(f)",
    ),
    (
        "portrait",
        "PORTRAIT \"key\"\n\nEverything known of one user.",
    ),
    (
        "define",
        "DEFINE TAG vip [IN GROUP g] [OWNER \"…\"] [DESCRIPTION \"…\"]\n\
         DEFINE GROUP lifecycle [EXCLUSIVE]\n\
         DEFINE ATTRIBUTE age INTEGER [WRITE ONCE]\n\
         \x20 types: ENUM [(a, b)], MULTI [(a, b)], INTEGER, DECIMAL(n), DATE, TIMESTAMP, BOOLEAN, TEXT, USER\n\
         SAVE SEGMENT loyal AS expression\n\
         ALTER …, DROP … [IF EXISTS]",
    ),
    (
        "write",
        "TAG \"u1\", \"u2\" WITH vip          UNTAG \"u1\" WITH vip\n\
         TAG WHERE expression WITH vip     UNTAG WHERE expression WITH vip\n\
         SET \"u1\" gender = f, age = 30, city = MISSING, interests += golf\n\
         DELETE USER \"u1\"\n\n\
         For files see: tessera import --help",
    ),
    (
        "show",
        "SHOW TAGS | GROUPS | ATTRIBUTES | SEGMENTS [LIKE \"promo-*\"] [LIMIT n]\n\
         SHOW VALUES OF city [LIKE \"p*\"]\n\
         SHOW STATUS\n\
         EXPLAIN [ANALYZE] COUNT|SEGMENT|DIMENSION …",
    ),
];

const OVERVIEW: &str = "\
COUNT who · SEGMENT who · DIMENSION by what · PORTRAIT \"key\" · SHOW TAGS · EXPLAIN …

  \\help TOPIC        one of: expressions, count, segment, dimension, portrait, define, write, show
  \\tags [LIKE]       what is defined; also \\attributes, \\groups, \\segments, \\values ATTRIBUTE
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
    use super::*;

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
