//! The reference answers: SQL's results over three real data sets, asked of Tessera through its
//! programs and a socket.
//!
//! Every table below names each answer of its data set, with the statements that give it; some in
//! several ways, from attributes that were derived before and from the events themselves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod reference_check;

use std::{fs, path::Path};

use reference_check::{Case, check_all, import, start};
use tessera_tests::sources;

use reference_check::How::{Asked, Summed};

const CREDIT: &[Case] = &[
    Case(
        "credit-customers-01",
        Asked(&["COUNT ALL", "COUNT gender:female"]),
    ),
    Case(
        "credit-customers-02",
        Asked(&["DIMENSION education MEASURE count"]),
    ),
    Case(
        "credit-customers-03",
        Asked(&["COUNT gender:female AND education:university AND age:25..34"]),
    ),
    Case(
        "credit-customers-04",
        Asked(&["COUNT marital_status:(single, others) AND NOT education:graduate_school"]),
    ),
    Case(
        "credit-customers-05",
        Asked(&["COUNT age < 30 AND credit_limit >= 500000"]),
    ),
    Case(
        "credit-customers-06",
        Asked(&["DIMENSION gender, marital_status MEASURE count, sum(credit_limit)"]),
    ),
    Case(
        "credit-customers-07",
        Asked(&["DIMENSION gender MEASURE sum(paid_2005_09) ORDER BY gender"]),
    ),
    Case("credit-customers-08", Asked(&["COUNT tag:active"])),
    Case(
        "credit-customers-08",
        Asked(&["COUNT paid_2005_07 > 0 AND paid_2005_08 > 0 AND paid_2005_09 > 0"]),
    ),
    Case(
        "credit-customers-08",
        Asked(&["COUNT AT LEAST 3 OF (paid_2005_07:1.., paid_2005_08:1.., paid_2005_09:1..)"]),
    ),
    Case("credit-customers-09", Asked(&["COUNT tag:silent"])),
    Case(
        "credit-customers-09",
        Asked(&[
            "COUNT (paid_2005_04 > 0 OR paid_2005_05 > 0 OR paid_2005_06 > 0) \
                 AND paid_2005_07 = 0 AND paid_2005_08 = 0 AND paid_2005_09 = 0",
        ]),
    ),
    Case(
        "credit-customers-10",
        Asked(&["SEGMENT ALL RETURN paid_total ORDER BY paid_total DESC LIMIT 10"]),
    ),
];

const LEARNERS: &[Case] = &[
    Case(
        "oulad-learners-01",
        Asked(&["DIMENSION region MEASURE count"]),
    ),
    Case(
        "oulad-learners-02",
        Asked(&[
            "COUNT gender:F AND region:(Scotland, Wales) AND highest_education:\"HE Qualification\"",
        ]),
    ),
    Case(
        "oulad-learners-03",
        Asked(&["COUNT disability:true AND NOT age_band:\"0-35\""]),
    ),
    Case(
        "oulad-learners-04",
        Asked(&["DIMENSION region MEASURE count WHERE imd_band IS MISSING"]),
    ),
    Case(
        "oulad-learners-05",
        Asked(&["COUNT modules:BBB AND modules:DDD"]),
    ),
    Case(
        "oulad-learners-05",
        Asked(&["COUNT tag:module/BBB AND tag:module/DDD"]),
    ),
    Case(
        "oulad-learners-06",
        Asked(&["COUNT modules:DDD AND NOT tag:handed-in"]),
    ),
    Case(
        "oulad-learners-06",
        Asked(&["COUNT tag:module/DDD AND submissions = 0"]),
    ),
    // The last of all submissions before March is on or after a day exactly when there is one.
    Case(
        "oulad-learners-07",
        Asked(&["COUNT last_submission_before_2015_03:2015-01-30.."]),
    ),
    Case(
        "oulad-learners-08",
        Asked(&["COUNT last_submission_before_2015_03:2014-12-01..2015-01-29"]),
    ),
    Case(
        "oulad-learners-06",
        Asked(&["COUNT tag:module/DDD AND NOT did:submission"]),
    ),
    Case(
        "oulad-learners-07",
        Asked(&["COUNT did:submission[2015-01-30..2015-02-28]"]),
    ),
    Case(
        "oulad-learners-08",
        Asked(&["COUNT last(submission, ..2015-02-28):2014-12-01..2015-01-29"]),
    ),
    Case(
        "oulad-learners-09",
        Asked(&[
            "DIMENSION submission.assessment_type MEASURE count(submission[score IS PRESENT]), \
                 sum(submission.score), avg(submission.score) ORDER BY submission.assessment_type",
        ]),
    ),
    Case(
        "oulad-learners-10",
        Asked(&["SEGMENT ALL RETURN submissions ORDER BY submissions DESC, id_student LIMIT 10"]),
    ),
];

