//! The figures to reach, and whether a run reached them.
//!
//! Knows the numbers that were set. Does not measure.

use crate::report::{Line, Report, thousands};

/// One target and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which question or figure.
    pub what: String,
    /// What it was to reach.
    pub target: String,
    /// What it reached.
    pub reached: String,
    /// Whether that is enough; unknown when it was not measured.
    pub met: Option<bool>,
}

/// What a question is to reach.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// At most so many times the bytes over the bandwidth of one thread.
    Bound(f64),
    /// So many times faster than CRoaring in process.
    Croaring(f64),
    /// So many times faster than the best of the other peers.
    Servers(f64),
    /// Milliseconds.
    Under(f64),
}

const CROARING: &str = "croaring";

const TARGETS: [(&str, Target); 16] = [
    ("Q1", Target::Bound(2.5)),
    ("Q1", Target::Croaring(3.0)),
    ("Q2", Target::Bound(2.5)),
    ("Q3", Target::Croaring(5.0)),
    ("Q4", Target::Bound(2.5)),
    ("Q4", Target::Croaring(3.0)),
    ("Q5", Target::Croaring(5.0)),
    ("Q6", Target::Under(1.0)),
    ("Q7", Target::Servers(10.0)),
    ("Q8", Target::Servers(10.0)),
    ("Q9", Target::Servers(10.0)),
    ("Q9", Target::Croaring(5.0)),
    ("Q10", Target::Croaring(5.0)),
    ("Q11", Target::Servers(10.0)),
    ("Q11", Target::Croaring(5.0)),
    ("Q12", Target::Under(1.0)),
];

/// W1 with [`WRITERS`] connections, a second.
const DURABLE_TAGS: u64 = 20_000;
const WRITERS: usize = 64;
/// W1 with one connection, times one sync.
const SYNCS: f64 = 1.3;
/// W2, a second.
const LOADED_MEMBERSHIPS: u64 = 3_000_000;
const LOADED_USERS: u64 = 200_000;
/// Of a full export, a second.
const EXPORTED_KEYS: u64 = 2_000_000;
/// Memory and disk, times the serialised bitmaps and columns.
const SIZE: f64 = 1.5;
/// Of a server that starts on loaded data.
const FIRST_ANSWER_SECONDS: f64 = 5.0;

/// A count beside an export, in milliseconds.
const BEHIND_EXPORT_MS: f64 = 10.0;
/// A dimension of 20,000 groups, in milliseconds, and up to how many users that is asked.
const MANY_GROUPS_MS: f64 = 1_000.0;
const MANY_GROUPS_USERS: u32 = 10_000_000;

/// All targets.
pub fn verdicts(report: &Report) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = TARGETS
        .iter()
        .filter_map(|(id, target)| Some(target.verdict(report, report.line(id)?)))
        .collect();
    verdicts.push(slowest(report));
    verdicts.extend(writes(report));
    verdicts.extend(loading(report));
    verdicts.extend(beside(report));
    verdicts
}

impl Target {
    fn verdict(self, report: &Report, line: &Line) -> Verdict {
        let what = line.id.clone();
        match self {
            Self::Bound(most) => {
                let bound = line.bound_ms(report.bandwidth.one_thread);
                let reached = bound.map(|bound| line.ours.median_ms / bound);
                let target = format!("at most {most} × bytes ÷ bandwidth");
                judge(what, target, reached, |reached| reached <= most, "×")
            }
            Self::Croaring(least) => {
                let target = format!("{least} × faster than CRoaring in process");
                let reached = line.ratio(CROARING);
                judge(what, target, reached, |reached| reached >= least, "×")
            }
            Self::Servers(least) => {
                let target = format!("{least} × faster than the best server peer");
                let reached = line
                    .peers
                    .keys()
                    .filter(|name| *name != CROARING)
                    .filter_map(|name| line.ratio(name))
                    .min_by(f64::total_cmp);
                judge(what, target, reached, |reached| reached >= least, "×")
            }
            Self::Under(most) => {
                let target = format!("under {most} ms");
                let reached = Some(line.ours.median_ms);
                judge(what, target, reached, |reached| reached < most, " ms")
            }
        }
    }
}

/// No question slower than any peer: the question and peer that come closest to it.
fn slowest(report: &Report) -> Verdict {
    let ratios = report.lines.iter().flat_map(|line| {
        line.peers
            .keys()
            .filter_map(|peer| Some((line.ratio(peer)?, &line.id, peer)))
    });
    let least = ratios.min_by(|a, b| a.0.total_cmp(&b.0));
    let what = least.map_or("all".to_owned(), |(_, id, peer)| format!("{id} by {peer}"));
    judge(
        what,
        "no question slower than any peer".to_owned(),
        least.map(|(ratio, ..)| ratio),
        |ratio| ratio >= 1.0,
        "×",
    )
}

