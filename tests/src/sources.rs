//! The data sets on disk, and the tables that tests derive from them.
//!
//! Knows where the files are and how their rows turn into attributes and tags. Does not know how
//! they are imported.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::File,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

/// The data set that is carried in the repository.
pub fn credit_customers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/credit-customers")
}

/// A mapping of this folder, for `tessera import --mapping`.
pub fn mapping(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/mappings")
        .join(name)
}

/// The folder of a data set that may not be carried in the repository, when it is there.
/// Otherwise says in one line that its tests are skipped and how to get it.
pub fn shared(data_set: &str) -> Option<PathBuf> {
    let directory = shared_root().join(data_set);
    if directory.join("answers.json").exists() {
        return Some(directory);
    }
    println!(
        "skipped: {} is not there; set TESSERA_SHARED_DATA to the folder that holds {data_set}/ (its README.md says how to get the data again)",
        directory.display()
    );
    None
}

fn shared_root() -> PathBuf {
    env::var_os("TESSERA_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    )
}

/// A table read from a gzipped CSV file: its columns by name, as texts.
#[derive(Debug)]
pub struct Table {
    columns: BTreeMap<String, usize>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    /// Reads a whole file.
    ///
    /// # Panics
    /// When it is not there or not CSV.
    pub fn read(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = csv::Reader::from_reader(GzDecoder::new(file));
        let headers = reader.headers().expect("a header row");
        let columns = headers
            .iter()
            .enumerate()
            .map(|(at, name)| (name.to_owned(), at))
            .collect();
        let rows = reader
            .records()
            .collect::<Result<_, _>>()
            .expect("rows of CSV");
        Self { columns, rows }
    }

    /// Some columns of every row.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn select<const N: usize>(&self, names: [&str; N]) -> impl Iterator<Item = [&str; N]> {
        let places = names.map(|name| {
            *self
                .columns
                .get(name)
                .unwrap_or_else(|| panic!("no column {name}"))
        });
        self.rows
            .iter()
            .map(move |row| places.map(|place| &row[place]))
    }
}

/// The months of the bank's statements.
const MONTHS: [&str; 6] = [
    "2005-04", "2005-05", "2005-06", "2005-07", "2005-08", "2005-09",
];

/// One customer's half year.
#[derive(Debug, Default, Clone)]
struct HalfYear {
    bill: [i64; 6],
    paid: [i64; 6],
    repayment_status: [i64; 6],
}

impl HalfYear {
    /// Paid in each of the last three months.
    fn is_active(&self) -> bool {
        self.paid[3..].iter().all(|amount| *amount > 0)
    }

    /// Paid in the first three months, and in none of the last three.
    fn is_silent(&self) -> bool {
        self.paid[..3].iter().any(|amount| *amount > 0)
            && self.paid[3..].iter().all(|amount| *amount == 0)
    }
}

/// The bank's six statements a customer as one row a customer: what `profile.csv.gz` holds.
/// Behaviours will take the statements as they are; until then they are attributes and tags.
///
/// # Panics
/// When `statements.csv.gz` is not what its README says.
pub fn credit_profile() -> String {
    let statements = Table::read(&credit_customers().join("statements.csv.gz"));
    let mut customers: BTreeMap<u32, HalfYear> = BTreeMap::new();
    let columns = [
        "customer_id",
        "month",
        "repayment_status",
        "bill_amount",
        "payment_amount",
    ];
    for [customer, month, status, bill, paid] in statements.select(columns) {
        let at = MONTHS
            .iter()
            .position(|known| *known == month)
            .expect("a month of 2005");
        let half_year = customers
            .entry(customer.parse().expect("a number"))
            .or_default();
        half_year.bill[at] = bill.parse().expect("a number");
        half_year.paid[at] = paid.parse().expect("a number");
        half_year.repayment_status[at] = status.parse().expect("a number");
    }
    let mut table = profile_header();
    for (customer, half_year) in &customers {
        table.push_str(&profile_row(*customer, half_year));
    }
    table
}

fn profile_header() -> String {
    let mut columns = vec!["customer_id".to_owned()];
    for prefix in ["bill", "paid", "repayment_status"] {
        columns.extend(MONTHS.map(|month| format!("{prefix}_{}", month.replace('-', "_"))));
    }
    columns.extend(["paid_total", "active", "silent"].map(str::to_owned));
    columns.join(",") + "\n"
}

