//! The questions in Tessera's language, and how an answer is compared with the oracle's.
//!
//! Knows statements and texts. Does not know how they are sent.

use std::{collections::BTreeSet, fmt::Debug};

use crate::{generate::user_key, oracle::Solution};

/// How an answer must agree with the oracle's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// The same rows in the same order.
    Ordered,
    /// The same rows or users in any order.
    Unordered,
    /// So many distinct users, all among the oracle's.
    PageOf(usize),
}

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Q1 to Q12.
    pub id: &'static str,
    /// In words.
    pub words: &'static str,
    /// In the language: asked one after the other, the answer is all of theirs.
    pub statements: Vec<String>,
    /// How its answer is checked.
    pub agreement: Agreement,
}

const Q1: &str = "tag:t7 AND NOT tag:t1 AND gender:f";

/// Page of Q6.
const PAGE_USERS: usize = 1_000;

/// The questions; the portraits of Q12 are these users'.
pub fn questions(portrayed: &[u32]) -> Vec<Question> {
    let mut questions = counts();
    questions.extend(lists());
    questions.extend(dimensions());
    questions.push(Question {
        id: "Q12",
        words: "portrait of one random user",
        statements: portrayed
            .iter()
            .map(|&arrival| format!("PORTRAIT \"{}\"", user_key(arrival)))
            .collect(),
        agreement: Agreement::Unordered,
    });
    questions
}

fn question(
    id: &'static str,
    words: &'static str,
    statement: impl Into<String>,
    agreement: Agreement,
) -> Question {
    Question {
        id,
        words,
        statements: vec![statement.into()],
        agreement,
    }
}

fn counts() -> Vec<Question> {
    let q3: Vec<String> = (100..150).map(|tag| format!("tag:t{tag}")).collect();
    let count = |id, words, who: &str| {
        let statement = format!("COUNT {who}");
        question(id, words, statement, Agreement::Ordered)
    };
    vec![
        count("Q1", "count vip AND NOT silent AND gender:f", Q1),
        count("Q2", "count t0 AND t2", "tag:t0 AND tag:t2"),
        count("Q3", "count t100 OR … OR t149", &q3.join(" OR ")),
        count(
            "Q4",
            "count age 25..34 AND region:r3 AND NOT silent",
            "age:25..34 AND region:r3 AND NOT tag:t1",
        ),
        count(
            "Q5",
            "count at least 3 of t0..t4",
            "AT LEAST 3 OF (tag:t0, tag:t1, tag:t2, tag:t3, tag:t4)",
        ),
    ]
}

fn lists() -> Vec<Question> {
    vec![
        question(
            "Q6",
            "first page of 1,000 users of Q1",
            format!("SEGMENT {Q1} LIMIT {PAGE_USERS}"),
            Agreement::PageOf(PAGE_USERS),
        ),
        question(
            "Q7",
            "every user of t20 AND spend_90d > 1000",
            "SEGMENT tag:t20 AND spend_90d > 1000",
            Agreement::Unordered,
        ),
    ]
}

fn dimensions() -> Vec<Question> {
    vec![
        question(
            "Q8",
            "dimension gender, within vip AND NOT silent",
            "DIMENSION gender MEASURE count WHERE tag:t7 AND NOT tag:t1",
            Agreement::Unordered,
        ),
        question(
            "Q9",
            "dimension region × age band, within t0 AND NOT t5",
            "DIMENSION region, age[13,18,25,35,45,55] MEASURE count WHERE tag:t0 AND NOT tag:t5",
            Agreement::Unordered,
        ),
        question(
            "Q10",
            "top 20 of all 1,000 tags, within vip AND gender:f",
            "DIMENSION tag MEASURE count TOP 20 WHERE tag:t7 AND gender:f",
            Agreement::Ordered,
        ),
        question(
            "Q11",
            "sum and average of spend_90d by source, within t2 AND age >= 30",
            "DIMENSION source MEASURE sum(spend_90d), avg(spend_90d) WHERE tag:t2 AND age >= 30",
            Agreement::Unordered,
        ),
    ]
}

