//! What is sent must be taken: a client that reads nothing of its answer for a while is given up.
//!
//! Counts progress, not speed. A stream with nothing to send waits for nobody, however long that is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::seats::{Busy, Seat};

/// A connection that fails when its other end takes nothing for so long. While something waits to be taken, its seat
/// is busy.
pub(super) struct Patient<W> {
    wire: W,
    patience: Duration,
    seat: Arc<Seat>,
    waiting: Option<Waiting>,
}

/// Something was not taken yet.
struct Waiting {
    until: Pin<Box<Sleep>>,
    _busy: Busy,
}

impl<W> Patient<W> {
    pub(super) fn new(wire: W, patience: Duration, seat: Arc<Seat>) -> Self {
        Self { wire, patience, seat, waiting: None }
    }

    fn judge(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if let Some(waiting) = &mut self.waiting {
                waiting.until.as_mut().reset(Instant::now() + self.patience);
            }
            return written;
        }
        let Self { patience, seat, waiting, .. } = self;
        let waiting =
            waiting.get_or_insert_with(|| Waiting { until: Box::pin(sleep(*patience)), _busy: seat.work() });
        ready!(waiting.until.as_mut().poll(cx));
        let why = format!("the client took nothing for {} s", patience.as_secs_f32());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Patient<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write(cx, bytes);
        self.judge(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write_vectored(cx, pieces);
        self.judge(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        if flushed.is_ready() {
            self.waiting = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

impl<W: AsyncRead + Unpin> AsyncRead for Patient<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::seats::Seats;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const PATIENCE: Duration = Duration::from_millis(200);

    async fn pair() -> (Patient<DuplexStream>, DuplexStream, Arc<Seat>) {
        let (ours, theirs) = duplex(1000);
        let seat = Seats::new(1).take().await;
        (Patient::new(ours, PATIENCE, Arc::clone(&seat)), theirs, seat)
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (mut ours, _theirs, seat) = pair().await;
        ours.write_all(&[0; 1000]).await.expect("there is room");
        let began = Instant::now();
        let error = ours.write_all(&[0; 1]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= PATIENCE && !seat.is_idle());
    }

    #[tokio::test]
    async fn who_takes_a_little_is_waited_for_and_keeps_the_seat() {
        let (mut ours, mut theirs, seat) = pair().await;
        let began = Instant::now();
        let reading = async {
            for _ in 0..20 {
                tokio::time::sleep(PATIENCE / 10).await;
                assert!(!seat.is_idle());
                theirs.read_exact(&mut [0; 100]).await.expect("something is there");
            }
        };
        let writing = async {
            ours.write_all(&[0; 3000]).await.expect("it is read");
            ours.flush().await.expect("it is read");
        };
        tokio::join!(writing, reading);
        assert!(began.elapsed() > PATIENCE && seat.is_idle());
    }

    #[tokio::test]
    async fn a_pause_in_what_is_sent_is_nobodys_fault() {
        let (mut ours, mut theirs, _) = pair().await;
        for _ in 0..2 {
            let sent = async {
                ours.write_all(&[0; 1500]).await.expect("it is read");
                ours.flush().await.expect("it is read");
            };
            let mut taken = [0; 1500];
            let (_, taken) = tokio::join!(sent, theirs.read_exact(&mut taken));
            taken.expect("it came");
            tokio::time::sleep(PATIENCE * 2).await;
        }
    }
}
