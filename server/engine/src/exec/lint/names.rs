//! Names that look like one: written another way, or with a slip of the hand.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

/// Names that are compared: the work grows with their length.
pub(super) const NAMES_MAX: usize = 200_000;

/// A slip in a shorter word makes another word as often as not.
const WORD_CHARS_MIN: usize = 5;

/// Pairs of names, by their places, that are alike. The first stands before the second, and no
/// pair comes twice.
pub(super) fn alike(names: &[&str]) -> Vec<(usize, usize)> {
    let mut pairs = BTreeSet::new();
    let mut by_fold: BTreeMap<String, usize> = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        match by_fold.entry(folded(name)) {
            std::collections::btree_map::Entry::Occupied(first) => {
                pairs.insert((*first.get(), place));
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(place);
            }
        }
    }
    let words: Vec<Vec<String>> = names.iter().map(|name| words(name)).collect();
    for (left, right) in candidates(&words) {
        if is_a_slip(&words[left], &words[right]) {
            pairs.insert((left.min(right), left.max(right)));
        }
    }
    pairs.into_iter().collect()
}

fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | '/') || c.is_whitespace()
}

fn words(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    lower.split(is_separator).map(str::to_owned).collect()
}

/// A name without what people write now so and now otherwise: case, separators, the plural.
fn folded(name: &str) -> String {
    let singular = |word: String| -> String {
        let length = word.chars().count();
        if length > 4 && word.ends_with("ies") {
            return format!("{}y", &word[..word.len() - 3]);
        }
        if length > 3 && word.ends_with('s') && !word.ends_with("ss") {
            return word[..word.len() - 1].to_owned();
        }
        word
    };
    words(name).into_iter().map(singular).collect()
}

/// Pairs of names that are equal when each lacks one character, or one of them does: among them
/// are all that are one slip apart.
fn candidates(names: &[Vec<String>]) -> BTreeSet<(usize, usize)> {
    let mut variants: Vec<(u64, usize)> = Vec::new();
    for (place, words) in names.iter().enumerate() {
        let text = words.join(" ");
        variants.push((xxh3_64(text.as_bytes()), place));
        let mut shorter = String::with_capacity(text.len());
        for (at, left_out) in text.char_indices() {
            shorter.clear();
            shorter.push_str(&text[..at]);
            shorter.push_str(&text[at + left_out.len_utf8()..]);
            variants.push((xxh3_64(shorter.as_bytes()), place));
        }
    }
    variants.sort_unstable();
    variants.dedup();
    let mut pairs = BTreeSet::new();
    for same in variants.chunk_by(|(left, _), (right, _)| left == right) {
        // Where many meet, each is told beside the first.
        if let Some(((_, first), rest)) = same.split_first() {
            pairs.extend(rest.iter().map(|(_, place)| (*first, *place)));
        }
        let next = same.windows(2).filter_map(|two| match two {
            [(_, left), (_, right)] => Some((*left, *right)),
            _ => None,
        });
        pairs.extend(next);
    }
    pairs
}

/// Whether all words are the same but for a slip in a long one.
fn is_a_slip(left: &[String], right: &[String]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut differing = left.iter().zip(right).filter(|(left, right)| left != right);
    match (differing.next(), differing.next()) {
        (Some((left, right)), None) => is_one_apart(left, right),
        (Some(_), Some(_)) | (None, _) => false,
    }
}

/// Whether one character of a word is another, is missing, or has changed places with its
/// neighbour, digits apart: `week1` and `week2` are two things.
fn is_one_apart(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().min(right.len()) < WORD_CHARS_MIN {
        return false;
    }
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[same..], &right[same..]);
    let is_digit = |chars: &[char]| chars.first().is_some_and(char::is_ascii_digit);
    if is_digit(left) || is_digit(right) {
        return false;
    }
    match (left, right) {
        ([_, left @ ..], [_, right @ ..]) if left == right => true,
        ([a, b, left @ ..], [c, d, right @ ..]) if (a, b) == (d, c) && left == right => true,
        ([_, left @ ..], right) | (right, [_, left @ ..]) if left == right => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_that_people_mix_up() {
        let check = |left: &str, right: &str, expected: bool| {
            assert_eq!(alike(&[left, right]).len() == 1, expected, "{left} {right}");
            assert_eq!(alike(&[right, left]).len() == 1, expected, "{right} {left}");
        };
        check("high-value", "high_value", true);
        check("High Value", "highvalue", true);
        check("customer", "customers", true);
        check("category", "categories", true);
        check("churned", "chruned", true);
        check("churned", "chunned", true);
        check("churned", "churne", true);
        check("promo-spring", "promo-sprnig", true);
        check("promo-a", "promo-b", false);
        check("week1", "week2", false);
        check("promo-2025", "promo-2026", false);
        check("gold", "bold", false);
        check("boss", "bos", false);
        check("silent", "active", false);
        check("高价值客户", "高价值客群", true);
    }

    #[test]
    fn a_pair_is_told_once() {
        assert_eq!(alike(&["a-b", "a_b", "ab"]), [(0, 1), (0, 2)]);
        assert!(alike(&[]).is_empty());
    }
}
