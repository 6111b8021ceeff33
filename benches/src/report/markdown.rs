//! A report as Markdown.
//!
//! Knows tables. Does not decide what counts as reached.

use std::fmt::Write;

use super::{Line, Peer, PeerLine, Report};
use crate::targets::{Verdict, verdicts};

/// The whole report.
pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    heading(report, &mut text);
    questions(report, &mut text);
    targets(&verdicts(report), &mut text);
    writes(report, &mut text);
    load(report, &mut text);
    peers(&report.peers, &report.lines, &mut text);
    text
}

fn heading(report: &Report, text: &mut String) {
    let _ = writeln!(
        text,
        "## {} users\n\n{}.\n{}, seed {}, {} runs of each question after warming up; streaming \
         reads {:.1} GB/s with one thread, {:.1} GB/s with two.\n",
        thousands(u64::from(report.users)),
        report.machine.words(),
        report.server,
        report.seed,
        report.runs,
        report.bandwidth.one_thread / 1e9,
        report.bandwidth.two_threads / 1e9,
    );
}

fn questions(report: &Report, text: &mut String) {
    let bound = MoreColumns {
        heads: &["bound", "÷ bound"],
        cells: &|line| bound(report, line),
    };
    question_table(&report.lines, &report.peers, &bound, text);
}

/// Columns between our times and the peers'.
pub(crate) struct MoreColumns<'a> {
    pub(crate) heads: &'a [&'static str],
    /// As many cells of a question as there are heads.
    pub(crate) cells: &'a dyn Fn(&Line) -> Vec<String>,
}

impl MoreColumns<'_> {
    pub(crate) const NONE: Self = Self {
        heads: &[],
        cells: &no_cells,
    };
}

fn no_cells(_: &Line) -> Vec<String> {
    Vec::new()
}