/// Compares an answer with the oracle's.
///
/// # Errors
/// Says where the two part.
pub fn compare(agreement: Agreement, answer: &Solution, expected: &Solution) -> Result<(), String> {
    match (answer, expected) {
        (Solution::Rows(answer), Solution::Rows(expected)) => match agreement {
            Agreement::Ordered => first_difference(answer, expected),
            Agreement::Unordered => first_difference(&sorted(answer), &sorted(expected)),
            Agreement::PageOf(_) => Err("rows instead of a page of users".into()),
        },
        (Solution::Users(answer), Solution::Users(expected)) => match agreement {
            Agreement::Ordered => first_difference(answer, expected),
            Agreement::Unordered => first_difference(&sorted(answer), &sorted(expected)),
            Agreement::PageOf(length) => page_difference(length, answer, expected),
        },
        (Solution::Rows(_), Solution::Users(_)) => Err("rows instead of users".into()),
        (Solution::Users(_), Solution::Rows(_)) => Err("users instead of rows".into()),
    }
}

fn sorted<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items
}

/// Whether a page has its due length, nobody twice, and only users of the whole list, which is
/// in order.
fn page_difference(length: usize, page: &[u32], whole: &[u32]) -> Result<(), String> {
    let distinct: BTreeSet<u32> = page.iter().copied().collect();
    let due = length.min(whole.len());
    if page.len() != due || distinct.len() != due {
        return Err(format!(
            "{} users, {} of them distinct, instead of {due}",
            page.len(),
            distinct.len()
        ));
    }
    distinct
        .iter()
        .find(|user| whole.binary_search(user).is_err())
        .map_or(Ok(()), |user| Err(format!("user {user} does not belong")))
}

fn first_difference<T: PartialEq + Debug>(answer: &[T], expected: &[T]) -> Result<(), String> {
    if let Some(at) = answer.iter().zip(expected).position(|(a, b)| a != b) {
        return Err(format!(
            "at {at} is {:?} instead of {:?}",
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
    use crate::oracle::Rows;

    fn rows(texts: &[&str]) -> Solution {
        let rows: Rows = texts.iter().map(|text| vec![(*text).to_owned()]).collect();
        Solution::Rows(rows)
    }

    #[test]
    fn differences_between_rows_are_found() {
        let check = |agreement, answer: &[&str], expected: &[&str], agrees: bool| {
            let verdict = compare(agreement, &rows(answer), &rows(expected));
            assert_eq!(verdict.is_ok(), agrees, "{answer:?}");
        };
        check(Agreement::Ordered, &["a", "b"], &["a", "b"], true);
        check(Agreement::Ordered, &["b", "a"], &["a", "b"], false);
        check(Agreement::Ordered, &["a"], &["a", "b"], false);
        check(Agreement::Unordered, &["b", "a"], &["a", "b"], true);
        check(Agreement::Unordered, &["b", "b"], &["a", "b"], false);
        check(Agreement::PageOf(1), &["a"], &["a"], false);
    }

    #[test]
    fn differences_between_users_are_found() {
        let check = |agreement, answer: &[u32], expected: &[u32], agrees: bool| {
            let (answer, expected) = (
                Solution::Users(answer.to_vec()),
                Solution::Users(expected.to_vec()),
            );
            let verdict = compare(agreement, &answer, &expected);
            assert_eq!(verdict.is_ok(), agrees, "{answer:?}");
        };
        check(Agreement::Unordered, &[2, 1], &[1, 2], true);
        check(Agreement::Unordered, &[2, 2], &[1, 2], false);
        check(Agreement::Unordered, &[1, 2, 3], &[1, 2], false);
        check(Agreement::PageOf(2), &[3, 1], &[1, 2, 3], true);
        check(Agreement::PageOf(2), &[1, 1], &[1, 2, 3], false);
        check(Agreement::PageOf(2), &[1, 9], &[1, 2, 3], false);
        check(Agreement::PageOf(9), &[1, 2], &[1, 2], true);
        check(Agreement::PageOf(2), &[1], &[1, 2, 3], false);
    }

    #[test]
    fn users_are_not_rows() {
        let users = Solution::Users(vec![1]);
        assert!(compare(Agreement::Unordered, &users, &rows(&["1"])).is_err());
        assert!(compare(Agreement::Unordered, &rows(&["1"]), &users).is_err());
    }

    #[test]
    fn every_question_has_its_number() {
        let ids: Vec<&str> = questions(&[1]).iter().map(|q| q.id).collect();
        let expected: Vec<String> = (1..=12).map(|n| format!("Q{n}")).collect();
        assert_eq!(ids, expected);
    }
}
