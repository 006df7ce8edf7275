//! Speaks HTTP/1.1 to one daemon: over its Unix socket, or over TCP with a token. One connection a request, each with a deadline.
//!
//! It knows no path and no answer of the API; those are the verbs' and `api.rs`'s. It retries nothing.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::api::Problem;
use crate::exit::Code;

/// How long the daemon may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The largest answer that is read whole: far above what a full node says, far below what would hurt.
const ANSWER_MOST: usize = 64 << 20;

/// Where the daemon listens.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// Its Unix socket; no token is needed there.
    Socket {
        /// The file.
        path: PathBuf,
        /// What else a person should know about how this path was found.
        remark: Option<String>,
    },
    /// Its TCP port, as `host:port`.
    Tcp {
        /// The host and the port, as in a URL.
        authority: String,
        /// What the requests show.
        token: Option<Token>,
    },
}

/// A secret, and where it is kept.
#[derive(Clone)]
pub struct Token {
    pub text: String,
    pub file: PathBuf,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the token in {}", self.file.display())
    }
}

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    deadline: Duration,
}

/// A body and its content type.
#[derive(Clone, Debug)]
pub struct Sent {
    pub content_type: &'static str,
    pub bytes: Bytes,
}

/// Why there is no answer, or not the hoped one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no daemon answers at {at}: {why}{}", next.as_deref().map(|next| format!("\n  {next}")).unwrap_or_default())]
    Unreachable { at: String, why: String, next: Option<String>, source: io::Error },
    #[error("{}", .0.told())]
    Problem(Box<Problem>),
    #[error("the daemon did not answer {what} within {after:?}")]
    TimedOut { what: String, after: Duration },
    #[error("the connection broke before the daemon had answered {what}: {source}")]
    Broken { what: String, source: hyper::Error },
    #[error(
        "the daemon's answer to {what} cannot be read: {why}; is it of another version than this program?"
    )]
    NotUnderstood { what: String, why: String },
}

impl ClientError {
    /// What the program ends with.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => Code::Unreachable,
            Self::Problem(problem) => problem.code(),
            Self::TimedOut { .. } => Code::TimedOut,
            Self::NotUnderstood { .. } => Code::Failed,
        }
    }

    /// The status of the daemon's refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            _ => None,
        }
    }
}

impl Client {
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, deadline: DEADLINE }
    }

    /// The answer of a GET, as JSON.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.json(Method::GET, path, None).await
    }

    /// The answer of a POST, as JSON.
    pub async fn post(&self, path: &str, body: Option<Sent>) -> Result<Value, ClientError> {
        self.json(Method::POST, path, body).await
    }

    /// The answer of a PUT, as JSON.
    pub async fn put(&self, path: &str, body: Option<Sent>) -> Result<Value, ClientError> {
        self.json(Method::PUT, path, body).await
    }

    /// The answer of a DELETE, as JSON.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.json(Method::DELETE, path, None).await
    }

    /// The answer of a change, as JSON; nothing when it was so already.
    pub async fn change(&self, method: Method, path: &str, body: Sent) -> Result<Option<Value>, ClientError> {
        let answer = self.json(method, path, Some(body)).await?;
        Ok(Some(answer).filter(|answer| !answer.is_null()))
    }

    /// The answer of a GET, as it is.
    pub async fn bytes(&self, path: &str) -> Result<Bytes, ClientError> {
        let what = format!("GET {path}");
        self.within(&what, async { whole(&what, self.open(Method::GET, path, None).await?).await }).await
    }

    /// The answer of a GET that may never end: the deadline is for its beginning.
    pub async fn stream(&self, path: &str) -> Result<Incoming, ClientError> {
        let what = format!("GET {path}");
        let begun = self.within(&what, async { self.open(Method::GET, path, None).await }).await?;
        Ok(begun.into_body())
    }

    async fn json(&self, method: Method, path: &str, body: Option<Sent>) -> Result<Value, ClientError> {
        let what = format!("{method} {path}");
        let bytes =
            self.within(&what, async { whole(&what, self.open(method, path, body).await?).await }).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| ClientError::NotUnderstood { what, why: error.to_string() })
    }

    async fn within<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::TimedOut { what: what.to_owned(), after: self.deadline }),
        }
    }

    /// Sends the request and reads the head of the answer; a refusal is read to its end and is an error.
    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<Sent>,
    ) -> Result<Response<Incoming>, ClientError> {
        let what = format!("{method} {path}");
        let broken = |source| ClientError::Broken { what: what.clone(), source };
        let mut sender = self.connect(&what).await?;
        let response = sender.send_request(self.request(method, path, body)?).await.map_err(broken)?;
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let status = response.status();
        let bytes = whole(&what, response).await?;
        let mut problem = problem(status, &bytes);
        if status == StatusCode::UNAUTHORIZED {
            problem.next = Some(self.about_token());
        }
        Err(ClientError::Problem(Box::new(problem)))
    }

    /// What to do about a daemon that does not know us.
    fn about_token(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp { token: Some(token), .. } => format!(
                "the token in {} is not that daemon's: its own is the file `token` in its state_dir",
                token.file.display()
            ),
            _ => "name the token's file with --token-file or MOTEY_TOKEN_FILE, or use the Unix socket"
                .to_owned(),
        }
    }

    async fn connect(&self, what: &str) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        match &self.endpoint {
            Endpoint::Socket { path, remark } => match UnixStream::connect(path).await {
                Ok(stream) => shake_hands(what, stream).await,
                Err(error) => Err(no_socket(path, remark.as_deref(), error)),
            },
            Endpoint::Tcp { authority, .. } => match TcpStream::connect(authority.as_str()).await {
                Ok(stream) => shake_hands(what, stream).await,
                Err(source) => Err(ClientError::Unreachable {
                    at: format!("http://{authority}"),
                    why: source.to_string(),
                    next: Some("is it running, and is that its [webserver] address and port?".to_owned()),
                    source,
                }),
            },
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Sent>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let what = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(path);
        request = match &self.endpoint {
            Endpoint::Socket { .. } => request.header(HOST, "localhost"),
            Endpoint::Tcp { authority, token } => {
                let request = request.header(HOST, authority);
                match token {
                    Some(token) => request.header(AUTHORIZATION, format!("Bearer {}", token.text)),
                    None => request,
                }
            }
        };
        let (request, bytes) = match body {
            Some(sent) => (request.header(CONTENT_TYPE, sent.content_type), sent.bytes),
            None => (request, Bytes::new()),
        };
        request.body(Full::new(bytes)).map_err(|error| ClientError::NotUnderstood {
            what,
            why: format!("the request cannot be made: {error}"),
        })
    }
}

