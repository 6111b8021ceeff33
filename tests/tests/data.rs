//! The data carried in the repository is what it says it is.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

use std::{
    fs::{self, File},
    io::{Read, Write},
};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use tessera_tests::{answers::Answers, sources};

/// Set to write `profile.csv.gz` anew from `statements.csv.gz`.
const WRITE_ANEW: &str = "TESSERA_TEST_WRITE_PROFILE";

#[test]
fn the_profile_is_derived_from_the_statements() {
    let path = sources::credit_customers().join("profile.csv.gz");
    let derived = sources::credit_profile();
    if std::env::var_os(WRITE_ANEW).is_some() {
        // No name and no time inside: the same table makes the same file.
        let mut encoder = GzBuilder::new().write(File::create(&path).unwrap(), Compression::best());
        encoder.write_all(derived.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }
    let mut carried = String::new();
    GzDecoder::new(File::open(&path).unwrap())
        .read_to_string(&mut carried)
        .unwrap();
    assert!(
        carried == derived,
        "run this test with {WRITE_ANEW}=1 to write profile.csv.gz anew"
    );
    assert_eq!(carried.lines().count(), 30_001);
}

#[test]
fn the_answers_and_the_attribution_are_carried_with_the_data() {
    let directory = sources::credit_customers();
    assert_eq!(Answers::read(&directory).ids().count(), 10);
    let readme =
        fs::read_to_string(directory.join("README.md")).expect("a README.md beside the data");
    for part in [
        "Creative Commons Attribution 4.0",
        "I-Cheng Yeh",
        "https://doi.org/10.24432/C55S3H",
    ] {
        assert!(readme.contains(part), "{part}");
    }
}
