//! Labels from behaviour on real orders: who is active, silent, lost, or buys much, as of any day.
//!
//! The shop's orders are tracked month by month, some of them a month late. After each month the
//! labels are asked for as saved segments and compared with a scan of the raw orders that were
//! there by then: with every order that comes, they follow by themselves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, date},
    tz::TimeZone,
};
use tessera_engine::{
    database::{Budget, Database, Durability, Mutation, Options, Parameters, WriteRequest},
    datum::{Datum, Header, ResultSink, Row, Stopped},
    time::ManualClock,
};
use tessera_tests::{
    answers::Answers,
    sources::{self, Table},
};

/// Orders of one request.
const BATCH: usize = 5_000;
/// Every so many-th order becomes known a month late.
const LATE_EVERY: usize = 20;
/// Pounds of those who buy much, in thousandths.
const MUCH: i64 = 5_000_000;

const DEFINITIONS: [&str; 5] = [
    "DEFINE EVENT invoice (amount DECIMAL(3), cancelled BOOLEAN)",
    "SAVE SEGMENT active AS did:invoice[cancelled:false, 30d]",
    "SAVE SEGMENT silent AS did:invoice[cancelled:false, today-179d..today-30d] \
     AND NOT segment:active",
    "SAVE SEGMENT lost AS last(invoice[cancelled:false]) < today-179d",
    "SAVE SEGMENT big AS sum(invoice.amount) >= 5000",
];

/// An order or a cancellation as the shop wrote it down.
#[derive(Debug, Clone)]
struct Order {
    invoice: String,
    shopper: String,
    time: DateTime,
    milli: i64,
    is_cancelled: bool,
}

fn orders(data: &Path) -> Vec<Order> {
    let table = Table::read(&data.join("orders.csv.gz"));
    let columns = [
        "invoice",
        "customer_id",
        "timestamp",
        "amount_milli",
        "cancelled",
    ];
    let order = |[invoice, shopper, time, milli, cancelled]: [&str; 5]| Order {
        invoice: invoice.to_owned(),
        shopper: shopper.to_owned(),
        time: time.parse().expect("a time"),
        milli: milli.parse().expect("a number"),
        is_cancelled: cancelled == "1",
    };
    table.select(columns).map(order).collect()
}

fn moment(time: DateTime) -> Timestamp {
    let zoned = time.to_zoned(TimeZone::UTC).expect("a time of our days");
    zoned.timestamp()
}

/// The labels by a scan of the raw orders.
fn scanned(known: &[&Order], today: Date) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut last: BTreeMap<&str, Date> = BTreeMap::new();
    let mut net: BTreeMap<&str, i64> = BTreeMap::new();
    for order in known {
        *net.entry(&order.shopper).or_default() += order.milli;
        if !order.is_cancelled {
            let latest = last.entry(&order.shopper).or_insert(Date::MIN);
            *latest = order.time.date().max(*latest);
        }
    }
    let first_active = today.checked_sub(29.days()).unwrap();
    let first_silent = today.checked_sub(179.days()).unwrap();
    let with_last = |fits: &dyn Fn(Date) -> bool| -> BTreeSet<String> {
        let found = last.iter().filter(|(_, last)| fits(**last));
        found.map(|(shopper, _)| (*shopper).to_owned()).collect()
    };
    let big = net.iter().filter(|(_, net)| **net >= MUCH);
    BTreeMap::from([
        ("active", with_last(&|last| last >= first_active)),
        (
            "silent",
            with_last(&|last| last < first_active && last >= first_silent),
        ),
        ("lost", with_last(&|last| last < first_silent)),
        (
            "big",
            big.map(|(shopper, _)| (*shopper).to_owned()).collect(),
        ),
    ])
}

/// Orders that are not cancelled and their amount, by month.
fn by_month(known: &[&Order]) -> Vec<(String, i64, i64)> {
    let mut months: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for order in known.iter().filter(|order| !order.is_cancelled) {
        let month = months.entry(order.time.strftime("%Y-%m").to_string());
        let (count, milli) = month.or_default();
        *count += 1;
        *milli += order.milli;
    }
    let row = |(month, (count, milli))| (month, count, milli);
    months.into_iter().map(row).collect()
}

#[derive(Default)]
struct Collected(Vec<Row>);

impl ResultSink for Collected {
    fn header(&mut self, _: Header) -> Result<(), Stopped> {
        Ok(())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.0.extend(rows);
        Ok(())
    }
}

struct Shop {
    database: Database,
    clock: Arc<ManualClock>,
}

impl Shop {
    fn open(directory: &Path) -> Self {
        let clock = Arc::new(ManualClock::default());
        let options = Options {
            partition_count: 4,
            cache_bytes: 64 << 20,
            threads: 2,
            durability: Durability::OsBuffered,
            ..Options::default()
        };
        let database = Database::open(directory, options, clock.clone()).expect("a new store");
        Self { database, clock }
    }

