//! Who may speak: the token of TCP clients, and the names under which a node answers them.
//!
//! The Unix socket is guarded by its mode, and needs no token. A browser is the enemy here: a page of another site
//! can make it send requests to the loopback address, so foreign host names and foreign origins are turned away.

use std::fs::{self, File, OpenOptions};
use std::future::ready;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use subtle::ConstantTimeEq;
use warp::filters::path::FullPath;
use warp::host::Authority;
use warp::http::HeaderMap;
use warp::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use warp::{Filter, Rejection};

use super::Api;
use super::error::{Problem, Turned};
use super::server::Peer;

/// What TCP clients have to show.
#[derive(Debug)]
pub enum Auth {
    /// This token, as `Authorization: Bearer TOKEN`.
    Token(Token),
    /// Nothing.
    None,
}

/// A secret that names its bearer as allowed.
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system has no randomness to give.
    #[error("cannot draw a token")]
    Draw(#[source] getrandom::Error),
    /// The file cannot be read or made.
    #[error("cannot use the token file {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its content can be guessed.
    #[error("the token in {} has fewer than {SHORTEST} characters; remove the file and a new one is made", .0.display())]
    Short(PathBuf),
}

const SHORTEST: usize = 16;

impl Token {
    /// Reads the token in `path`; makes one, readable for its owner alone, where there is no such file.
    ///
    /// # Errors
    /// When the file cannot be used or holds a token that is too short.
    pub fn load_or_create(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::File { path: path.into(), source };
        match fs::read_to_string(path) {
            Ok(text) => Self::keep(path, text.trim()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::draw().map_err(TokenError::Draw)?;
                token.store(path).map_err(failed)?;
                Ok(token)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn keep(path: &Path, text: &str) -> Result<Self, TokenError> {
        let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            log::warn!("{} can be read by others; chmod 0600 would keep it to its owner", path.display());
        }
        if text.len() < SHORTEST { Err(TokenError::Short(path.into())) } else { Ok(Self(text.into())) }
    }

    fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// By rename, so that no crash leaves half a token.
    fn store(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", self.0)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }

    /// In a time that tells nothing about the token but its length.
    fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// Turns away who may not speak; before the route table, so that a stranger does not even learn what exists.
pub(super) fn gate(api: Arc<Api>) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::path::full()
        .and(warp::ext::get::<Peer>())
        .and(named_host())
        .and(warp::header::headers_cloned())
        .and_then(move |path: FullPath, peer, host: Option<Authority>, headers: HeaderMap| {
            let admitted = match peer {
                Peer::Unix => Ok(()),
                Peer::Tcp => admit(&api.auth, path.as_str(), host.as_ref(), &headers),
            };
            ready(admitted.map_err(Turned::away))
        })
        .untuple_one()
}

/// Whom the request is for, after its target and its header `Host`, which must not contradict each other.
fn named_host() -> impl Filter<Extract = (Option<Authority>,), Error = Rejection> + Clone {
    let unclear = || Problem::ForeignHost("(unclear)".into());
    warp::host::optional().or_else(move |_| ready(Err(Turned::away(unclear()))))
}

fn admit(auth: &Auth, path: &str, host: Option<&Authority>, headers: &HeaderMap) -> Result<(), Problem> {
    match host {
        Some(host) if is_loopback(host.host()) => {}
        Some(host) => return Err(Problem::ForeignHost(host.to_string())),
        None => return Err(Problem::ForeignHost(String::new())),
    }
    if let Some(origin) = text(headers, ORIGIN)
        && !same(origin, text(headers, HOST))
    {
        return Err(Problem::ForeignOrigin(origin.to_owned()));
    }
    match auth {
        Auth::None => Ok(()),
        Auth::Token(_) if matches!(path, "/healthz" | "/readyz") => Ok(()),
        Auth::Token(token) if bearer(headers).is_some_and(|given| token.is(given)) => Ok(()),
        Auth::Token(_) => Err(Problem::Unauthorized),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The node's own pages have its own origin.
fn same(origin: &str, host: Option<&str>) -> bool {
    origin.strip_prefix("http://") == host && host.is_some()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        let made = Token::load_or_create(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        let read = Token::load_or_create(&path).expect("read");
        assert!(read.is(&made.0) && made.0.len() == 64);
        assert!(!read.is("") && !read.is(&made.0[1..]));
        assert_eq!(format!("{made:?}"), "Token(..)");
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        fs::write(&path, "secret\n").expect("written");
        assert!(matches!(Token::load_or_create(&path), Err(TokenError::Short(_))));
    }

    #[test]
    fn only_loopback_names_are_this_node() {
        for own in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_loopback(own), "{own}");
        }
        for foreign in ["", "example.org", "localhost.example.org", "10.0.0.1", "127.0.0.1.nip.io", "[::2]"] {
            assert!(!is_loopback(foreign), "{foreign}");
        }
    }

    #[test]
    fn an_origin_is_the_host_or_foreign() {
        assert!(same("http://localhost:5023", Some("localhost:5023")));
        assert!(!same("http://localhost:8080", Some("localhost:5023")));
        assert!(!same("https://evil.example", Some("localhost:5023")));
        assert!(!same("null", None));
    }
}
