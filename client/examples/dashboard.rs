//! A dashboard: a few numbers, asked at the same time.
//!
//! Start a server, then: `cargo run --example dashboard`

use tessera_client::{
    Answer, Client, ClientOptions, DimensionQuery, Error, Measure,
    expr::{all, attribute},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7700".to_owned());
    let client = Client::connect(address, ClientOptions::default()).await?;
    client
        .execute("DEFINE ATTRIBUTE age INTEGER IF NOT EXISTS", ())
        .await?;
    client
        .execute("DEFINE ATTRIBUTE city ENUM IF NOT EXISTS", ())
        .await?;

    let (everyone, grown_up) = (all(), attribute("age").from(18));
    let cities = DimensionQuery::new()
        .by("city")
        .greatest_first(Measure::Count)
        .top(10);
    let ages = DimensionQuery::new()
        .by_bands("age", [18, 25, 35, 50, 65])
        .measure(Measure::Count)
        .measure(Measure::Share)
        .within(attribute("city").present());

    let (users, adults, cities, ages) = tokio::try_join!(
        client.count(&everyone),
        client.count(&grown_up),
        client.dimension(&cities),
        client.dimension(&ages),
    )?;
    println!("{users} users, {adults} of them adults");
    show("by city", &cities);
    show("by age", &ages);
    Ok(())
}

fn show(title: &str, table: &Answer) {
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    println!("{title}: {}", names.join(", "));
    for row in &table.rows {
        println!("  {row:?}");
    }
    println!("  in {} µs", table.summary.elapsed_us);
}
