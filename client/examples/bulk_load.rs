//! Loads many users: batched, pipelined, and with bad rows reported instead of in the way.
//!
//! Start a server, then: `cargo run --example bulk_load`

use tessera_client::{BulkOptions, Client, ClientOptions, Datum, Error, Mutation, UnknownTags};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7700".to_owned());
    let client = Client::connect(address, ClientOptions::default()).await?;
    client
        .execute("DEFINE ATTRIBUTE age INTEGER IF NOT EXISTS", ())
        .await?;

    let options = BulkOptions {
        unknown_tags: UnknownTags::Define,
        ..BulkOptions::default()
    };
    let mut bulk = client.bulk(&options);
    for number in 0..100_000_u32 {
        let user = format!("user-{number}");
        // Every now and then a row is bad.
        let age = if number % 10_000 == 7 {
            "old".into()
        } else {
            Datum::from(number % 90)
        };
        bulk.push(Mutation::Set {
            user: user.clone(),
            values: vec![("age".to_owned(), age)],
        })
        .await?;
        bulk.push(Mutation::Tag {
            user,
            tags: vec![format!("cohort-{}", number % 12)],
        })
        .await?;
    }

    let report = bulk.finish().await;
    println!(
        "{} of {} applied",
        report.totals.applied, report.totals.given
    );
    for refusal in &report.refusals {
        println!(
            "change {} was refused: {}",
            refusal.index, refusal.failure.message
        );
    }
    for failure in &report.failures {
        println!(
            "{} changes failed: {}",
            failure.indices.len(),
            failure.error
        );
    }
    Ok(())
}
