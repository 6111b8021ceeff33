//! How the holdings of a record are written; `record_format` says where.

use crate::{
    bitmap::varint,
    ids::TagId,
    storage::{
        UserRecord,
        holding::{Holding, Source, Term},
        keys::FormatError,
        record::{Common, Terms},
        record_format::{Gaps, read_count, read_number},
    },
};

const SOURCE_BITS: u64 = 3;
const HAS_SINCE: u64 = 1 << 2;
/// Of what is common: some are unlike.
const HAS_OTHERS: u64 = 1 << 3;
/// Of what is common: tags were taken by hand.
const HAS_BLOCKED: u64 = 1 << 4;
/// Of one that is unlike: it has rows.
const IS_TIMED: u64 = 1 << 3;
const HAS_UNTIL: u64 = 1 << 4;

/// A second that no calendar reaches, in either direction.
const SECONDS_MAX: i64 = 400_000_000_000;

/// Whether some holdings are unlike the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    None,
    Some,
}

/// Whether nothing is said about any of some tags, nor about any that was taken.
pub(super) fn is_plain(tags: &[TagId], terms: &Terms) -> bool {
    let is_alike = || terms.special.is_empty() && terms.common == Common::default();
    terms.blocked.is_empty() && (tags.is_empty() || is_alike())
}

/// The terms of a record, with as much in common as there is.
pub(super) fn settled(record: &UserRecord) -> Terms {
    let terms = &record.terms;
    let mut unlike: Vec<Common> = terms
        .special
        .iter()
        .filter_map(|(_, holding)| Common::of(*holding))
        .collect();
    unlike.sort_unstable();
    let runs = unlike.chunk_by(PartialEq::eq);
    let most = runs.max_by_key(|run| run.len());
    let alike = record.tags.len().saturating_sub(terms.special.len());
    let Some((common, _)) = most
        .filter(|most| most.len() > alike)
        .and_then(|most| most.split_first())
    else {
        return terms.clone();
    };
    let special = record
        .holdings()
        .filter(|(_, holding)| *holding != common.holding());
    Terms {
        common: *common,
        special: special.collect(),
        blocked: terms.blocked.clone(),
    }
}

pub(super) fn write_common(terms: &Terms, out: &mut Vec<u8>) -> Result<(), FormatError> {
    let others = if terms.special.is_empty() {
        0
    } else {
        HAS_OTHERS
    };
    let since = terms.common.since_s.map_or(0, |_| HAS_SINCE);
    let blocked = match terms.blocked.is_empty() {
        true => 0,
        false => HAS_BLOCKED,
    };
    varint::write(out, terms.common.source as u64 | since | others | blocked);
    if let Some(since_s) = terms.common.since_s {
        varint::write(out, varint::zigzag(since_s));
    }
    if let Some((_, more)) = terms.blocked.split_first() {
        varint::write(out, more.len() as u64);
        let mut gaps = Gaps::default();
        for tag in &terms.blocked {
            varint::write(out, gaps.before(tag.0)?);
        }
    }
    Ok(())
}

pub(super) fn read_common(bytes: &mut &[u8]) -> Result<(Terms, Others), FormatError> {
    let bits = read_number(bytes)?;
    if bits > SOURCE_BITS | HAS_SINCE | HAS_OTHERS | HAS_BLOCKED {
        return Err(FormatError::new("holdings of an unknown kind"));
    }
    let since_s = match bits & HAS_SINCE {
        0 => None,
        _ => Some(second(varint::unzigzag(read_number(bytes)?))?),
    };
    let others = match bits & HAS_OTHERS {
        0 => Others::None,
        _ => Others::Some,
    };
    let source = source_of(bits);
    let mut terms = Terms::from(Common { source, since_s });
    if bits & HAS_BLOCKED != 0 {
        let more = read_count(bytes)?;
        let mut gaps = Gaps::default();
        for _ in 0..=more {
            terms.blocked.push(TagId(gaps.after(read_number(bytes)?)?));
        }
    }
    Ok((terms, others))
}

/// Those that are unlike.
pub(super) fn write_special(
    tags: &[TagId],
    terms: &Terms,
    out: &mut Vec<u8>,
) -> Result<(), FormatError> {
    let from_s = terms.common.since_s.unwrap_or(0);
    let mut gaps = Gaps::default();
    for (tag, holding) in &terms.special {
        let place = tags
            .binary_search(tag)
            .map_err(|_| FormatError::new("a holding of a tag that the record does not have"))?;
        let place = u32::try_from(place).map_err(FormatError::new)?;
        varint::write(out, gaps.before(place)?);
        write_holding(*holding, from_s, out);
    }
    Ok(())
}

fn write_holding(holding: Holding, from_s: i64, out: &mut Vec<u8>) {
    let (since_s, until_s, timed) = match holding.term {
        Term::Standing { since_s } => (since_s, None, 0),
        Term::Timed { since_s, until_s } => (Some(since_s), until_s, IS_TIMED),
    };
    let since = since_s.map_or(0, |_| HAS_SINCE);
    let until = until_s.map_or(0, |_| HAS_UNTIL);
    varint::write(out, holding.source as u64 | since | timed | until);
    if let Some(since_s) = since_s {
        varint::write(out, varint::zigzag(since_s.saturating_sub(from_s)));
        if let Some(until_s) = until_s {
            varint::write(out, until_s.saturating_sub(since_s).unsigned_abs());
        }
    }
}

pub(super) fn read_special(
    common: Common,
    tags: &[TagId],
    mut bytes: &[u8],
) -> Result<Vec<(TagId, Holding)>, FormatError> {
    let from_s = common.since_s.unwrap_or(0);
    let mut special = Vec::new();
    let mut gaps = Gaps::default();
    loop {
        let place = gaps.after(read_number(&mut bytes)?)?;
        let tag = tags
            .get(place as usize)
            .ok_or_else(|| FormatError::new("a holding of a tag that is not there"))?;
        special.push((*tag, read_holding(from_s, &mut bytes)?));
        if bytes.is_empty() {
            return Ok(special);
        }
    }
}

fn read_holding(from_s: i64, bytes: &mut &[u8]) -> Result<Holding, FormatError> {
    let unknown = || FormatError::new("a holding of an unknown kind");
    let bits = read_number(bytes)?;
    let source = source_of(bits);
    let mut since = || {
        let distance = varint::unzigzag(read_number(bytes)?);
        second(from_s.saturating_add(distance))
    };
    match bits & !SOURCE_BITS {
        0 => Ok(Holding::standing(source, None)),
        HAS_SINCE => Ok(Holding::standing(source, Some(since()?))),
        known if known == HAS_SINCE | IS_TIMED => Ok(Holding::timed(source, since()?, None)),
        known if known == HAS_SINCE | IS_TIMED | HAS_UNTIL => {
            let since_s = since()?;
            let length = i64::try_from(read_number(bytes)?).map_err(FormatError::new)?;
            if length == 0 {
                return Err(FormatError::new("a holding that ends when it starts"));
            }
            let until_s = second(since_s.saturating_add(length))?;
            Ok(Holding::timed(source, since_s, Some(until_s)))
        }
        _ => Err(unknown()),
    }
}

fn source_of(bits: u64) -> Source {
    match bits & SOURCE_BITS {
        0 => Source::Manual,
        1 => Source::Import,
        2 => Source::Rule,
        _ => Source::Model,
    }
}

fn second(second: i64) -> Result<i64, FormatError> {
    if second.unsigned_abs() > SECONDS_MAX.unsigned_abs() {
        return Err(FormatError::new("a holding beyond all calendars"));
    }
    Ok(second)
}
