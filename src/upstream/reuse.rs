//! Remembers of each connection whether it has carried an answer before. A kept connection that turns out to be dead says
//! nothing of the provider; a new one does.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Shared by a connection and by what was sent over it.
#[derive(Clone, Debug, Default)]
struct Carried(Arc<AtomicBool>);

/// An answer came over its connection, which may be used again.
pub fn note_answer(extensions: &http::Extensions) {
    if let Some(carried) = extensions.get::<Carried>() {
        carried.0.store(true, Ordering::Relaxed);
    }
}

/// The call failed on a connection that had carried answers before.
pub fn was_reused(error: &Error) -> bool {
    let mut extensions = http::Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut extensions);
    }
    let carried = extensions.get::<Carried>();
    carried.is_some_and(|carried| carried.0.load(Ordering::Relaxed))
}

/// A connection with that memory.
#[derive(Debug)]
pub struct Remembered<T> {
    io: T,
    carried: Carried,
}

impl<T> Remembered<T> {
    pub fn new(io: T) -> Self {
        Self {
            io,
            carried: Carried::default(),
        }
    }
}

impl<T: Connection> Connection for Remembered<T> {
    fn connected(&self) -> Connected {
        self.io.connected().extra(self.carried.clone())
    }
}

impl<T: Read + Unpin> Read for Remembered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Remembered<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }
}
