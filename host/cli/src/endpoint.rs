//! Which daemon is meant: flags over variables over the configuration of this machine. Nothing is connected to here.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use hyper::Uri;
use motey_daemon::config::Config;

use crate::args::Global;
use crate::client::{Endpoint, Token};

/// Why the daemon's address makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{url:?} is not an address of a daemon: {why}; it should look like http://127.0.0.1:5023")]
    Url { url: String, why: &'static str },
    #[error("the token file {path:?} cannot be read: {source}", path = path.display())]
    Token { path: PathBuf, source: io::Error },
    #[error(
        "the token file {path:?} is the wrong one: it holds no token, which is one word; a daemon's own is the file `token` in its state_dir",
        path = path.display()
    )]
    NoToken { path: PathBuf },
}

impl Global {
    /// `--config`, or what `MOTEY_CONFIG` names.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| variable("MOTEY_CONFIG").map(PathBuf::from))
    }

    /// The daemon's socket unless a URL is given.
    ///
    /// # Errors
    /// When the URL or the token's file is of no use.
    pub fn endpoint(&self) -> Result<Endpoint, EndpointError> {
        if let Some(path) = &self.socket {
            return Ok(Endpoint::Socket { path: path.clone(), remark: None });
        }
        if let Some(url) = &self.url {
            return self.tcp(url);
        }
        match (variable("MOTEY_SOCKET"), variable("MOTEY_URL")) {
            (Some(path), _) => Ok(Endpoint::Socket { path: path.into(), remark: None }),
            (None, Some(url)) => self.tcp(&url),
            (None, None) => Ok(self.configured_socket()),
        }
    }

    /// A configuration that cannot be read is no reason to give up: an ordinary user may not read it.
    fn configured_socket(&self) -> Endpoint {
        match self.config() {
            Ok(config) => Endpoint::Socket { path: config.socket(), remark: None },
            Err(mistakes) => {
                let remark = format!("(this is the default socket, because {mistakes})");
                Endpoint::Socket { path: Config::default().socket(), remark: Some(remark) }
            }
        }
    }

    fn config(&self) -> Result<Config, motey_daemon::config::ConfigMistakes> {
        Config::load(self.config_file().as_deref(), env::vars_os(), &[])
    }

    fn tcp(&self, url: &str) -> Result<Endpoint, EndpointError> {
        let authority = authority(url).map_err(|why| EndpointError::Url { url: url.to_owned(), why })?;
        Ok(Endpoint::Tcp { authority, token: self.token()? })
    }

    /// The token of the named file; of this machine's own node where none is named and it can be read.
    fn token(&self) -> Result<Option<Token>, EndpointError> {
        let named = self.token_file.clone().or_else(|| variable("MOTEY_TOKEN_FILE").map(PathBuf::from));
        match named {
            Some(file) => read_token(file).map(Some),
            None => Ok(self.config().ok().and_then(|config| read_token(config.token_file()).ok())),
        }
    }
}

fn read_token(file: PathBuf) -> Result<Token, EndpointError> {
    let text = match fs::read_to_string(&file) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(source) => return Err(EndpointError::Token { path: file, source }),
    };
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word { Ok(Token { text, file }) } else { Err(EndpointError::NoToken { path: file }) }
}

/// `host:port` of a URL.
fn authority(url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(authority)) if uri.path() == "/" && uri.query().is_none() => {
            let port = authority.port_u16().unwrap_or(80);
            Ok(format!("{}:{port}", authority.host()))
        }
        (Some("http"), Some(_)) => Err("it has a path"),
        (Some("https"), _) => Err("this version has no TLS"),
        _ => Err("it does not begin with http://"),
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_and_port_only() {
        assert_eq!(authority("http://127.0.0.1:5023"), Ok("127.0.0.1:5023".into()));
        assert_eq!(authority("http://[::1]:5023/"), Ok("[::1]:5023".into()));
        assert_eq!(authority("http://node"), Ok("node:80".into()));
        for (wrong, why) in [
            ("https://node", "this version has no TLS"),
            ("http://node/v1", "it has a path"),
            ("127.0.0.1:5023", "it does not begin with http://"),
            ("http://", "it is no URL"),
        ] {
            assert_eq!(authority(wrong), Err(why), "{wrong}");
        }
    }

    #[test]
    fn a_broken_configuration_leaves_the_default_socket_and_is_told_with_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("motey.toml");
        fs::write(&file, "[general]\nrun_dir = \"x\"").expect("written");
        let global = Global { config: Some(file), ..Global::default() };
        let Endpoint::Socket { path, remark } = global.configured_socket() else { panic!("a socket") };
        assert_eq!(path, PathBuf::from("/run/motey/motey.sock"));
        let remark = remark.expect("the reason");
        assert!(remark.contains("motey.toml: general.run_dir: expected an absolute path"), "{remark}");
    }
}
