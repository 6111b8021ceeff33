//! The server as a whole: it starts, it listens, it stops.
//!
//! Knows the order of things. Opens the store before it listens, so that nobody is let in to
//! a house without floors; stops in the opposite order. Does not know signals or the command
//! line: a test starts it in its own process.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tessera_engine::{database::OpenError, time::Clock};
use tessera_protocol::message::FailureCode;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::Instrument as _;

use crate::{
    config::Config,
    database,
    door::{CloseError, Door, Engine, Panicked, apart},
    map::failure,
    session::{self, Context},
    sweeper::sweep_now_and_then,
};

/// Connections beyond the limit that are told so at once; further ones are just closed.
const REFUSALS_MAX: usize = 64;

/// How long the listener rests when the system gives it no connection, say for want of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long requests have to notice that they are stopped, before the server gives them up.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nobody can listen there.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: String,
        /// Why not.
        source: io::Error,
    },
    /// A defect.
    #[error("the store in {} could not be opened: the engine panicked", .0.display())]
    Panicked(PathBuf),
}

/// Why the server did not stop in order. Every acknowledged write is safe nevertheless.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Calls into the engine did not end; the store was not closed.
    #[error("requests did not end in time, the store was not closed")]
    Stuck,
    /// Closing the store failed.
    #[error("the store was not closed in order: {0}")]
    Close(#[from] CloseError),
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that listens. Dropping it stops it, but waits for nothing: see [`Self::shutdown`].
pub struct RunningServer {
    address: SocketAddr,
    context: Arc<Context>,
    listener: JoinHandle<()>,
    grace: Duration,
}

impl Server {
    /// Opens the store and listens. Returns once connections are taken.
    ///
    /// # Errors
    /// The store cannot be opened, or the address is not to be had.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<RunningServer, StartError> {
        let engine = apart({
            let (config, clock) = (config.clone(), Arc::clone(&clock));
            move || database::open(&config, clock)
        });
        let engine = engine
            .await
            .map_err(|Panicked| StartError::Panicked(config.data_dir.clone()))??;
        Self::start_with(&config, clock, engine).await
    }

    /// Listens, with an engine that is open already. Should that fail, the engine is closed.
    ///
    /// # Errors
    /// The address is not to be had.
    pub async fn start_with(
        config: &Config,
        clock: Arc<dyn Clock>,
        engine: Arc<dyn Engine>,
    ) -> Result<RunningServer, StartError> {
        let door = Door::new(engine, &config.limits);
        let context = Arc::new(Context::new(config, door, clock));
        let bound = bind(&config.listen).await;
        let (listener, address) = match bound {
            Ok(bound) => bound,
            Err(source) => {
                if let Err(error) = context.door.close().await {
                    tracing::error!(%error, "closing the store failed");
                }
                return Err(StartError::Listen {
                    listen: config.listen.clone(),
                    source,
                });
            }
        };
        let connections_max = config.limits.connections_max as usize;
        let listener = tokio::spawn(accept(listener, Arc::clone(&context), connections_max));
        context
            .tasks
            .spawn(sweep_now_and_then(Arc::clone(&context)));
        tracing::info!(%address, data_dir = %config.data_dir.display(), "listening");
        Ok(RunningServer {
            address,
            context,
            listener,
            grace: Duration::from_millis(config.shutdown_grace_ms),
        })
    }
}

impl RunningServer {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops: takes no further connection or request, waits for what is under way as long as
    /// configured, stops the rest, and closes the store.
    ///
    /// # Errors
    /// The store could not be closed.
    pub async fn shutdown(mut self) -> Result<(), StopError> {
        tracing::info!("closing");
        self.context.closing.cancel();
        if let Err(error) = (&mut self.listener).await {
            tracing::error!(%error, "the listener failed");
        }
        let context = &self.context;
        context.tasks.close();
        if timeout(self.grace, context.tasks.wait()).await.is_err() {
            tracing::warn!("requests are still under way, stopping them");
            context.aborting.cancel();
        }
        let ended = async {
            context.tasks.wait().await;
            context.door.calls_ended().await;
        };
        timeout(STOP_TIME, ended)
            .await
            .map_err(|_| StopError::Stuck)?;
        context.door.close().await?;
        tracing::info!("closed");
        Ok(())
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.context.closing.cancel();
        self.context.aborting.cancel();
    }
}

async fn bind(listen: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(listener: TcpListener, context: Arc<Context>, connections_max: usize) {
    let connections = Arc::new(Semaphore::new(connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let mut connection = 0_u64;
    loop {
        let accepted = tokio::select! {
            biased;
            () = context.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        connection += 1;
        let span = tracing::info_span!("connection", connection, %peer);
        let place = Arc::clone(&connections).try_acquire_owned();
        let refusal = Arc::clone(&refusals).try_acquire_owned();
        match (place, refusal) {
            (Ok(place), _) => {
                let served = serve(stream, Arc::clone(&context));
                let served = async move {
                    served.await;
                    drop(place);
                };
                context.tasks.spawn(served.instrument(span));
            }
            (Err(_), Ok(refusal)) => {
                let refused = refuse(stream, Arc::clone(&context));
                let refused = async move {
                    refused.await;
                    drop(refusal);
                };
                context.tasks.spawn(refused.instrument(span));
            }
            (Err(_), Err(_)) => drop(stream),
        }
    }
}

async fn serve(stream: TcpStream, context: Arc<Context>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small messages may be delayed");
    }
    let (read, write) = stream.into_split();
    session::run(read, write, context).await;
    tracing::info!("disconnected");
}

async fn refuse(stream: TcpStream, context: Arc<Context>) {
    tracing::warn!("refused: as many connections as allowed are open");
    let (read, write) = stream.into_split();
    let failure = failure(
        FailureCode::Overloaded,
        "the server has as many connections as it is configured to take",
    );
    session::refuse(read, write, failure, &context).await;
}