fn profile_row(customer: u32, half_year: &HalfYear) -> String {
    let mut fields = vec![i64::from(customer)];
    fields.extend(half_year.bill);
    fields.extend(half_year.paid);
    fields.extend(half_year.repayment_status);
    fields.push(half_year.paid.iter().sum());
    fields.push(i64::from(half_year.is_active()));
    fields.push(i64::from(half_year.is_silent()));
    fields
        .iter()
        .map(i64::to_string)
        .collect::<Vec<_>>()
        .join(",")
        + "\n"
}

/// The learners' modules and hand-ins as one row a learner: `id_student`, `modules` (joined by
/// `;`), `submissions` (how many) and `last_submission` (a date, empty for none),
/// `last_submission_before_2015_03`.
///
/// # Panics
/// When the files are not what their README says.
pub fn learners_history(directory: &Path) -> String {
    let mut learners: BTreeMap<u32, LearnerHistory> = BTreeMap::new();
    let enrolments = Table::read(&directory.join("enrolments.csv.gz"));
    for [learner, module] in enrolments.select(["id_student", "code_module"]) {
        let history = learners
            .entry(learner.parse().expect("a number"))
            .or_default();
        history.modules.insert(module.to_owned());
    }
    let submissions = Table::read(&directory.join("submissions.csv.gz"));
    for [learner, date] in submissions.select(["id_student", "approx_date"]) {
        learners
            .entry(learner.parse().expect("a number"))
            .or_default()
            .hand_in(date);
    }
    let mut table = "id_student,modules,submissions,last_submission_before_2015_03\n".to_owned();
    for (learner, history) in &learners {
        let modules = history
            .modules
            .iter()
            .cloned()
            .collect::<Vec<_>>()
            .join(";");
        let (count, last) = (history.submissions, &history.last_before_march_2015);
        table.push_str(&format!("{learner},{modules},{count},{last}\n"));
    }
    table
}

#[derive(Debug, Default)]
struct LearnerHistory {
    modules: BTreeSet<String>,
    submissions: u32,
    last_before_march_2015: String,
}

impl LearnerHistory {
    fn hand_in(&mut self, date: &str) {
        self.submissions += 1;
        // ISO dates order as texts.
        if date < "2015-03-01" && date > self.last_before_march_2015.as_str() {
            date.clone_into(&mut self.last_before_march_2015);
        }
    }
}

/// The shoppers' orders as one row a shopper: `customer_id`, `orders` (not cancelled),
/// `last_order` (a timestamp, empty for none) and `net_pounds` (cancellations included; three
/// digits after the point).
///
/// # Panics
/// When the file is not what its README says.
pub fn shoppers_history(directory: &Path) -> String {
    let mut shoppers: BTreeMap<u32, (u32, String, i64)> = BTreeMap::new();
    let orders = Table::read(&directory.join("orders.csv.gz"));
    for [shopper, time, amount, cancelled] in
        orders.select(["customer_id", "timestamp", "amount_milli", "cancelled"])
    {
        let history = shoppers
            .entry(shopper.parse().expect("a number"))
            .or_default();
        history.2 += amount.parse::<i64>().expect("a number");
        if cancelled == "0" {
            history.0 += 1;
            if time > history.1.as_str() {
                time.clone_into(&mut history.1);
            }
        }
    }
    let mut table = "customer_id,orders,last_order,net_pounds\n".to_owned();
    for (shopper, (orders, last, milli)) in &shoppers {
        let zone = if last.is_empty() { "" } else { "Z" };
        let sign = if *milli < 0 { "-" } else { "" };
        let (pounds, rest) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
        table.push_str(&format!(
            "{shopper},{orders},{last}{zone},{sign}{pounds}.{rest:03}\n"
        ));
    }
    table
}

/// The products that shoppers bought, as one row a pair: `customer_id`, `product`. A line of a
/// cancellation is no purchase.
///
/// # Panics
/// When the files are not what their README says.
pub fn shopper_products(directory: &Path) -> BTreeSet<(u32, String)> {
    let orders = Table::read(&directory.join("orders.csv.gz"));
    let shopper_of: BTreeMap<&str, u32> = orders
        .select(["invoice", "customer_id"])
        .map(|[invoice, shopper]| (invoice, shopper.parse().expect("a number")))
        .collect();
    let lines = Table::read(&directory.join("lines.csv.gz"));
    lines
        .select(["invoice", "stock_code", "quantity"])
        .filter(|[_, _, quantity]| quantity.parse::<i64>().expect("a number") > 0)
        .map(|[invoice, product, _]| (shopper_of[invoice], product.to_owned()))
        .collect()
}
