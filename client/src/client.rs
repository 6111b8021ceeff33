//! The client: one connection at a time, shared by all clones, renewed when it breaks.

mod shared;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use tessera_protocol::message::{
    Datum, Failure, FailureCode, HoldTerms, Parameter, RequestBody, Summary, Welcome,
};
use tokio::{sync::Mutex, time::Instant};

use self::shared::Core;
use crate::{
    answer::{Answer, AnswerStream},
    bulk::{BulkOptions, BulkWriter, Refusal},
    dial::{Dial, Tcp},
    error::Error,
    expr::Expr,
    options::ClientOptions,
    params::Params,
    query::{
        dimension::DimensionQuery,
        portrait::Portrait,
        segment::{Cursor, Page, SegmentQuery, UserRow, UserStream},
        why::Why,
    },
    render::{QueryError, Writer},
    retry::{Repeat, Retries},
    submission::Submission,
    track::Track,
    write::Write,
};

/// A client of one server. Clones share one connection and are cheap.
///
/// Every method that asks something may be dropped at any time: the request is then cancelled.
/// What was asked is asked again after a broken connection, or when the server is overloaded or
/// closing, wherever that is safe: for pings, for statements that only read (not `FETCH`), for
/// writes with an idempotency key, and for submissions with an id.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
    request_timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.core.dial.address())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a server at `host:port`.
    ///
    /// # Errors
    /// [`Error::Connect`] or [`Error::Handshake`] after one attempt.
    pub async fn connect(
        address: impl Into<String>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        let client = Self::lazy(address, options);
        client.server().await?;
        Ok(client)
    }

    /// A client of the server at `host:port` that connects when it is first asked something.
    pub fn lazy(address: impl Into<String>, options: ClientOptions) -> Self {
        Self::through(
            Tcp {
                address: address.into(),
            },
            options,
        )
    }

    /// A client that connects, when it is first asked something, in a way of the program's own.
    pub fn through(dial: impl Dial, options: ClientOptions) -> Self {
        let request_timeout = options.request_timeout;
        let slot = Mutex::default();
        Self {
            core: Arc::new(Core {
                dial: Box::new(dial),
                options,
                slot,
            }),
            request_timeout,
        }
    }

    /// The same client, on the same connection, with another time for each request.
    #[must_use]
    pub fn with_request_timeout(&self, request_timeout: Duration) -> Self {
        Self {
            core: Arc::clone(&self.core),
            request_timeout,
        }
    }

    /// What the server said of itself when it was connected to.
    ///
    /// # Errors
    /// The server cannot be connected to, or not within the time of a request.
    pub async fn server(&self) -> Result<Welcome, Error> {
        let connection = tokio::time::timeout(self.request_timeout, self.core.connection())
            .await
            .unwrap_or_else(|_| Err(self.core.out_of_reach(self.request_timeout)))?;
        Ok(connection.welcome().clone())
    }

    /// Executes one statement and collects its answer.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::AnswerTooLong`] when [`Self::stream`] should be used.
    pub async fn execute(
        &self,
        statement: impl Into<String>,
        params: impl Into<Params>,
    ) -> Result<Answer, Error> {
        let parameters = params.into().into_parameters();
        self.ask(RequestBody::Execute {
            statement: statement.into(),
            parameters,
        })
        .await
    }

    /// Executes one statement and gives its rows as they arrive. Returns once the columns are
    /// known; only until then is a statement repeated.
    ///
    /// # Errors
    /// See [`Error`]; the stream itself ends with one when the answer breaks off.
    pub async fn stream(
        &self,
        statement: impl Into<String>,
        params: impl Into<Params>,
    ) -> Result<AnswerStream, Error> {
        let parameters = params.into().into_parameters();
        let body = RequestBody::Execute {
            statement: statement.into(),
            parameters,
        };
        let mut retries = Retries::new(&self.core.options, Repeat::of(&body));
        loop {
            match self.begin_stream(&body).await {
                Ok(stream) => return Ok(stream),
                Err(error) => retries.pause_after(error).await?,
            }
        }
    }

    /// Applies changes, all or none.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Refused`] says which rule they break.
    pub async fn write(&self, write: Write) -> Result<Summary, Error> {
        Ok(self.ask(write.into_body()).await?.summary)
    }

    /// Gives a user tags.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn tag<T: Into<String>>(
        &self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<Summary, Error> {
        self.write(Write::new().tag(user, tags)).await
    }

    /// Gives a user tags on these terms: since when, until when, and on whose word.
    ///
    /// ```no_run
    /// # use tessera_client::{Client, Error, HoldEnd, HoldTerms, TimeUnit};
    /// # async fn example(client: Client) -> Result<(), Error> {
    /// let end = HoldEnd::After { amount: 30, unit: TimeUnit::Day };
    /// client.hold("u1", ["member"], HoldTerms { end, ..HoldTerms::default() }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn hold<T: Into<String>>(
        &self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
        terms: HoldTerms,
    ) -> Result<Summary, Error> {
        self.write(Write::new().hold(user, tags, terms)).await
    }

    /// Takes tags from a user.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn untag<T: Into<String>>(
        &self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<Summary, Error> {
        self.write(Write::new().untag(user, tags)).await
    }

    /// Forgets that tags were given to a user or taken by hand, so that their rules decide again.
    /// It is not repeated after a broken connection; the program may do so itself.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Query`] if there are no tags.
    pub async fn clear_tag<T: Into<String>>(
        &self,
        user: impl Into<String>,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<Summary, Error> {
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        let statement = clear_tag(user.into(), &tags)?;
        Ok(self.execute_built(statement).await?.summary)
    }

    /// Sets attributes of a user; [`Datum::Null`] clears one.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn set<N: Into<String>, V: Into<Datum>>(
        &self,
        user: impl Into<String>,
        values: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Summary, Error> {
        self.write(Write::new().set(user, values)).await
    }

    /// Notes what a user did.
    ///
    /// ```no_run
    /// # use tessera_client::{Client, Error, Track};
    /// # async fn example(client: Client) -> Result<(), Error> {
    /// client.execute("DEFINE EVENT purchase (amount INTEGER, channel ENUM)", ()).await?;
    /// let bought = Track::new("u1", "purchase").id("order-77").with("amount", 12);
    /// client.track(bought).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn track(&self, event: Track) -> Result<Summary, Error> {
        self.write(Write::new().track(event)).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn delete_user(&self, user: impl Into<String>) -> Result<Summary, Error> {
        self.write(Write::new().delete_user(user)).await
    }

    /// Submits a form: everything that its answers set is set, or nothing. With an id it is
    /// repeated after a broken connection, because the server takes it once; without one it is not.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Refused`] says all that is wrong with the answers.
    pub async fn submit_form(&self, submission: &Submission) -> Result<Summary, Error> {
        let (statement, parameters) = submission.to_text()?;
        let body = RequestBody::Execute {
            statement,
            parameters,
        };
        let answer = self.ask_repeating(&body, submission.repeat()).await?;
        Ok(answer.summary)
    }

    /// How many users satisfy the expression.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count(&self, expr: &Expr) -> Result<u64, Error> {
        let mut writer = Writer::default();
        writer.words("COUNT ");
        expr.write(&mut writer)?;
        let answer = self.execute_built(writer.finish()).await?;
        let count = match answer.rows.as_slice() {
            [row] => row.first().and_then(Datum::as_integer),
            _ => None,
        };
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| Error::Unexpected("a count that is not one number".to_owned()))
    }

    /// The users of a segment as they arrive.
    ///
    /// # Errors
    /// As for [`Self::stream`].
    pub async fn segment(&self, query: &SegmentQuery) -> Result<UserStream, Error> {
        let (statement, parameters) = query.to_text()?;
        self.stream(statement, parameters)
            .await
            .map(UserStream::new)
    }

    /// One page of a segment, as long as the query's limit.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn page(&self, query: &SegmentQuery) -> Result<Page, Error> {
        self.execute_built(query.to_text()?)
            .await
            .and_then(read_page)
    }

    /// The page that begins at the cursor, from the snapshot of the first one, with another
    /// length if one is given. It is not repeated after a broken connection.
    ///
    /// # Errors
    /// See [`Error`]; [`FailureCode::UnknownCursor`] when the server has forgotten it.
    pub async fn next_page(&self, cursor: &Cursor, limit: Option<u64>) -> Result<Page, Error> {
        let mut writer = Writer::default();
        writer.words("FETCH ");
        writer.value(&Datum::from(&cursor.0))?;
        if let Some(users) = limit {
            writer.words(" LIMIT ");
            writer.number(users);
        }
        self.execute_built(writer.finish())
            .await
            .and_then(read_page)
    }

    /// Gives a cursor's snapshot back before the server would forget it by itself.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn close_cursor(&self, cursor: &Cursor) -> Result<(), Error> {
        self.execute("CLOSE $1", Params::new().value(&cursor.0))
            .await
            .map(|_| ())
    }

    /// How many, split by what.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dimension(&self, query: &DimensionQuery) -> Result<Answer, Error> {
        self.execute_built(query.to_text()?).await
    }

    /// Everything known of a user; none when there is no such user.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn portrait(&self, key: impl Into<String>) -> Result<Option<Portrait>, Error> {
        let key = key.into();
        match self.execute("PORTRAIT $1", Params::new().value(&key)).await {
            Ok(answer) => Portrait::read(&key, answer),
            Err(Error::Refused(Failure {
                code: FailureCode::UnknownName,
                ..
            })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why a user is in an expression, or is not; none when there is no such user.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn why(&self, key: impl Into<String>, expr: &Expr) -> Result<Option<Why>, Error> {
        let mut writer = Writer::default();
        writer.words("WHY ");
        writer.value(&Datum::from(key.into()))?;
        writer.words(" IN ");
        expr.write(&mut writer)?;
        self.execute_built(writer.finish())
            .await
            .and_then(Why::read)
    }

    /// Asks the server for a sign of life, and says how long that took.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ping(&self) -> Result<Duration, Error> {
        let started = StdInstant::now();
        self.ask(RequestBody::Ping).await?;
        Ok(started.elapsed())
    }

    /// What the server says about its own state.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn status(&self) -> Result<Answer, Error> {
        self.execute("SHOW STATUS", ()).await
    }

    /// Begins to write many changes. Refused ones are collected for the report.
    pub fn bulk(&self, options: &BulkOptions) -> BulkWriter {
        BulkWriter::start(self, options, None)
    }

    /// Begins to write many changes. Each refused one is given to `on_refusal` as soon as it is
    /// known, by one call at a time; the report only counts them.
    pub fn bulk_with(
        &self,
        options: &BulkOptions,
        on_refusal: impl FnMut(Refusal) + Send + 'static,
    ) -> BulkWriter {
        BulkWriter::start(self, options, Some(Box::new(on_refusal)))
    }

    /// How many changes the server takes in one write, if that is known already.
    pub(crate) fn mutations_max(&self) -> Option<usize> {
        let slot = self.core.slot.try_lock().ok()?;
        let connection = slot.connection.as_ref()?;
        usize::try_from(connection.welcome().mutations_max).ok()
    }

    async fn execute_built(
        &self,
        (statement, parameters): (String, Vec<Parameter>),
    ) -> Result<Answer, Error> {
        self.ask(RequestBody::Execute {
            statement,
            parameters,
        })
        .await
    }

    async fn ask(&self, body: RequestBody) -> Result<Answer, Error> {
        self.ask_again(&body).await
    }

    /// Asks, as often as it is safe and within the request's time, until there is an answer.
    pub(crate) async fn ask_again(&self, body: &RequestBody) -> Result<Answer, Error> {
        self.ask_repeating(body, Repeat::of(body)).await
    }

    /// As [`Self::ask_again`], where whoever asks knows whether it is safe.
    async fn ask_repeating(&self, body: &RequestBody, repeat: Repeat) -> Result<Answer, Error> {
        let deadline = Instant::now().checked_add(self.request_timeout);
        let asking = async {
            let mut retries = Retries::new(&self.core.options, repeat);
            loop {
                match self.ask_once(body, deadline).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => retries.pause_after(error).await?,
                }
            }
        };
        let end = deadline.and_then(|deadline| deadline.checked_add(self.core.options.grace));
        self.in_time(end, asking).await
    }

    async fn ask_once(
        &self,
        body: &RequestBody,
        deadline: Option<Instant>,
    ) -> Result<Answer, Error> {
        let options = &self.core.options;
        let connection = self.core.connection().await?;
        let response = connection
            .request(body, deadline, options.rows_messages_credit)
            .await?;
        Answer::collect(response, options.answer_rows_max).await
    }

    /// Without a deadline at the server: how long a stream takes is up to its reader. So there is
    /// no word of the server's to wait for when the time is over, and no grace.
    async fn begin_stream(&self, body: &RequestBody) -> Result<AnswerStream, Error> {
        let options = &self.core.options;
        let beginning = async {
            let connection = self.core.connection().await?;
            let response = connection
                .request(body, None, options.rows_messages_credit)
                .await?;
            AnswerStream::begin(response, self.request_timeout).await
        };
        self.in_time(Instant::now().checked_add(self.request_timeout), beginning)
            .await
    }

    /// Waits no longer than until the end, if there is one. Dropping `asking` cancels what it
    /// asked.
    async fn in_time<T>(
        &self,
        end: Option<Instant>,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let Some(end) = end else {
            return asking.await;
        };
        tokio::time::timeout_at(end, asking)
            .await
            .unwrap_or_else(|_| {
                self.core.suspect(started);
                Err(Error::Timeout(self.request_timeout))
            })
    }
}

/// `CLEAR TAG $1 WITH "vip"`, and the user's key beside it.
fn clear_tag(user: String, tags: &[String]) -> Result<(String, Vec<Parameter>), QueryError> {
    let mut writer = Writer::default();
    writer.words("CLEAR TAG ");
    writer.value(&Datum::from(user))?;
    writer.words(" WITH ");
    writer.list("tags", tags, |writer, tag| writer.named(tag))?;
    Ok(writer.finish())
}

fn read_page(answer: Answer) -> Result<Page, Error> {
    let users = answer
        .rows
        .into_iter()
        .map(UserRow::read)
        .collect::<Result<_, _>>()?;
    Ok(Page {
        users,
        cursor: answer.summary.cursor.map(Cursor),
    })
}

#[cfg(test)]
mod tests;