fn writes(report: &Report) -> [Verdict; 2] {
    let one = report.write_rate(1).and_then(|rate| rate.latency);
    let syncs = one.zip(report.sync);
    let syncs = syncs.map(|(write, sync)| write.median_ms / sync.median_ms);
    let many = report.write_rate(WRITERS).map(|rate| rate.per_second);
    [
        judge(
            "W1".to_owned(),
            format!("1 connection: at most {SYNCS} × one sync"),
            syncs,
            |syncs| syncs <= SYNCS,
            "×",
        ),
        judge(
            "W1".to_owned(),
            format!(
                "{WRITERS} connections: {} a second",
                thousands(DURABLE_TAGS)
            ),
            many,
            |rate| rate >= DURABLE_TAGS as f64,
            " a second",
        ),
    ]
}

fn loading(report: &Report) -> [Verdict; 6] {
    let load = &report.load;
    let size = |bytes: Option<u64>| Some(bytes? as f64 / load.stored_bytes? as f64);
    let within = |what: &str, bytes| {
        judge(
            what.to_owned(),
            format!("at most {SIZE} × serialised bitmaps and columns"),
            size(bytes),
            |ratio| ratio <= SIZE,
            "×",
        )
    };
    [
        judge(
            "W2".to_owned(),
            format!("{} tag memberships a second", thousands(LOADED_MEMBERSHIPS)),
            Some(load.memberships_per_second),
            |rate| rate >= LOADED_MEMBERSHIPS as f64,
            " a second",
        ),
        judge(
            "W2".to_owned(),
            format!(
                "{} users with their attributes a second",
                thousands(LOADED_USERS)
            ),
            Some(load.users_per_second),
            |rate| rate >= LOADED_USERS as f64,
            " a second",
        ),
        judge(
            "export".to_owned(),
            format!("{} keys a second", thousands(EXPORTED_KEYS)),
            load.exported_keys_per_second,
            |rate| rate >= EXPORTED_KEYS as f64,
            " a second",
        ),
        within("memory", load.resident_bytes),
        within("disk", Some(load.disk_bytes)),
        judge(
            "restart".to_owned(),
            format!("first answer within {FIRST_ANSWER_SECONDS} s"),
            Some(report.first_answer_seconds),
            |seconds| seconds <= FIRST_ANSWER_SECONDS,
            " s",
        ),
    ]
}

fn beside(report: &Report) -> [Verdict; 2] {
    let beside = report.beside.as_ref();
    let is_judged = report.users <= MANY_GROUPS_USERS;
    [
        judge(
            "Q1 beside an export".to_owned(),
            format!("under {BEHIND_EXPORT_MS} ms"),
            beside.map(|beside| beside.behind_export.median_ms),
            |ms| ms < BEHIND_EXPORT_MS,
            " ms",
        ),
        judge(
            "20,000 groups".to_owned(),
            "under a second at 10 million users".to_owned(),
            beside
                .filter(|_| is_judged)
                .map(|beside| beside.many_groups.median_ms),
            |ms| ms < MANY_GROUPS_MS,
            " ms",
        ),
    ]
}

/// What became of a target, told with so many digits as it is worth.
pub(crate) fn judge(
    what: String,
    target: String,
    reached: Option<f64>,
    enough: impl Fn(f64) -> bool,
    unit: &str,
) -> Verdict {
    Verdict {
        what,
        target,
        reached: reached.map_or(String::new(), |reached| {
            let number = match reached {
                n if n >= 1_000.0 => thousands(n as u64),
                n => format!("{n:.2}"),
            };
            format!("{number}{unit}")
        }),
        met: reached.map(enough),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn met(report: &Report, what: &str, target: &str) -> Option<bool> {
        verdicts(report)
            .into_iter()
            .find(|verdict| verdict.what == what && verdict.target.contains(target))
            .and_then(|verdict| verdict.met)
    }

    #[test]
    fn what_is_enough_is_met() {
        let report = testing::report(1_000_000);
        let check = |what, target, expected| {
            assert_eq!(met(&report, what, target), expected, "{what} {target}");
        };
        check("Q1", "bandwidth", Some(true));
        check("Q2", "bandwidth", None);
        check("Q1", "CRoaring", None);
        check("Q7", "server", Some(false));
        check("Q6", "ms", Some(false));
        check("Q1 by slate", "slower", Some(true));
        check("W1", "sync", Some(true));
        check("W1", "64 connections", None);
        check("W2", "memberships", Some(true));
        check("export", "keys", Some(true));
        check("memory", "serialised", None);
        check("restart", "first", Some(true));
        check("Q1 beside an export", "under", Some(true));
        check("20,000 groups", "second", Some(false));
    }

    #[test]
    fn many_groups_are_judged_up_to_the_size_they_are_asked_at() {
        let mut report = testing::report(100_000_000);
        assert_eq!(met(&report, "20,000 groups", "second"), None);
        report.beside = None;
        assert_eq!(met(&report, "Q1 beside an export", "under"), None);
    }

    #[test]
    fn croaring_is_no_server() {
        let mut report = testing::report(1_000_000);
        for line in &mut report.lines {
            if let Some(peer) = line.peers.remove("slate") {
                line.peers.insert(CROARING.to_owned(), peer);
            }
        }
        assert_eq!(met(&report, "Q1", "CRoaring"), Some(true));
        assert_eq!(met(&report, "Q3", "CRoaring"), Some(false));
        assert_eq!(met(&report, "Q7", "server"), None);
    }
}
