//! "Did you mean": names near another name.
//!
//! Knows how far apart two names are. Does not know which names are defined.

/// The most suggestions worth reading.
const SUGGESTIONS_MAX: usize = 3;

/// The greatest distance that still looks like a slip of the hand.
const DISTANCE_MAX: usize = 3;

/// The candidates nearest to a name, nearest first and then by name, at most three.
///
/// Near means: equal but for case, or no more than a third of the name's characters (at least
/// one, at most three) inserted, removed, replaced or swapped with their neighbour (the
/// Damerau–Levenshtein distance). The name itself is never suggested.
///
/// ```
/// use tessera_query_lang::suggest::nearest;
/// assert_eq!(nearest("gendre", ["gender", "age", "genre"]), ["gender", "genre"]);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let wanted_len = wanted.chars().count();
    let distance_max = (wanted_len / 3).clamp(1, DISTANCE_MAX);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| {
            let candidate_len = candidate.chars().count();
            // Cheap first: the distance is at least the difference in length.
            if candidate_len.abs_diff(wanted_len) > distance_max || candidate_len == 0 {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
            let shares_something = distance < wanted_len.max(candidate_len);
            (distance <= distance_max && shares_something).then_some((distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(SUGGESTIONS_MAX);
    near.into_iter()
        .map(|(_, candidate)| candidate.to_owned())
        .collect()
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
