//! Rules, and what is said by hand against them, beside a model that works them out one by one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A condition on plain tags `p0` to `p3` and on the rules before.
#[derive(Debug, Clone)]
enum Rule {
    Plain(usize),
    Ruled(usize),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    AtLeast(u32, Vec<Rule>),
}

impl Rule {
    fn text(&self, before: usize) -> String {
        let each = |of: &[Rule], between: &str| {
            let texts: Vec<String> = of.iter().map(|rule| rule.text(before)).collect();
            texts.join(between)
        };
        match self {
            Self::Plain(tag) => format!("tag:p{tag}"),
            Self::Ruled(_) if before == 0 => "ALL".to_owned(),
            Self::Ruled(tag) => format!("tag:r{}", tag % before),
            Self::Not(inner) => format!("NOT {}", inner.text(before)),
            Self::All(of) => format!("({})", each(of, " AND ")),
            Self::Any(of) => format!("({})", each(of, " OR ")),
            Self::AtLeast(threshold, of) => {
                let threshold = (*threshold).clamp(1, of.len() as u32);
                format!("AT LEAST {threshold} OF ({})", each(of, ", "))
            }
        }
    }

    fn holds(&self, before: usize, user: &Said, rules: &[Rule]) -> bool {
        let count = |of: &[Rule]| {
            of.iter()
                .filter(|rule| rule.holds(before, user, rules))
                .count()
        };
        match self {
            Self::Plain(tag) => user.given.contains(&format!("p{tag}")),
            Self::Ruled(_) if before == 0 => true,
            Self::Ruled(tag) => user.holds(tag % before, rules),
            Self::Not(inner) => !inner.holds(before, user, rules),
            Self::All(of) => count(of) == of.len(),
            Self::Any(of) => count(of) > 0,
            Self::AtLeast(threshold, of) => {
                let threshold = (*threshold).clamp(1, of.len() as u32);
                count(of) >= threshold as usize
            }
        }
    }
}

/// What was said of a user by hand.
#[derive(Debug, Clone, Default)]
struct Said {
    given: BTreeSet<String>,
    taken: BTreeSet<String>,
}

impl Said {
    fn holds(&self, rule: usize, rules: &[Rule]) -> bool {
        let name = format!("r{rule}");
        self.given.contains(&name)
            || !self.taken.contains(&name) && rules[rule].holds(rule, self, rules)
    }

    /// In which of the layers of the conditions.
    fn layer(&self, conditions: &[usize], rules: &[Rule]) -> Option<usize> {
        let given = (0..conditions.len()).find(|layer| self.given.contains(&format!("l{layer}")));
        given.or_else(|| {
            let mut fits = conditions.iter().map(|rule| self.holds(*rule, rules));
            let layer = fits.position(|fits| fits)?;
            (!self.taken.contains(&format!("l{layer}"))).then_some(layer)
        })
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        (0..4_usize).prop_map(Rule::Plain),
        (0..9_usize).prop_map(Rule::Ruled)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Rule::Not(Box::new(inner))),
            some().prop_map(Rule::All),
            some().prop_map(Rule::Any),
            (1..4_u32, some()).prop_map(|(threshold, of)| Rule::AtLeast(threshold, of)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Who holds what is what rules and hands say, however it is asked.
    #[test]
    fn rules_and_hands_decide_together(
        rules in prop::collection::vec(rule(), 1..5),
        said in prop::collection::vec((0..3_u8, 0..6_usize, prop::sample::select(vec![
            "p0", "p1", "p2", "p3", "r0", "r1", "r2", "r3", "l0", "l1",
        ])), 0..40),
    ) {
        let fixture = fixture(&["DEFINE TAG p0", "DEFINE TAG p1", "DEFINE TAG p2", "DEFINE TAG p3"]);
        for (number, rule) in rules.iter().enumerate() {
            run(&fixture, &format!("DEFINE TAG r{number} AS {}", rule.text(number)));
        }
        let conditions = [rules.len() - 1, 0];
        run(&fixture, &format!(
            "DEFINE GROUP layers AS l0: tag:r{}, l1: tag:r{}", conditions[0], conditions[1]
        ));
        let mut users: BTreeMap<String, Said> = BTreeMap::new();
        for number in 0..6 {
            let key = format!("u{number}");
            fixture.write(vec![ensure(&key)]).unwrap();
            users.insert(key, Said::default());
        }
        for (what, user, tag) in said {
            let number: usize = tag[1..].parse().unwrap();
            if tag.starts_with('r') && number >= rules.len() {
                continue;
            }
            let key = format!("u{user}");
            let user = users.get_mut(&key).unwrap();
            let is_plain = tag.starts_with('p');
            match what {
                0 => {
                    run(&fixture, &format!("TAG {key} WITH {tag}"));
                    if tag.starts_with('l') {
                        user.given.retain(|tag| !tag.starts_with('l'));
                    }
                    user.taken.remove(tag);
                    user.given.insert(tag.to_owned());
                }
                1 => {
                    run(&fixture, &format!("UNTAG {key} WITH {tag}"));
                    user.given.remove(tag);
                    if !is_plain {
                        user.taken.insert(tag.to_owned());
                    }
                }
                _ if is_plain => {}
                _ => {
                    run(&fixture, &format!("CLEAR TAG {key} WITH {tag}"));
                    user.given.remove(tag);
                    user.taken.remove(tag);
                }
            }
        }
        let returned = returned(&fixture);
        let names: Vec<String> = (0..rules.len()).map(|rule| format!("r{rule}")).collect();
        for (number, name) in names.iter().enumerate() {
            let expected: Vec<String> = users
                .iter()
                .filter(|(_, user)| user.holds(number, &rules))
                .map(|(key, _)| key.clone())
                .collect();
            prop_assert_eq!(&found(&fixture, &format!("tag:{name}")), &expected, "{}", name);
            for (key, tags) in &returned {
                prop_assert_eq!(tags.contains(name), expected.contains(key), "{} {}", key, name);
            }
        }
        for layer in 0..2 {
            let expected: Vec<String> = users
                .iter()
                .filter(|(_, user)| user.layer(&conditions, &rules) == Some(layer))
                .map(|(key, _)| key.clone())
                .collect();
            prop_assert_eq!(found(&fixture, &format!("tag:l{layer}")), expected, "l{}", layer);
        }
        let missing: Vec<String> = users
            .iter()
            .filter(|(_, user)| user.layer(&conditions, &rules).is_none())
            .map(|(key, _)| key.clone())
            .collect();
        prop_assert_eq!(found(&fixture, "group:layers IS MISSING"), missing);
        fixture.check_consistent();
    }
}