/// `path` with those of `pairs` that have a value, percent-encoded (RFC 3986, section 2.3).
pub fn with_query(path: &str, pairs: &[(&str, Option<String>)]) -> String {
    let encoded = |value: &str| -> String {
        value
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let said = pairs.iter().filter_map(|(key, value)| Some(format!("{key}={}", encoded(value.as_deref()?))));
    let query = said.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The connection is driven beside the request and ends with its answer.
async fn shake_hands<S>(what: &str, stream: S) -> Result<SendRequest<Full<Bytes>>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|source| ClientError::Broken { what: what.to_owned(), source })?;
    // how it ends is seen by whoever waits for the answer
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn whole(what: &str, response: Response<Incoming>) -> Result<Bytes, ClientError> {
    match Limited::new(response.into_body(), ANSWER_MOST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(source) => ClientError::Broken { what: what.to_owned(), source: *source },
            Err(error) => ClientError::NotUnderstood { what: what.to_owned(), why: error.to_string() },
        }),
    }
}

/// What the daemon refused, also where somebody else answered in its place.
fn problem(status: StatusCode, bytes: &[u8]) -> Problem {
    let read = serde_json::from_slice::<Problem>(bytes).ok();
    let mut problem = read.unwrap_or_default();
    problem.status = status.as_u16();
    if problem.title.is_empty() {
        problem.title = status.canonical_reason().unwrap_or("refused").to_owned();
    }
    problem
}

fn no_socket(path: &Path, remark: Option<&str>, source: io::Error) -> ClientError {
    let (why, next) = match source.kind() {
        io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            "start it with `motey run`, or name its socket with --socket or MOTEY_SOCKET, or its configuration with --config or MOTEY_CONFIG".to_owned(),
        ),
        io::ErrorKind::PermissionDenied => (format!("permission denied; {}", owner(path)), allowed_by(path)),
        io::ErrorKind::ConnectionRefused => (
            "the file is there, but nobody listens".to_owned(),
            "the daemon has ended or is just starting: see its log".to_owned(),
        ),
        _ => (source.to_string(), "is that the socket of a Motey daemon?".to_owned()),
    };
    let next = [Some(next.as_str()), remark].into_iter().flatten().collect::<Vec<_>>().join("\n  ");
    ClientError::Unreachable { at: path.display().to_string(), why, next: Some(next), source }
}

/// Who may use the file, as far as one may know that.
fn owner(path: &Path) -> String {
    match fs::metadata(path) {
        Ok(file) if file.file_type().is_socket() => {
            format!(
                "the socket is of user {} and group {}, mode {:04o}",
                file.uid(),
                file.gid(),
                file.mode() & 0o7777
            )
        }
        Ok(_) => "the file is no socket".to_owned(),
        Err(error) => format!("its directory cannot be entered: {error}"),
    }
}

fn allowed_by(path: &Path) -> String {
    let group =
        fs::metadata(path).map_or_else(|_| "motey".to_owned(), |file| format!("with id {}", file.gid()));
    format!("use sudo, or have root add you to the group {group} and log in again")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_daemon_that_says_nothing_is_not_waited_for_longer_than_the_deadline() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("mute.sock");
        let _mute = UnixListener::bind(&path).expect("a socket");
        let deadline = Duration::from_millis(50);
        let client = Client { endpoint: Endpoint::Socket { path, remark: None }, deadline };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let error = runtime.block_on(client.get("/v1")).expect_err("no answer");
        assert_eq!(error.to_string(), "the daemon did not answer GET /v1 within 50ms");
        assert_eq!(error.code(), Code::TimedOut);
    }

    #[test]
    fn a_query_is_encoded_and_has_only_what_is_said() {
        let path = with_query("/v1/x", &[("a", Some("ü &=".into())), ("b", None), ("c", Some("1".into()))]);
        assert_eq!(path, "/v1/x?a=%C3%BC%20%26%3D&c=1");
        assert_eq!(with_query("/v1/x", &[("b", None)]), "/v1/x");
    }
}
