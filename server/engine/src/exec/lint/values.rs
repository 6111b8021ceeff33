//! Numbers tagged one by one, as `age_25` and `age_26`, which are values of an attribute.

use std::collections::BTreeMap;

/// With fewer it may be chance.
const VALUES_MIN: usize = 3;

/// Tags that differ by a number only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numbered<'n> {
    /// The one with the least number.
    pub(super) first: &'n str,
    /// What the names have in common, with `*` for the number.
    pub(super) pattern: String,
    /// A name for the attribute.
    pub(super) attribute: String,
    /// How many there are.
    pub(super) count: usize,
}

/// Finds them among names.
pub(super) fn numbered<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Numbered<'n>> {
    let mut stems: BTreeMap<(&str, &str), Vec<(u64, &str)>> = BTreeMap::new();
    for name in names {
        if let Some((before, number, after)) = split(name) {
            stems
                .entry((before, after))
                .or_default()
                .push((number, name));
        }
    }
    let several = stems
        .into_iter()
        .filter(|(_, found)| found.len() >= VALUES_MIN);
    several
        .filter_map(|((before, after), found)| {
            let (_, first) = found.iter().min()?;
            Some(Numbered {
                first,
                pattern: format!("{before}*{after}"),
                attribute: attribute_of(before),
                count: found.len(),
            })
        })
        .collect()
}

/// A name before, in and after its last number. Years are rather periods than values.
fn split(name: &str) -> Option<(&str, u64, &str)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .and_then(|last| Some(last + name[last..].chars().next()?.len_utf8()))
        .unwrap_or(0);
    let number: u64 = name[start..end].parse().ok()?;
    let before = &name[..start];
    let is_year = (1900..2100).contains(&number);
    (before.chars().any(char::is_alphabetic) && !is_year).then_some((before, number, &name[end..]))
}

fn attribute_of(before: &str) -> String {
    let separators: &[char] = &['-', '_', '.', '/', ' ', ':', '='];
    before.trim_end_matches(separators).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_values() {
        let check = |names: &[&str], expected: &[(&str, &str, &str, usize)]| {
            let found = numbered(names.iter().copied());
            let found: Vec<_> = found
                .iter()
                .map(|it| {
                    (
                        it.first,
                        it.pattern.as_str(),
                        it.attribute.as_str(),
                        it.count,
                    )
                })
                .collect();
            assert_eq!(found, expected, "{names:?}");
        };
        check(
            &["age_26", "age_25", "age_9"],
            &[("age_9", "age_*", "age", 3)],
        );
        check(&["age_25", "age_26"], &[]);
        check(
            &["top10pct", "top20pct", "top5pct"],
            &[("top5pct", "top*pct", "top", 3)],
        );
        check(&["promo-2024", "promo-2025", "promo-2026"], &[]);
        check(&["1", "2", "3"], &[]);
        check(&["é1", "é2", "é3"], &[("é1", "é*", "é", 3)]);
        check(&["a99999999999999999999999", "a1", "a2"], &[]);
    }
}
