//! Connections: accepted, bounded in number and time, and brought to an end. What is said on them is not known here.
//!
//! An own loop over hyper, because warp's has no deadline for headers and no bound on connections.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use warp::http::Request;
use warp::reply::Response;

use super::patient::Patient;
use super::seats::{Busy, Seat, Seats};
use super::{Api, Rest, Works, status};

/// What a client may take of the node.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of a body.
    pub body: usize,
    /// The most connections at once, on each door.
    pub connections: usize,
    /// The longest a connection may be silent before, or take to send, the head of a request.
    pub header_time: Duration,
    /// The longest a body may take to arrive.
    pub body_time: Duration,
    /// The longest a client may take nothing of what is sent to it.
    pub send_time: Duration,
    /// The longest that answers under way may take once the node goes down.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            connections: 256,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            send_time: Duration::from_secs(60),
            drain_time: Duration::from_secs(5),
        }
    }
}

/// Through which door a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp,
    Unix,
}

/// What is said on a connection: warp's service, whose own type has no name.
trait Speak:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Speak for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The largest head of a request.
const HEAD: usize = 64 << 10;

/// The pause after a failed accept: out of descriptors, most likely, and asking at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves both doors until `shutdown`, then lets what is under way end, for [`Limits::drain_time`] at most.
///
/// The socket file of `unix` is removed at the end.
pub async fn serve(
    tcp: Option<TcpListener>,
    unix: Option<UnixListener>,
    rest: Rest,
    shutdown: impl Future<Output = ()>,
) {
    let (close, closing) = watch::channel(false);
    let Rest { node, auth, state_dir, limits } = rest;
    let gauge = Arc::new(status::Gauge::new(state_dir));
    let api = Arc::new(Api { node, auth, limits, gauge, apart: Works::new(), closing: closing.clone() });
    let routes = TowerToHyperService::new(warp::service(super::routes(&api)));

    let mut doors = JoinSet::new();
    let listeners = tcp.map(Listener::Tcp).into_iter().chain(unix.map(Listener::Unix));
    for listener in listeners {
        let door = Door { routes: routes.clone(), limits, closing: closing.clone() };
        doors.spawn(door.keep(listener));
    }
    shutdown.await;
    close.send_replace(true);
    while doors.join_next().await.is_some() {}
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Listener {
    fn peer(&self) -> Peer {
        match self {
            Self::Tcp(_) => Peer::Tcp,
            Self::Unix(_) => Peer::Unix,
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Wire>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }

    fn close(self) {
        if let Self::Unix(listener) = self
            && let Ok(address) = listener.local_addr()
            && let Some(path) = address.as_pathname()
        {
            // whoever finds it left over replaces it
            let _ = std::fs::remove_file(path);
        }
    }
}

#[derive(Clone)]
struct Door<S> {
    routes: S,
    limits: Limits,
    closing: watch::Receiver<bool>,
}

impl<S: Speak> Door<S> {
    async fn keep(self, listener: Listener) {
        let seats = Seats::new(self.limits.connections);
        let mut connections = JoinSet::new();
        let mut closing = self.closing.clone();
        let peer = listener.peer();
        loop {
            let accepted = tokio::select! {
                _ = closing.wait_for(|closing| *closing) => break,
                accepted = accept(&listener, &seats) => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((wire, seat)) => drop(connections.spawn(self.clone().attend(wire, peer, seat))),
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        listener.close();
        let all = async { while connections.join_next().await.is_some() {} };
        if timeout(self.limits.drain_time, all).await.is_err() {
            log::warn!("{} connections were cut off", connections.len());
        }
    }

    async fn attend(mut self, wire: Box<dyn Wire>, peer: Peer, seat: Arc<Seat>) {
        let wire = Patient::new(wire, self.limits.send_time, Arc::clone(&seat));
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let busy = seat.work();
            let answer = self.routes.call(request);
            async move { Ok::<_, Infallible>(answer.await?.map(|body| Tracked { body, _busy: busy })) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.limits.header_time).max_buf_size(HEAD);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(wire), service));
        let mut draining = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    ended.unwrap_or_else(|error| log::debug!("a connection ended: {error}"));
                    return;
                }
                () = seat.wanted() => if seat.is_idle() { return },
                _ = self.closing.wait_for(|closing| *closing), if !draining => {
                    draining = true;
                    if seat.is_idle() { return }
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

async fn accept(listener: &Listener, seats: &Arc<Seats>) -> io::Result<(Box<dyn Wire>, Arc<Seat>)> {
    let wire = listener.accept().await?;
    Ok((wire, seats.take().await))
}

/// An answer's body, which keeps its seat busy until there is nothing left of it to send.
struct Tracked<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