    fn ask(&self, statement: &str) -> Vec<Row> {
        let mut sink = Collected::default();
        let (parameters, budget) = (Parameters::none(), Budget::unlimited());
        let asked = self
            .database
            .execute(statement, &parameters, &budget, &mut sink);
        asked.unwrap_or_else(|error| panic!("{statement}: {error}"));
        sink.0
    }

    fn shoppers(&self, expr: &str) -> BTreeSet<String> {
        let key = |row: Row| match row.into_iter().next() {
            Some(Datum::Text(key)) => key,
            other => panic!("{other:?} instead of a key"),
        };
        self.ask(&format!("SEGMENT {expr}"))
            .into_iter()
            .map(key)
            .collect()
    }

    fn track(&self, orders: &[&Order]) {
        for batch in orders.chunks(BATCH) {
            let track = |order: &&Order| Mutation::Track {
                user: order.shopper.clone(),
                event: "invoice".to_owned(),
                at_us: Some(moment(order.time).as_microsecond()),
                id: Some(order.invoice.clone()),
                values: vec![
                    (
                        "amount".to_owned(),
                        Datum::Decimal {
                            units: order.milli.into(),
                            scale: 3,
                        },
                    ),
                    ("cancelled".to_owned(), Datum::Boolean(order.is_cancelled)),
                ],
            };
            let request = WriteRequest {
                mutations: batch.iter().map(track).collect(),
                ..WriteRequest::default()
            };
            self.database.write(request).expect("orders are taken");
        }
    }

    fn months(&self) -> Vec<(String, i64, i64)> {
        let statement =
            "DIMENSION did:invoice[cancelled:false] BY month MEASURE count, sum(invoice.amount)";
        let row = |row: Row| match row.as_slice() {
            [
                Datum::Text(month),
                Datum::Integer(count),
                Datum::Decimal { units, scale: 3 },
            ] => (month.clone(), *count, *units as i64),
            other => panic!("{other:?}"),
        };
        self.ask(statement).into_iter().map(row).collect()
    }
}

#[test]
fn labels_follow_the_orders() {
    let Some(data) = sources::shared("online-retail") else {
        return;
    };
    let orders = orders(&data);
    assert_eq!(orders.len(), 23_587);
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    shop.clock.set_now(moment(date(2009, 12, 1).at(0, 0, 0, 0)));
    for definition in DEFINITIONS {
        shop.ask(definition);
    }
    let is_late = |at: usize| at.is_multiple_of(LATE_EVERY);
    let mut known: Vec<&Order> = Vec::new();
    let mut days: Vec<Date> = (1..=12).map(|month| date(2010, month, 1)).collect();
    // The last order is of 2010-12-09: on this day everything but what is late is there, and
    // then everything.
    days.extend([date(2010, 12, 9), date(2010, 12, 9)]);
    for (turn, today) in days.iter().enumerate() {
        let is_last = turn + 1 == days.len();
        let end = today.at(23, 59, 59, 0);
        shop.clock.set_now(moment(end));
        let a_month_ago = end.checked_sub(1.month()).unwrap();
        let is_there = |(at, order): &(usize, &Order)| {
            is_last || order.time <= if is_late(*at) { a_month_ago } else { end }
        };
        let there: Vec<&Order> = orders
            .iter()
            .enumerate()
            .filter(is_there)
            .map(|(_, order)| order)
            .collect();
        let before: BTreeSet<&str> = known.iter().map(|order| order.invoice.as_str()).collect();
        let mut new: Vec<&Order> = there
            .iter()
            .filter(|order| !before.contains(order.invoice.as_str()))
            .copied()
            .collect();
        // Some of them come twice, and none in its order.
        new.extend(known.iter().take(100));
        new.reverse();
        shop.track(&new);
        known = there;
        for (label, expected) in scanned(&known, *today) {
            assert_eq!(
                shop.shoppers(&format!("segment:{label}")),
                expected,
                "{label} {today}"
            );
        }
        assert_eq!(shop.months(), by_month(&known), "{today}");
    }
    check_answers(&shop, &data);
}

/// The figures of SQL, as of the day after the last order.
fn check_answers(shop: &Shop, data: &Path) {
    let answers = Answers::read(data);
    let lone = |id: &str| answers.rows(id)[0][0].as_i64();
    let count = |expr: &str| Some(shop.shoppers(expr).len() as i64);
    assert_eq!(count("segment:active"), lone("online-retail-04"));
    assert_eq!(count("segment:silent"), lone("online-retail-05"));
    assert_eq!(count("segment:lost"), lone("online-retail-06"));
    assert_eq!(count("segment:big"), lone("online-retail-07"));
    // The same in other words.
    let silent = "last(invoice[cancelled:false]):2010-06-13..2010-11-09";
    assert_eq!(count(silent), lone("online-retail-05"));
    let months: Vec<(String, i64, i64)> = answers
        .rows("online-retail-08")
        .iter()
        .map(|row| {
            let number = |at: usize| row[at].as_i64().expect("a number");
            let month = row[0].as_str().expect("a month").to_owned();
            (month, number(1), number(2))
        })
        .collect();
    assert_eq!(shop.months(), months);
}
