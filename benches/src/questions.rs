//! The questions in Tessera's language, and how an answer is compared with the oracle's.
//!
//! Knows statements and texts. Does not know how they are sent.

use std::collections::BTreeSet;

use crate::oracle::Rows;

/// How an answer must agree with the oracle's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// The same rows in the same order.
    Ordered,
    /// The same rows in any order.
    Unordered,
    /// So many distinct rows, all among the oracle's.
    PageOf(usize),
}

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Q1 to Q11.
    pub id: &'static str,
    /// In the language.
    pub statement: String,
    /// How its answer is checked.
    pub agreement: Agreement,
}

const Q1: &str = "tag:t7 AND NOT tag:t1 AND gender:f";

/// The questions Q1 to Q11. (Q12, a portrait, is asked of a user of the day.)
pub fn questions() -> Vec<Question> {
    let q3: Vec<String> = (100..150).map(|tag| format!("tag:t{tag}")).collect();
    let question = |id, statement: String, agreement| Question {
        id,
        statement,
        agreement,
    };
    vec![
        question("Q1", format!("COUNT {Q1}"), Agreement::Ordered),
        question("Q2", "COUNT tag:t0 AND tag:t2".into(), Agreement::Ordered),
        question(
            "Q3",
            format!("COUNT {}", q3.join(" OR ")),
            Agreement::Ordered,
        ),
        question(
            "Q4",
            "COUNT age:25..34 AND region:r3 AND NOT tag:t1".into(),
            Agreement::Ordered,
        ),
        question(
            "Q5",
            "COUNT AT LEAST 3 OF (tag:t0, tag:t1, tag:t2, tag:t3, tag:t4)".into(),
            Agreement::Ordered,
        ),
        question(
            "Q6",
            format!("SEGMENT {Q1} LIMIT 1000"),
            Agreement::PageOf(1_000),
        ),
        question(
            "Q7",
            "SEGMENT tag:t20 AND spend_90d > 1000".into(),
            Agreement::Unordered,
        ),
        question(
            "Q8",
            "DIMENSION gender MEASURE count WHERE tag:t7 AND NOT tag:t1".into(),
            Agreement::Unordered,
        ),
        question(
            "Q9",
            "DIMENSION region, age[13,18,25,35,45,55] MEASURE count WHERE tag:t0 AND NOT tag:t5"
                .into(),
            Agreement::Unordered,
        ),
        question(
            "Q10",
            "DIMENSION tag MEASURE count TOP 20 WHERE tag:t7 AND gender:f".into(),
            Agreement::Ordered,
        ),
        question(
            "Q11",
            "DIMENSION source MEASURE sum(spend_90d), avg(spend_90d) WHERE tag:t2 AND age >= 30"
                .into(),
            Agreement::Unordered,
        ),
    ]
}

/// Compares an answer with the oracle's; the difference in words if there is one.
///
/// # Errors
/// Says where the two part.
pub fn compare(agreement: Agreement, answer: &Rows, expected: &Rows) -> Result<(), String> {
    match agreement {
        Agreement::Ordered => first_difference(answer, expected),
        Agreement::Unordered => first_difference(&sorted(answer), &sorted(expected)),
        Agreement::PageOf(length) => {
            let known: BTreeSet<&Vec<String>> = expected.iter().collect();
            let page: BTreeSet<&Vec<String>> = answer.iter().collect();
            let due = length.min(known.len());
            if answer.len() != due || page.len() != due {
                return Err(format!(
                    "{} rows, {} of them distinct, instead of {due}",
                    answer.len(),
                    page.len()
                ));
            }
            page.difference(&known)
                .next()
                .map_or(Ok(()), |row| Err(format!("{row:?} does not belong")))
        }
    }
}

fn sorted(rows: &Rows) -> Rows {
    let mut rows = rows.clone();
    rows.sort_unstable();
    rows
}

fn first_difference(answer: &Rows, expected: &Rows) -> Result<(), String> {
    if let Some(at) = answer.iter().zip(expected).position(|(a, b)| a != b) {
        return Err(format!(
            "row {at} is {:?} instead of {:?}",
            answer[at], expected[at]
        ));
    }
    if answer.len() != expected.len() {
        return Err(format!(
            "{} rows instead of {}",
            answer.len(),
            expected.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&str]) -> Rows {
        texts.iter().map(|text| vec![(*text).to_owned()]).collect()
    }

    #[test]
    fn differences_are_found() {
        let check = |agreement, answer: &[&str], expected: &[&str], agrees: bool| {
            assert_eq!(
                compare(agreement, &rows(answer), &rows(expected)).is_ok(),
                agrees,
                "{answer:?}"
            );
        };
        check(Agreement::Ordered, &["a", "b"], &["a", "b"], true);
        check(Agreement::Ordered, &["b", "a"], &["a", "b"], false);
        check(Agreement::Ordered, &["a"], &["a", "b"], false);
        check(Agreement::Unordered, &["b", "a"], &["a", "b"], true);
        check(Agreement::Unordered, &["b", "b"], &["a", "b"], false);
        check(Agreement::PageOf(2), &["c", "a"], &["a", "b", "c"], true);
        check(Agreement::PageOf(2), &["a", "a"], &["a", "b", "c"], false);
        check(Agreement::PageOf(2), &["a", "z"], &["a", "b", "c"], false);
        check(Agreement::PageOf(9), &["a", "b"], &["a", "b"], true);
    }
}
