//! A little HTTP/1.1 server over a real Unix or TCP socket, which says what a test tells it to, and the binary that asks it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What is answered.
pub enum Answer {
    /// A status, a content type, a body.
    Whole(u16, &'static str, String),
    /// The connection is closed without a word.
    Nothing,
    /// Lines without end, until nobody reads them.
    Endless,
}

pub fn json(status: u16, body: &serde_json::Value) -> Answer {
    Answer::Whole(status, "application/json", body.to_string())
}

pub fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    let body = serde_json::json!({"type": format!("urn:motey:problem:{kind}"), "title": "T", "status": status, "detail": detail});
    Answer::Whole(status, "application/problem+json", body.to_string())
}

/// A server, and a directory for files of the test.
pub struct Stub {
    pub dir: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Answers on `stub.sock` in its directory until the test ends.
    pub fn serve(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("stub.sock")).expect("a socket");
        let asked = Arc::default();
        let streams = move || listener.accept().ok().map(|(stream, _)| stream);
        answer_all(streams, Arc::clone(&asked), answer);
        Self { dir, asked }
    }

    /// Answers on a TCP port until the test ends; gives its URL, too.
    pub fn serve_tcp(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::default();
        let streams = move || listener.accept().ok().map(|(stream, _)| stream);
        answer_all(streams, Arc::clone(&asked), answer);
        (Self { dir: tempfile::tempdir().expect("a directory"), asked }, url)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Every request as `METHOD path`.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The binary, asking this server.
    pub fn motey(&self, args: &[&str]) -> Command {
        let mut command = motey(args);
        command.env("MOTEY_SOCKET", self.dir.path().join("stub.sock"));
        command
    }
}

/// The binary, with nothing of the environment that could mislead it.
pub fn motey(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_motey"));
    command.args(args).env_clear().current_dir(std::env::temp_dir());
    command
}

/// Its exit code, standard output and standard error.
pub fn ran(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// A path as text, for arguments.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn answer_all<S: Read + Write>(
    mut next: impl FnMut() -> Option<S> + Send + 'static,
    asked: Arc<Mutex<Vec<Asked>>>,
    mut answer: impl FnMut(&Asked) -> Answer + Send + 'static,
) {
    thread::spawn(move || {
        while let Some(mut stream) = next() {
            let Some(request) = read(&mut stream) else { continue };
            asked.lock().expect("no panic").push(request.clone());
            // a client that leaves early is part of some tests
            drop(write(&mut stream, answer(&request)));
        }
    });
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut asked = Asked { method: words.next()?, path: words.next()?, ..Asked::default() };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        asked.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = asked.headers.iter().find(|(name, _)| name == "content-length");
    asked.body = vec![0; length.map_or(0, |(_, length)| length.parse().expect("a length"))];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

fn write(stream: &mut impl Write, answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Nothing => Ok(()),
        Answer::Whole(status, content_type, body) => write!(
            stream,
            "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                write!(stream, "6\r\nhello\n\r\n")?;
            }
        }
    }
}
