//! The program's own narrow view of the client library.
//!
//! Knows one server and how to ask it. Does not know what an answer is for.

use std::time::Duration;

pub(crate) use crate::{
    Answer, AnswerStream, Batch, BulkOptions, BulkWriter, Column, ColumnRole, Datum, Failure,
    KeyBatch, Mutation, Parameter, ResultKind, Summary, UnknownTags,
};
use crate::{Client, ClientOptions};

use super::error::CliError;

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    client: Client,
    address: String,
}

impl Session {
    /// The server at `host:port`; connects when it is first asked something.
    pub(crate) fn new(address: &str, request_timeout: Duration) -> Self {
        let options = ClientOptions {
            agent: concat!("tessera ", env!("CARGO_PKG_VERSION")).to_owned(),
            request_timeout,
            ..ClientOptions::default()
        };
        Self {
            client: Client::lazy(address, options),
            address: address.to_owned(),
        }
    }

    /// The server that a client of the test's own speaks to.
    #[cfg(test)]
    pub(crate) fn of(client: Client) -> Self {
        Self {
            client,
            address: "a test".to_owned(),
        }
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The client library's own handle.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Connects unless that was done; says who answers.
    pub(crate) async fn connect(&self) -> Result<String, CliError> {
        let welcome = self
            .client
            .server()
            .await
            .map_err(|error| CliError::of_request(&error))?;
        Ok(welcome.agent)
    }

    /// Executes a statement; the rows come as they are read.
    pub(crate) async fn open(
        &self,
        statement: &str,
        parameters: &[Parameter],
    ) -> Result<AnswerStream, CliError> {
        // One attempt, so that a server that is not there is told at once.
        self.connect().await?;
        self.client
            .stream(statement, parameters.to_vec())
            .await
            .map_err(|error| CliError::of_statement(&error, statement))
    }

    /// Executes a statement whose answer is short.
    pub(crate) async fn collect(&self, statement: &str) -> Result<Answer, CliError> {
        self.connect().await?;
        self.client
            .execute(statement, ())
            .await
            .map_err(|error| CliError::of_statement(&error, statement))
    }
}