const SHOPPERS: &[Case] = &[
    Case(
        "online-retail-01",
        Summed(
            "COUNT ALL",
            "DIMENSION invoice BY month MEASURE count, count(invoice[cancelled:true]), \
                 sum(invoice.amount_milli)",
        ),
    ),
    Case(
        "online-retail-02",
        Asked(&["DIMENSION country MEASURE count TOP 10"]),
    ),
    Case(
        "online-retail-03",
        Asked(&["COUNT country != \"United Kingdom\" AND orders >= 10"]),
    ),
    // The data end before 2010-12-10, so the last order says whether there is one in a window.
    Case(
        "online-retail-04",
        Asked(&["COUNT last_order >= 2010-11-10 AND last_order < 2010-12-10"]),
    ),
    Case(
        "online-retail-05",
        Asked(&["COUNT last_order:2010-06-13..2010-11-09"]),
    ),
    Case(
        "online-retail-06",
        Asked(&["COUNT last_order < 2010-06-13"]),
    ),
    Case("online-retail-07", Asked(&["COUNT net_pounds >= 5000"])),
    // The same five from the orders themselves.
    Case(
        "online-retail-03",
        Asked(&["COUNT country != \"United Kingdom\" AND count(invoice[cancelled:false]) >= 10"]),
    ),
    Case(
        "online-retail-04",
        Asked(&["COUNT did:invoice[cancelled:false, 2010-11-10..2010-12-09]"]),
    ),
    Case(
        "online-retail-05",
        Asked(&["COUNT last(invoice[cancelled:false]):2010-06-13..2010-11-09"]),
    ),
    Case(
        "online-retail-06",
        Asked(&["COUNT last(invoice[cancelled:false]) < 2010-06-13"]),
    ),
    Case(
        "online-retail-07",
        Asked(&["COUNT sum(invoice.amount_milli) >= 5000000"]),
    ),
    Case(
        "online-retail-08",
        Asked(&["DIMENSION did:invoice[cancelled:false] BY month \
                 MEASURE count, sum(invoice.amount_milli)"]),
    ),
    Case(
        "online-retail-09",
        Asked(&["SEGMENT ALL RETURN net_pounds ORDER BY net_pounds DESC LIMIT 10"]),
    ),
    Case(
        "online-retail-10",
        Asked(&["COUNT tag:\"bought/85123A\" AND tag:\"bought/22423\""]),
    ),
];

#[test]
fn credit_customers() {
    let (_directory, server) = start();
    let data = sources::credit_customers();
    import(
        &server,
        &data.join("customers.csv.gz"),
        &data.join("customers.toml"),
    );
    import(
        &server,
        &data.join("profile.csv.gz"),
        &data.join("profile.toml"),
    );
    check_all(&server, &data, CREDIT);
}

#[test]
fn oulad_learners() {
    let Some(data) = sources::shared("oulad-learners") else {
        return;
    };
    let (directory, server) = start();
    let history = write(
        directory.path(),
        "history.csv",
        &sources::learners_history(&data),
    );
    import(
        &server,
        &data.join("learners.csv.gz"),
        &sources::mapping("learners.toml"),
    );
    import(
        &server,
        &history,
        &sources::mapping("learners-history.toml"),
    );
    import(
        &server,
        &data.join("submissions.csv.gz"),
        &sources::mapping("learners-submissions.toml"),
    );
    check_all(&server, &data, LEARNERS);
}

#[test]
fn online_retail() {
    let Some(data) = sources::shared("online-retail") else {
        return;
    };
    let (directory, server) = start();
    let history = write(
        directory.path(),
        "history.csv",
        &sources::shoppers_history(&data),
    );
    let pairs = sources::shopper_products(&data);
    assert_eq!(pairs.len(), 274_449, "pairs of a shopper and a product");
    let rows: String = pairs
        .iter()
        .map(|(shopper, product)| format!("{shopper},{product}\n"))
        .collect();
    let products = write(
        directory.path(),
        "products.csv",
        &format!("customer_id,product\n{rows}"),
    );
    import(
        &server,
        &data.join("customers.csv.gz"),
        &sources::mapping("shoppers.toml"),
    );
    import(
        &server,
        &history,
        &sources::mapping("shoppers-history.toml"),
    );
    import(
        &server,
        &products,
        &sources::mapping("shoppers-products.toml"),
    );
    import(
        &server,
        &data.join("orders.csv.gz"),
        &sources::mapping("shoppers-orders.toml"),
    );
    check_all(&server, &data, SHOPPERS);
}

fn write(directory: &Path, name: &str, table: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    fs::write(&path, table).expect("a temporary file");
    path
}
