//! How a client reaches its server: TCP, or whatever a program puts in its place (TLS, a Unix
//! socket, a pipe in a test).

use std::io;

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A stream of bytes in both directions.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Opens connections to one server, again and again.
pub trait Dial: Send + Sync + 'static {
    /// Opens a connection.
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>>;

    /// The server's address, for messages.
    fn address(&self) -> &str;
}

/// A host and port, looked up at each attempt.
pub(crate) struct Tcp {
    pub(crate) address: String,
}

impl Dial for Tcp {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>> {
        Box::pin(async {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }

    fn address(&self) -> &str {
        &self.address
    }
}