/// Medians in milliseconds; beside each peer's how many times ours it is.
pub(crate) fn question_table(
    lines: &[Line],
    peers: &[Peer],
    more: &MoreColumns<'_>,
    text: &mut String,
) {
    let there: Vec<&Peer> = peers.iter().filter(|peer| peer.missing.is_none()).collect();
    text.push_str("| | question | rows | Tessera, ms | p99 |");
    let heads = more.heads.iter().copied();
    for head in heads.chain(there.iter().map(|peer| peer.name.as_str())) {
        let _ = write!(text, " {head} |");
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" ---: |".repeat(3 + more.heads.len() + there.len()));
    text.push('\n');
    for line in lines {
        let ours = [
            thousands(line.rows as u64),
            ms(line.ours.median_ms),
            ms(line.ours.p99_ms),
        ];
        let theirs = there.iter().map(|peer| theirs(line, &peer.name));
        let _ = write!(text, "| {} | {} |", line.id, line.words);
        for cell in ours.into_iter().chain((more.cells)(line)).chain(theirs) {
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push('\n');
}

fn bound(report: &Report, line: &Line) -> Vec<String> {
    match line.bound_ms(report.bandwidth.one_thread) {
        Some(one) => vec![ms(one), format!("{:.1}", line.ours.median_ms / one)],
        None => vec![String::new(), String::new()],
    }
}

/// A peer's median, and how many times ours it is.
fn theirs(line: &Line, peer: &str) -> String {
    match line.peers.get(peer) {
        Some(PeerLine::Asked { times, .. }) => format!(
            "{} ({}×)",
            ms(times.median_ms),
            factor(times.median_ms / line.ours.median_ms)
        ),
        Some(PeerLine::Skipped { .. }) => "cannot".to_owned(),
        None => "not asked".to_owned(),
    }
}

/// What was to be reached, and what was.
pub(crate) fn targets(verdicts: &[Verdict], text: &mut String) {
    text.push_str("| | target | reached | |\n| --- | --- | ---: | --- |\n");
    for verdict in verdicts {
        let Verdict {
            what,
            target,
            reached,
            met,
        } = verdict;
        let met = match met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "not measured",
        };
        let _ = writeln!(text, "| {what} | {target} | {reached} | {met} |");
    }
    text.push('\n');
}

fn writes(report: &Report, text: &mut String) {
    let Some(sync) = report.sync else { return };
    let _ = writeln!(
        text,
        "W1, one durable tag at a time; one sync of the disk takes {} ms (p99 {}):\n\n\
         | connections | Tessera, a second | median ms | p99 ms |{}\n| ---: | ---: | ---: | ---: |{}",
        ms(sync.median_ms),
        ms(sync.p99_ms),
        writers(report)
            .map(|peer| format!(" {}, a second |", peer.name))
            .collect::<String>(),
        writers(report).map(|_| " ---: |").collect::<String>(),
    );
    for rate in &report.writes {
        let latency = rate.latency.map_or((f64::NAN, f64::NAN), |latency| {
            (latency.median_ms, latency.p99_ms)
        });
        let _ = write!(
            text,
            "| {} | {} | {} | {} |",
            rate.connections,
            thousands(rate.per_second as u64),
            ms(latency.0),
            ms(latency.1),
        );
        for peer in writers(report) {
            let theirs = peer
                .writes
                .iter()
                .find(|theirs| theirs.connections == rate.connections)
                .map_or(String::new(), |theirs| thousands(theirs.per_second as u64));
            let _ = write!(text, " {theirs} |");
        }
        text.push('\n');
    }
    text.push('\n');
}

fn writers(report: &Report) -> impl Iterator<Item = &Peer> {
    report.peers.iter().filter(|peer| !peer.writes.is_empty())
}

fn load(report: &Report, text: &mut String) {
    let load = &report.load;
    let _ = writeln!(
        text,
        "W2: the server was loaded from a file in {:.1} s: {} users, {} facts and {} tag \
         memberships a second. The first answer came {:.2} s after starting it again.\n",
        load.seconds,
        thousands(load.users_per_second as u64),
        thousands(load.facts_per_second as u64),
        thousands(load.memberships_per_second as u64),
        report.first_answer_seconds,
    );
    if let Some(seconds) = load.settled_seconds {
        let _ = writeln!(
            text,
            "It had merged its files in the background {seconds:.0} s after the load; only then \
             was it asked.\n",
        );
    }
    if let Some(stored) = load.stored_bytes {
        let _ = writeln!(
            text,
            "With everything in its caches the server takes {} times its bitmaps and columns as \
             they are stored ({} MiB), and its directory {} times.\n",
            load.resident_bytes
                .map_or(String::new(), |bytes| factor(bytes as f64 / stored as f64)),
            mib(Some(stored)),
            factor(load.disk_bytes as f64 / stored as f64),
        );
    }
    if let Some(rate) = load.exported_keys_per_second {
        let rate = thousands(rate as u64);
        let _ = writeln!(
            text,
            "An export of all users delivers {rate} keys a second.\n"
        );
    }
    if let Some(beside) = &report.beside {
        let _ = writeln!(
            text,
            "While another connection exports all users, over and over, Q1 takes {} ms (p99 {}). A \
             dimension of {} groups over all users takes {} ms.\n",
            ms(beside.behind_export.median_ms),
            ms(beside.behind_export.p99_ms),
            thousands(beside.groups as u64),
            ms(beside.many_groups.median_ms),
        );
    }
    let ours = (load.seconds, load.resident_bytes, load.disk_bytes);
    load_table(ours, &report.peers, text);
}

/// How long loading took, in seconds, and the bytes of memory and disk afterwards.
pub(crate) fn load_table(ours: (f64, Option<u64>, u64), peers: &[Peer], text: &mut String) {
    text.push_str("| | loaded in, s | memory, MiB | disk, MiB |\n| --- | ---: | ---: | ---: |\n");
    let (seconds, resident_bytes, disk_bytes) = ours;
    let _ = writeln!(
        text,
        "| Tessera, from text over a connection | {seconds:.1} | {} | {} |",
        mib(resident_bytes),
        mib(Some(disk_bytes)),
    );
    for peer in peers {
        let Some(theirs) = &peer.load else { continue };
        let _ = writeln!(
            text,
            "| {}, from arrays in place | {:.1} | {} | {} |",
            peer.name,
            theirs.seconds,
            mib(theirs.memory_bytes),
            mib(theirs.disk_bytes),
        );
    }
    text.push('\n');
}

/// Who the peers are, and how they were asked.
pub(crate) fn peers(peers: &[Peer], lines: &[Line], text: &mut String) {
    for peer in peers {
        if let Some(why) = &peer.missing {
            let _ = writeln!(text, "- **{} was not asked**: {why}", peer.name);
            continue;
        }
        let versions: Vec<String> = peer
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        let _ = writeln!(
            text,
            "- {} ({}): {}",
            peer.name,
            versions.join(", "),
            peer.schema
        );
        for line in lines {
            match line.peers.get(&peer.name) {
                Some(PeerLine::Asked { form, .. }) => {
                    let _ = writeln!(text, "  - {}: {form}", line.id);
                }
                Some(PeerLine::Skipped { skipped }) => {
                    let _ = writeln!(text, "  - {}: cannot, {skipped}", line.id);
                }
                None => {}
            }
        }
    }
}

/// Milliseconds with three significant digits.
pub(crate) fn ms(number: f64) -> String {
    match number {
        n if n.is_nan() => String::new(),
        n if n < 1.0 => format!("{n:.3}"),
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

/// Two significant digits, and all digits before the point.
pub(crate) fn factor(number: f64) -> String {
    match number {
        n if n < 0.1 => format!("{n:.3}"),
        n if n < 1.0 => format!("{n:.2}"),
        n if n < 10.0 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

/// Mebibytes.
pub(crate) fn mib(bytes: Option<u64>) -> String {
    bytes.map_or(String::new(), |bytes| thousands(bytes >> 20))
}

/// Digits in groups of three.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(
            [0.1234, 1.234, 12.34, 123.4].map(ms),
            ["0.123", "1.23", "12.3", "123"]
        );
        assert_eq!(
            [0.0123, 0.123, 3.06, 31.4].map(factor),
            ["0.012", "0.12", "3.1", "31"]
        );
    }

    #[test]
    fn every_question_and_peer_is_in_the_table() {
        let text = of(&testing::report(1_000_000));
        for n in 1..=12 {
            assert!(
                text.contains(&format!("\n| Q{n} | question Q{n} | 1 | 1.00 |")),
                "{text}"
            );
        }
        assert!(text.contains("| slate | wax |"), "{text}");
        assert!(text.contains("3.00 (3.0×) | cannot |"), "{text}");
        assert!(text.contains("**clay was not asked**: dug out"), "{text}");
        assert!(text.contains("Q4: cannot, it melts"), "{text}");
        // 4 MB at 8 GB/s.
        assert!(text.contains("| 0.500 | 2.0 |"), "{text}");
    }

    #[test]
    fn every_row_of_a_table_has_its_columns() {
        let text = of(&testing::report(1_000_000));
        for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
            let columns: Vec<usize> = table
                .lines()
                .map(|line| line.matches('|').count())
                .collect();
            assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        }
    }
}
