//! `/v1/service/{id}/logs`: what its instances wrote, streamed from their engines; nothing of it is kept here.
//!
//! One instance's output comes as it is. Of several, every line is preceded by the slot it is of: one after another
//! when they end, as the lines come when they are followed. One of several that cannot be read says so in its place.

use std::convert::Infallible;
use std::fmt::{self, Display};
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use motey_core::id::ServiceId;
use motey_core::project::ServiceStatus;
use motey_core::record::{InstanceKey, Place, SlotId};
use motey_core::step::EngineError;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use warp::Reply;
use warp::http::HeaderValue;
use warp::http::header::CONTENT_TYPE;

use super::error::Problem;
use super::query::Query;
use super::service::service_id;
use super::{Call, Outcome};
use crate::config::Span;
use crate::engines::LogsWish;

/// At most so many instances in one answer: each holds a stream of its engine open.
const MOST_INSTANCES: usize = 16;

/// Pieces that wait for a slow client; the engines wait for it then.
const PIECES: usize = 16;
const PIECE: usize = 16 << 10;

/// Which instances' output, and which part of it.
struct Wanted {
    image: Option<String>,
    slot: Option<WantedPlace>,
    wish: LogsWish,
}

/// A slot as `?slot=` names it: by its number, or by the node that it belongs to.
#[derive(Clone, Copy)]
struct WantedPlace(Place);

impl FromStr for WantedPlace {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(ordinal) => Ok(Self(Place::Ordinal(ordinal))),
            Err(_) => text.parse().map(|node| Self(Place::On(node))),
        }
    }
}

impl Display for WantedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Ordinal(ordinal) => ordinal.fmt(f),
            Place::On(node) => node.fmt(f),
        }
    }
}

/// `GET /v1/service/{id}/logs?image=&slot=&tail=&since=&follow=`
pub(super) async fn read(id: String, mut call: Call) -> Outcome {
    let id = service_id(&id)?;
    let wanted = Wanted::read(&mut call.query)?;
    let (_, status) = call.api.service(id)?;
    let keys = wanted.among(id, &status)?;
    let node = call.api.node.clone();
    let sources = open(keys, move |key| {
        let node = node.clone();
        async move { node.logs(&key, wanted.wish).await }
    })
    .await?;
    let (to, output) = mpsc::channel(PIECES);
    if wanted.wish.follow {
        for source in sources {
            tokio::spawn(pump(vec![source], to.clone(), call.api.closing.clone()));
        }
    } else {
        tokio::spawn(pump(sources, to, call.api.closing.clone()));
    }
    let mut response = warp::reply::stream(Output(output)).into_response();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

impl Wanted {
    fn read(query: &mut Query) -> Result<Self, Problem> {
        let image = query.text("image")?;
        let slot = query.value("slot", "the number of a slot, or the id of its node")?;
        let tail = query.value("tail", "a number of lines")?;
        let since = query.value::<Span>("since", "a span of time such as 90s, 5m, 2h or 1d")?;
        let since_ms = since.map(|Span(since)| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let wish = LogsWish { follow: query.switch("follow")?, tail, since_ms };
        query.end("`image`, `slot`, `tail`, `since` and `follow`")?;
        Ok(Self { image, slot, wish })
    }

    /// The instances of a service that are wanted.
    fn among(&self, service: ServiceId, status: &ServiceStatus) -> Result<Vec<InstanceKey>, Problem> {
        let slots = status.images.iter().flat_map(|image| &image.slots);
        let keys: Vec<_> = slots
            .filter(|slot| self.fits(&slot.slot))
            .filter_map(|slot| Some(InstanceKey { service, slot: slot.slot.clone(), fence: slot.fence? }))
            .collect();
        match keys.len() {
            0 => Err(Problem::NoInstance(self.to_string())),
            1..=MOST_INSTANCES => Ok(keys),
            many => Err(Problem::Query(format!(
                "{many} instances fit, {MOST_INSTANCES} are shown at once; choose by `image` and `slot`"
            ))),
        }
    }

    fn fits(&self, slot: &SlotId) -> bool {
        self.image.as_deref().is_none_or(|image| image == slot.image.as_str())
            && self.slot.is_none_or(|WantedPlace(wanted)| wanted == slot.place)
    }
}

impl Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.image, self.slot) {
            (Some(image), Some(slot)) => write!(f, "{image:?} {slot}"),
            (Some(image), None) => write!(f, "of {image:?}"),
            (None, Some(slot)) => write!(f, "numbered {slot}"),
            (None, None) => f.write_str("at all"),
        }
    }
}

