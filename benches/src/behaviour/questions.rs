//! The questions in Tessera's language.
//!
//! Knows statements. Does not know how they are sent.

use crate::{
    generate::user_key,
    questions::{Agreement, Question},
};

/// The definitions that the events need, in the order in which they are made.
pub const DEFINITIONS: [&str; 4] = [
    "DEFINE EVENT login",
    "DEFINE EVENT view",
    "DEFINE EVENT cart",
    "DEFINE EVENT purchase (amount DECIMAL(2), category ENUM, channel ENUM)",
];

/// Conditions whose users are counted, with the questions' numbers.
const COUNTS: [(&str, &str); 8] = [
    ("B1", "NOT did:login[14d]"),
    ("B2", "did:purchase[30d]"),
    ("B3", "count(purchase, 30d) >= 3"),
    ("B4", "sum(purchase.amount, 90d) > 1000"),
    ("B5", "days(login, 7d) >= 5"),
    ("B6", "last(purchase) < now-60d"),
    ("B7", "count(purchase[category:shoes], 90d) >= 2"),
    ("B8", "sequence(view -> cart -> purchase, within 1d, 30d)"),
];

/// The questions; the portraits of B10 are these users'.
pub fn questions(portrayed: &[u32]) -> Vec<Question> {
    let count = |(id, condition): (&'static str, &'static str)| Question {
        id,
        words: condition,
        statements: vec![format!("COUNT {condition}")],
        agreement: Agreement::Ordered,
    };
    let mut questions: Vec<Question> = COUNTS.into_iter().map(count).collect();
    let by_day = "DIMENSION purchase BY day, 30d MEASURE count, users, sum(purchase.amount)";
    questions.push(Question {
        id: "B9",
        words: by_day,
        statements: vec![by_day.to_owned()],
        agreement: Agreement::Unordered,
    });
    questions.push(Question {
        id: "B10",
        words: "portrait of one active user, with events",
        statements: portrayed
            .iter()
            .map(|&user| format!("PORTRAIT \"{}\"", user_key(user)))
            .collect(),
        agreement: Agreement::Unordered,
    });
    questions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_its_number() {
        let ids: Vec<&str> = questions(&[1]).iter().map(|q| q.id).collect();
        let expected: Vec<String> = (1..=10).map(|n| format!("B{n}")).collect();
        assert_eq!(ids, expected);
    }
}
