//! The right answers, by one loop over the users for each question.
//!
//! Knows the data and the questions. Shares no code with any database.

use std::collections::BTreeMap;

use crate::generate::{GENDERS, User, user_key};

/// An answer in a form that any database's can be brought into: rows of texts.
pub type Rows = Vec<Vec<String>>;

/// The lower bounds of the age bands in Q9.
pub const AGE_BOUNDS: [u8; 6] = [13, 18, 25, 35, 45, 55];

/// Collects the answers to all questions while users pass by.
#[derive(Debug, Default)]
pub struct Oracle {
    q1: Vec<String>,
    q2: u64,
    q3: u64,
    q4: u64,
    q5: u64,
    q7: Vec<String>,
    q8: BTreeMap<&'static str, u64>,
    q9: BTreeMap<(String, String), u64>,
    q10: BTreeMap<u16, u64>,
    q11: BTreeMap<String, (u64, u64)>,
}

impl Oracle {
    /// Takes note of one user.
    pub fn see(&mut self, arrival: u32, user: &User) {
        let has = |tag: u16| user.tags.binary_search(&tag).is_ok();
        let gender = GENDERS[usize::from(user.gender)];
        let (vip, silent) = (has(7), has(1));
        if vip && !silent && gender == "f" {
            self.q1.push(user_key(arrival));
        }
        self.q2 += u64::from(has(0) && has(2));
        self.q3 += u64::from((100..150).any(has));
        self.q4 += u64::from((25..=34).contains(&user.age) && user.region == 3 && !silent);
        self.q5 += u64::from((0..5).filter(|&tag| has(tag)).count() >= 3);
        if has(20) && user.spend_90d > 1_000 {
            self.q7.push(user_key(arrival));
        }
        if vip && !silent {
            *self.q8.entry(gender).or_default() += 1;
        }
        if has(0) && !has(5) {
            *self
                .q9
                .entry((format!("r{}", user.region), age_band(user.age)))
                .or_default() += 1;
        }
        if vip && gender == "f" {
            for &tag in &user.tags {
                *self.q10.entry(tag).or_default() += 1;
            }
        }
        if has(2) && user.age >= 30 {
            let (count, sum) = self.q11.entry(format!("s{}", user.source)).or_default();
            *count += 1;
            *sum += u64::from(user.spend_90d);
        }
    }

    /// The answers by question, rows sorted where the question does not order them.
    pub fn answers(mut self) -> BTreeMap<&'static str, Rows> {
        let number = |n: u64| vec![vec![n.to_string()]];
        let mut answers = BTreeMap::new();
        answers.insert("Q1", number(self.q1.len() as u64));
        answers.insert("Q2", number(self.q2));
        answers.insert("Q3", number(self.q3));
        answers.insert("Q4", number(self.q4));
        answers.insert("Q5", number(self.q5));
        self.q7.sort_unstable();
        answers.insert("Q6", self.q1.into_iter().map(|key| vec![key]).collect());
        answers.insert("Q7", self.q7.into_iter().map(|key| vec![key]).collect());
        answers.insert(
            "Q8",
            self.q8
                .iter()
                .map(|(g, n)| vec![(*g).to_owned(), n.to_string()])
                .collect(),
        );
        answers.insert(
            "Q9",
            self.q9
                .iter()
                .map(|((r, a), n)| vec![r.clone(), a.clone(), n.to_string()])
                .collect(),
        );
        answers.insert("Q10", top_tags(&self.q10));
        answers.insert(
            "Q11",
            self.q11
                .iter()
                .map(|(s, &(n, sum))| source_row(s, n, sum))
                .collect(),
        );
        answers
    }
}

/// The name of the band an age falls into.
pub fn age_band(age: u8) -> String {
    let above = AGE_BOUNDS.partition_point(|&bound| bound <= age);
    match (AGE_BOUNDS.get(above.wrapping_sub(1)), AGE_BOUNDS.get(above)) {
        (Some(low), Some(high)) => format!("{low}..{}", high - 1),
        (Some(low), None) => format!(">={low}"),
        (None, _) => format!("<{}", AGE_BOUNDS[0]),
    }
}

fn top_tags(counts: &BTreeMap<u16, u64>) -> Rows {
    let mut tags: Vec<(u64, String)> = counts
        .iter()
        .map(|(tag, &n)| (n, format!("t{tag}")))
        .collect();
    tags.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    tags.truncate(20);
    tags.into_iter()
        .map(|(n, tag)| vec![tag, n.to_string()])
        .collect()
}

fn source_row(source: &str, count: u64, sum: u64) -> Vec<String> {
    vec![
        source.to_owned(),
        sum.to_string(),
        format!("{:.6}", sum as f64 / count as f64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_fall_into_bands() {
        let check = |age, expected: &str| assert_eq!(age_band(age), expected, "{age}");
        check(13, "13..17");
        check(17, "13..17");
        check(18, "18..24");
        check(54, "45..54");
        check(55, ">=55");
        check(90, ">=55");
    }

    #[test]
    fn ties_are_ordered_by_name() {
        let counts = BTreeMap::from([(2, 5), (10, 5), (3, 9)]);
        let names: Vec<String> = top_tags(&counts)
            .into_iter()
            .map(|row| row[0].clone())
            .collect();
        assert_eq!(names, ["t3", "t10", "t2"]);
    }
}
