//! A connection whose other end has to take what it asked for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long an answer waits for the other end to take more of it. A client that is alive takes something within
/// seconds; one that does not holds what was read for it, and its place.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// A stream that fails with [`io::ErrorKind::TimedOut`] when nothing that is to be written is taken for some time.
#[derive(Debug)]
pub(crate) struct Patience<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be taken.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    pub(crate) const fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            until: None,
        }
    }

    /// What a write came to; an error when it has waited for too long.
    fn within<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.until = None;
            return write;
        }
        let patience = self.patience;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(until.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.within(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.within(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.within(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.within(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_who_takes_a_little_is_not() {
        let (ours, mut theirs) = duplex(8);
        let mut ours = Patience::new(ours, SHORT);
        ours.write_all(&[1; 8]).await.unwrap();
        let refused = ours.write_all(&[2; 8]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        // The time begins anew with every byte, and does not run while nothing waits.
        let mut ours = Patience::new(ours.stream, Duration::from_secs(3600));
        let writing = tokio::spawn(async move { ours.write_all(&[3; 64]).await.map(|()| ours) });
        let mut taken = [0; 72];
        for byte in &mut taken {
            *byte = theirs.read_u8().await.unwrap();
        }
        assert_eq!(taken.get(8..), Some(&[3; 64][..]));
        let ours = writing.await.unwrap().unwrap();
        assert!(ours.until.is_none());
    }
}
