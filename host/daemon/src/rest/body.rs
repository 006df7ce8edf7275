//! Request bodies: read whole, within a bound and a deadline, before anything judges them.
//!
//! A body that is too large is read away, up to a second bound, so that its client gets to see the answer: closing
//! a socket with unread bytes destroys what was sent to the other side.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use motey_core::spec::Format;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};

use super::error::Problem;
use super::server::Limits;
use crate::cause::chain;

/// So much of what is too large is read away; a client that sends more sees its connection closed.
const READ_AWAY: usize = 64 << 20;
const READ_AWAY_TIME: Duration = Duration::from_secs(5);

/// What a blueprint may be sent as.
const BLUEPRINT_TYPES: &str = "application/x-yaml, application/yaml, text/yaml, application/json";

/// Reads a body to its end.
pub(super) async fn collect<S, B>(stream: S, headers: &HeaderMap, limits: &Limits) -> Result<Bytes, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    if headers.contains_key(EXPECT) && announced(headers) > limits.body {
        // the client waits for a word before it sends anything
        return Err(Problem::LargeBody(limits.body));
    }
    let mut stream = pin!(stream);
    let Ok(read) = timeout(limits.body_time, whole(stream.as_mut(), limits.body)).await else {
        return Err(Problem::SlowBody(limits.body_time.as_secs()));
    };
    if let Err(Problem::LargeBody(_)) = read {
        // how far this gets changes nothing about the answer
        let _ = timeout(READ_AWAY_TIME, read_away(stream)).await;
    }
    read
}

fn announced(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// A body in one piece is not copied.
async fn whole<S, B>(mut stream: Pin<&mut S>, limit: usize) -> Result<Bytes, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(piece) = next(stream.as_mut()).await? {
        if first.len() + rest.len() + piece.len() > limit {
            return Err(Problem::LargeBody(limit));
        }
        if first.is_empty() && rest.is_empty() {
            first = piece;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&piece);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

async fn read_away<S, B>(mut stream: Pin<&mut S>) -> Result<(), Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let mut seen = 0;
    while let Some(piece) = next(stream.as_mut()).await? {
        seen += piece.len();
        if seen > READ_AWAY {
            break;
        }
    }
    Ok(())
}

async fn next<S, B>(mut stream: Pin<&mut S>) -> Result<Option<Bytes>, Problem>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    match poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        None => Ok(None),
        Some(Ok(mut piece)) => Ok(Some(piece.copy_to_bytes(piece.remaining()))),
        Some(Err(error)) => Err(Problem::BrokenBody(chain(&error))),
    }
}

/// The language that the headers say a blueprint is written in.
pub(super) fn blueprint_format(headers: &HeaderMap) -> Result<Format, Problem> {
    let given = content_type(headers, BLUEPRINT_TYPES)?;
    match given.as_str() {
        "application/x-yaml" | "application/yaml" | "text/yaml" => Ok(Format::Yaml),
        "application/json" => Ok(Format::Json),
        _ => Err(Problem::MediaType { given, accept: BLUEPRINT_TYPES }),
    }
}

/// Takes no body but one that is said to be JSON.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    const ACCEPT: &str = "application/json";
    let given = content_type(headers, ACCEPT)?;
    if given == ACCEPT { Ok(()) } else { Err(Problem::MediaType { given, accept: ACCEPT }) }
}

/// Reads a small JSON body.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    is_json(headers)?;
    serde_json::from_slice(body).map_err(|error| Problem::Body(error.to_string()))
}

/// Takes no body but an empty one or `{}`: nothing that a client says is silently ignored.
pub(super) fn nothing(body: &[u8]) -> Result<(), Problem> {
    match body.trim_ascii() {
        b"" | b"{}" => Ok(()),
        _ => Err(Problem::Body("nothing is expected here".into())),
    }
}

/// In lower case and without its parameters: any is tolerated but a charset other than UTF-8.
fn content_type(headers: &HeaderMap, accept: &'static str) -> Result<String, Problem> {
    let refuse = |given: &str| Problem::MediaType { given: given.to_owned(), accept };
    let given = headers.get(CONTENT_TYPE).ok_or_else(|| refuse("a body without Content-Type"))?;
    let text = given.to_str().map_err(|_| refuse("an unreadable Content-Type"))?;
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let foreign = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset") && !is_utf8(value.trim().trim_matches('"'))
    });
    if foreign { Err(refuse(text)) } else { Ok(essence) }
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(content_type: &str) -> Result<Format, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        blueprint_format(&headers)
    }

    #[test]
    fn parameters_are_tolerated_and_foreign_charsets_are_not() {
        assert_eq!(format("application/x-yaml").ok(), Some(Format::Yaml));
        assert_eq!(format("Text/YAML; charset=UTF-8").ok(), Some(Format::Yaml));
        assert_eq!(format("application/json;charset=\"utf-8\"; x=y").ok(), Some(Format::Json));
        for wrong in ["application/x-yaml; charset=latin1", "text/plain", "yaml", ";"] {
            assert!(matches!(format(wrong), Err(Problem::MediaType { .. })), "{wrong}");
        }
        assert!(blueprint_format(&HeaderMap::new()).is_err());
    }

    #[test]
    fn an_unexpected_body_is_refused() {
        assert!(nothing(b" \n").is_ok());
        assert!(nothing(b"{}").is_ok());
        assert!(nothing(b"{\"grace\": 1}").is_err());
    }
}