/// One instance's output on its way.
struct Source {
    output: Result<UnixStream, EngineError>,
    /// Precedes every line.
    label: Option<String>,
}

/// Opens them all at the same time, since a quiet one takes its while. Only when none opens is it a problem.
async fn open<F, O>(keys: Vec<InstanceKey>, opener: F) -> Result<Vec<Source>, Problem>
where
    F: Fn(InstanceKey) -> O,
    O: Future<Output = Result<UnixStream, EngineError>> + Send + 'static,
{
    let several = keys.len() > 1;
    let mut opening = JoinSet::new();
    for (at, key) in keys.into_iter().enumerate() {
        let label = several.then(|| format!("{} | ", key.slot));
        let opened = opener(key);
        opening.spawn(async move { (at, Source { output: opened.await, label }) });
    }
    let mut sources = opening.join_all().await;
    sources.sort_by_key(|(at, _)| *at);
    let sources: Vec<Source> = sources.into_iter().map(|(_, source)| source).collect();
    match sources.first().map(|source| &source.output) {
        Some(Err(error)) if sources.iter().all(|source| source.output.is_err()) => {
            Err(Problem::Engine(error.clone()))
        }
        _ => Ok(sources),
    }
}

/// Sends the sources' output one after another, for as long as somebody reads it and the node is not going down.
async fn pump(sources: Vec<Source>, to: mpsc::Sender<Bytes>, mut closing: watch::Receiver<bool>) {
    let all = async {
        for source in sources {
            if source.send(&to).await.is_none() {
                return;
            }
        }
    };
    tokio::select! {
        () = all => {}
        () = to.closed() => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

impl Source {
    /// `None` when nobody reads any more.
    async fn send(self, to: &mpsc::Sender<Bytes>) -> Option<()> {
        let Self { output, label } = self;
        match output {
            Ok(stream) => copy(stream, label.as_deref(), to).await,
            Err(error) => to.send(unread(label.as_deref(), &error.message)).await.ok(),
        }
    }
}

/// `None` when nobody reads any more.
async fn copy(mut stream: UnixStream, label: Option<&str>, to: &mpsc::Sender<Bytes>) -> Option<()> {
    let mut read = BytesMut::with_capacity(PIECE);
    loop {
        read.reserve(PIECE);
        let broken = stream.read_buf(&mut read).await;
        let ended = !matches!(broken, Ok(1..));
        let piece = match label {
            None => read.split().freeze(),
            Some(label) => labelled(label, &mut read, ended),
        };
        if !piece.is_empty() {
            to.send(piece).await.ok()?;
        }
        if let Err(error) = broken {
            to.send(unread(label, &error.to_string())).await.ok()?;
        }
        if ended {
            return Some(());
        }
    }
}

/// What stands where an instance's output should.
fn unread(label: Option<&str>, why: &str) -> Bytes {
    let mut line = BytesMut::from(format!("-- its output cannot be read: {why}").as_str());
    labelled(label.unwrap_or_default(), &mut line, true)
}

/// Takes the whole lines out of `read` and writes `label` before each. A line that does not end is cut, at the end of
/// the output or after [`PIECE`] bytes.
fn labelled(label: &str, read: &mut BytesMut, ended: bool) -> Bytes {
    let whole = match read.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        None if ended || read.len() >= PIECE => read.len(),
        None => 0,
    };
    let whole = if ended { read.len() } else { whole };
    let mut piece = BytesMut::with_capacity(whole + label.len());
    for line in read.split_to(whole).split_inclusive(|byte| *byte == b'\n') {
        piece.extend_from_slice(label.as_bytes());
        piece.extend_from_slice(line);
    }
    if !piece.is_empty() && !piece.ends_with(b"\n") {
        piece.extend_from_slice(b"\n");
    }
    piece.freeze()
}

/// The pieces as warp wants them.
struct Output(mpsc::Receiver<Bytes>);

impl Stream for Output {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|piece| piece.map(Ok))
    }
}

#[cfg(test)]
mod tests;
