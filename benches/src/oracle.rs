//! The right answers, by one loop over the users for each question.
//!
//! Knows the data and the questions. Shares no code with any database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::generate::{GENDERS, Recipe, User};

/// Rows of texts: a form that any database's answer can be brought into.
pub type Rows = Vec<Vec<String>>;

/// An answer: rows, or users by their arrival numbers, of whom there can be millions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solution {
    /// Rows of texts.
    Rows(Rows),
    /// Users.
    Users(Vec<u32>),
}

impl Solution {
    /// How many rows or users.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Users(users) => users.len(),
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The right answers by question.
pub type Solutions = BTreeMap<String, Solution>;

/// The lower bounds of the age bands in Q9.
pub const AGE_BOUNDS: [u8; 6] = [13, 18, 25, 35, 45, 55];

/// Collects the answers to all questions while users pass by.
#[derive(Debug)]
pub struct Oracle {
    portrayed: Vec<u32>,
    q1: Vec<u32>,
    q2: u64,
    q3: u64,
    q4: u64,
    q5: u64,
    q7: Vec<u32>,
    q8: BTreeMap<&'static str, u64>,
    q9: BTreeMap<(u8, usize), u64>,
    q10: BTreeMap<u16, u64>,
    q11: BTreeMap<u8, (u64, u64)>,
    q12: Rows,
}

impl Oracle {
    /// Who has seen nobody yet.
    pub fn new(recipe: &Recipe) -> Self {
        Self {
            portrayed: recipe.portrayed(),
            q1: Vec::new(),
            q2: 0,
            q3: 0,
            q4: 0,
            q5: 0,
            q7: Vec::new(),
            q8: BTreeMap::new(),
            q9: BTreeMap::new(),
            q10: BTreeMap::new(),
            q11: BTreeMap::new(),
            q12: Vec::new(),
        }
    }

    /// Takes note of one user. Users come in the order of arrival.
    pub fn see(&mut self, arrival: u32, user: &User) {
        let has = |tag: u16| user.tags.binary_search(&tag).is_ok();
        let gender = GENDERS[usize::from(user.gender)];
        let (vip, silent) = (has(7), has(1));
        if vip && !silent && gender == "f" {
            self.q1.push(arrival);
        }
        self.q2 += u64::from(has(0) && has(2));
        self.q3 += u64::from(user.tags.iter().any(|tag| (100..150).contains(tag)));
        self.q4 += u64::from((25..=34).contains(&user.age) && user.region == 3 && !silent);
        self.q5 += u64::from(user.tags.iter().filter(|tag| **tag <= 4).count() >= 3);
        if has(20) && user.spend_90d > 1_000 {
            self.q7.push(arrival);
        }
        if vip && !silent {
            *self.q8.entry(gender).or_default() += 1;
        }
        if has(0) && !has(5) {
            let band = AGE_BOUNDS.partition_point(|&bound| bound <= user.age);
            *self.q9.entry((user.region, band)).or_default() += 1;
        }
        if vip && gender == "f" {
            for &tag in &user.tags {
                *self.q10.entry(tag).or_default() += 1;
            }
        }
        if has(2) && user.age >= 30 {
            let (count, sum) = self.q11.entry(user.source).or_default();
            *count += 1;
            *sum += u64::from(user.spend_90d);
        }
        if self.portrayed.binary_search(&arrival).is_ok() {
            self.q12.extend(portrait(arrival, user));
        }
    }

    /// The answers by question, in any order where the question does not order them.
    pub fn solutions(self) -> Solutions {
        let number = |n: u64| Solution::Rows(vec![vec![n.to_string()]]);
        let q8 = self.q8.iter();
        let q8 = q8.map(|(gender, n)| vec![(*gender).to_owned(), n.to_string()]);
        let q9 = self.q9.iter();
        let q9 = q9.map(|((r, band), n)| vec![format!("r{r}"), band_name(*band), n.to_string()]);
        let q11 = self.q11.iter().map(|(s, &(n, sum))| source_row(*s, n, sum));
        [
            ("Q1", number(self.q1.len() as u64)),
            ("Q2", number(self.q2)),
            ("Q3", number(self.q3)),
            ("Q4", number(self.q4)),
            ("Q5", number(self.q5)),
            ("Q8", Solution::Rows(q8.collect())),
            ("Q9", Solution::Rows(q9.collect())),
            ("Q10", Solution::Rows(top_tags(&self.q10))),
            ("Q11", Solution::Rows(q11.collect())),
            ("Q6", Solution::Users(self.q1)),
            ("Q7", Solution::Users(self.q7)),
            ("Q12", Solution::Rows(self.q12)),
        ]
        .into_iter()
        .map(|(id, solution)| (id.to_owned(), solution))
        .collect()
    }
}

/// The name of the band above so many of the bounds.
fn band_name(above: usize) -> String {
    match (AGE_BOUNDS.get(above.wrapping_sub(1)), AGE_BOUNDS.get(above)) {
        (Some(low), Some(high)) => format!("{low}..{}", high - 1),
        (Some(low), None) => format!(">={low}"),
        (None, _) => format!("<{}", AGE_BOUNDS[0]),
    }
}

/// All that is known of a user, as rows of arrival number, name and value; a tag has no value.
fn portrait(arrival: u32, user: &User) -> Rows {
    let attributes = [
        ("gender", GENDERS[usize::from(user.gender)].to_owned()),
        ("age", user.age.to_string()),
        ("region", format!("r{}", user.region)),
        ("industry", format!("i{}", user.industry)),
        ("source", format!("s{}", user.source)),
        ("device", format!("d{}", user.device)),
        ("signup_day", user.signup_day.to_string()),
        ("last_seen_day", user.last_seen_day.to_string()),
        ("spend_90d", user.spend_90d.to_string()),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
    let tags = user
        .tags
        .iter()
        .map(|tag| (format!("t{tag}"), String::new()));
    attributes
        .into_iter()
        .chain(tags)
        .map(|(name, value)| vec![arrival.to_string(), name, value])
        .collect()
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

fn source_row(source: u8, count: u64, sum: u64) -> Vec<String> {
    vec![
        format!("s{source}"),
        sum.to_string(),
        format!("{:.6}", sum as f64 / count as f64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_fall_into_bands() {
        let check = |age, expected: &str| {
            let above = AGE_BOUNDS.partition_point(|&bound| bound <= age);
            assert_eq!(band_name(above), expected, "{age}");
        };
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

    #[test]
    fn one_user_is_in_every_answer() {
        let user = User {
            gender: 0,
            age: 30,
            region: 3,
            industry: 0,
            source: 4,
            device: 0,
            signup_day: 0,
            last_seen_day: 0,
            spend_90d: 1_001,
            tags: vec![0, 2, 4, 7, 20, 120],
        };
        let mut oracle = Oracle::new(&Recipe { users: 1, seed: 0 });
        oracle.see(0, &user);
        for (id, solution) in oracle.solutions() {
            match solution {
                Solution::Users(users) => assert_eq!(users, [0], "{id}"),
                Solution::Rows(rows) => {
                    assert!(!rows.is_empty(), "{id}");
                    assert!(rows.iter().flatten().all(|text| text != "0" || id == "Q12"));
                }
            }
        }
    }
}
