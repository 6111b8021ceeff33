//! Streams the users of a segment, to send each of them a message: the server waits while the
//! sender is busy, so that a segment of any size needs little memory.
//!
//! Start a server, then: `cargo run --example push_segment`

use futures_util::StreamExt as _;
use tessera_client::{
    Client, ClientOptions, Error, SegmentQuery,
    expr::{not, tag},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7700".to_owned());
    let client = Client::connect(address, ClientOptions::default()).await?;
    client
        .execute("DEFINE TAG active IF NOT EXISTS", ())
        .await?;
    client
        .execute("DEFINE TAG unsubscribed IF NOT EXISTS", ())
        .await?;

    let who = tag("active").and(not(tag("unsubscribed")));
    let mut keys = client.segment(&SegmentQuery::new(who)).await?.keys();
    let mut sent = 0_u64;
    while let Some(key) = keys.next().await {
        println!("hello {}", key?);
        sent += 1;
    }
    println!("sent to {sent} users");
    Ok(())
}
