//! "Did you mean": names near another name.
//!
//! Knows how far apart two names are. Does not know which names are defined.

/// The most suggestions worth reading.
const SUGGESTIONS_MAX: usize = 3;

/// The greatest distance that still looks like a slip of the hand.
const DISTANCE_MAX: usize = 3;

/// The longest name, in characters, that is compared in full: the work grows with the square.
const COMPARED_CHARS_MAX: usize = 64;

/// The candidates nearest to a name, nearest first and then by name, at most three.
///
/// Near means: equal but for case, or no more than a third of the name's characters (at least
/// one, at most three) inserted, removed, replaced or swapped with their neighbour (the
/// Damerau–Levenshtein distance). The name itself is never suggested, and nothing is for a
/// name of more than 64 characters.
///
/// ```
/// use tessera_query_lang::suggest::nearest;
/// assert_eq!(nearest("gendre", ["gender", "age", "genre"]), ["gender", "genre"]);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = Wanted::new(name);
    if wanted.chars_count > COMPARED_CHARS_MAX {
        return Vec::new();
    }
    let candidates = candidates
        .into_iter()
        .filter(|candidate| *candidate != name);
    let mut near: Vec<(usize, &str)> = candidates
        .filter_map(|candidate| Some((wanted.distance(candidate)?, candidate)))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(SUGGESTIONS_MAX);
    near.into_iter()
        .map(|(_, candidate)| candidate.to_owned())
        .collect()
}

/// A name that candidates are compared with.
struct Wanted {
    lower: String,
    chars_count: usize,
    letters: u64,
    distance_max: usize,
}

impl Wanted {
    fn new(name: &str) -> Self {
        let lower = name.to_lowercase();
        let chars_count = lower.chars().count();
        let letters = letters(&lower);
        Self {
            lower,
            chars_count,
            letters,
            distance_max: (chars_count / 3).clamp(1, DISTANCE_MAX),
        }
    }

    /// How far away the candidate is, if it is near and has something in common.
    fn distance(&self, candidate: &str) -> Option<usize> {
        let candidate_count = candidate.chars().count();
        // A database may have a million tags, so what is cheap comes first. The distance is at
        // least the difference in length, and at least the letters one of the two lacks.
        if candidate_count.abs_diff(self.chars_count) > self.distance_max {
            return None;
        }
        let candidate_letters = letters(candidate);
        let missing = (self.letters & !candidate_letters).count_ones();
        let added = (candidate_letters & !self.letters).count_ones();
        if missing.max(added) as usize > self.distance_max {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&self.lower, &candidate.to_lowercase());
        let shares_something = distance < self.chars_count.max(candidate_count);
        (distance <= self.distance_max && shares_something).then_some(distance)
    }
}

/// Which letters a text has, in lower case, as far as 64 bits can tell them apart.
fn letters(text: &str) -> u64 {
    text.chars()
        .flat_map(char::to_lowercase)
        .fold(0, |letters, char| {
            letters | 1 << (u32::from(char) % u64::BITS)
        })
}

/// `did you mean a?`, `did you mean a, b or c?`, or nothing.
pub fn did_you_mean(names: &[String]) -> Option<String> {
    let (last, others) = names.split_last()?;
    if others.is_empty() {
        return Some(format!("did you mean {last}?"));
    }
    Some(format!("did you mean {} or {last}?", others.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_nearest_first() {
        let check = |name: &str, candidates: &[&str], expected: &[&str]| {
            assert_eq!(
                nearest(name, candidates.iter().copied()),
                expected,
                "{name}"
            );
        };
        check("SEGEMENT", &["SEGMENT", "COUNT"], &["SEGMENT"]);
        check("vpi", &["vip", "gold"], &["vip"]);
        check("VIP", &["vip", "vips"], &["vip", "vips"]);
        check("vip", &["vip"], &[]);
        check("a", &["b", "ab"], &["ab"]);
        check("t1", &["t2", "t3", "t4", "t5"], &["t2", "t3", "t4"]);
        check("gender", &["age", "city"], &[]);
        check("", &["x"], &[]);
        check("高价直", &["高价值"], &["高价值"]);
        check("x", &[], &[]);
        check("aab", &["aba", "bbb"], &["aba"]);
        check(
            &"x".repeat(64),
            &["x".repeat(63).as_str()],
            &["x".repeat(63).as_str()],
        );
        check(&"x".repeat(65), &["x".repeat(64).as_str()], &[]);
    }

    #[test]
    fn suggestions_read_as_a_question() {
        let check = |names: &[&str], expected: Option<&str>| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            assert_eq!(did_you_mean(&names).as_deref(), expected);
        };
        check(&[], None);
        check(&["a"], Some("did you mean a?"));
        check(&["a", "b"], Some("did you mean a or b?"));
        check(&["a", "b", "c"], Some("did you mean a, b or c?"));
    }
}
