//! A blocking HTTP/1.1 client: one request a connection, over the Unix socket or TCP, or one TCP connection for many
//! requests. It sends what it is told, also what no proper client would send.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use serde_json::Value;

/// No answer takes longer; a follower's connection is a test's own.
const PATIENCE: Duration = Duration::from_secs(30);

/// The kind of body that a blueprint has.
const YAML: &str = "application/x-yaml";

#[derive(Debug, Clone)]
enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// Where to ask, and the headers that go with every request.
#[derive(Debug, Clone)]
pub struct Http {
    place: Place,
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Http {
    pub fn unix(socket: PathBuf) -> Self {
        Self { place: Place::Unix(socket), headers: Vec::new() }
    }

    pub fn tcp(address: SocketAddr) -> Self {
        Self { place: Place::Tcp(address), headers: Vec::new() }
    }

    /// Sends this header with every request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, None, b"").unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, None, b"").unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    #[track_caller]
    pub fn post(&self, path: &str, kind: &str, body: &[u8]) -> Response {
        self.send("POST", path, Some(kind), body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Posts a blueprint as `curl --data-binary @x.yaml -H 'Content-Type: application/x-yaml'` does.
    #[track_caller]
    pub fn deploy(&self, blueprint: &str) -> Response {
        self.post("/v1/service", YAML, blueprint.as_bytes())
    }

    /// Updates a service as `curl -X PUT` with the same options does.
    #[track_caller]
    pub fn update(&self, id: &str, blueprint: &str) -> Response {
        let path = format!("/v1/service/{id}");
        let sent = self.send("PUT", &path, Some(YAML), blueprint.as_bytes());
        sent.unwrap_or_else(|error| panic!("PUT {path}: {error}"))
    }

    /// One request and its answer, for a node that may die in between.
    pub fn send(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> io::Result<Response> {
        let head = self.head(method, path, kind, body.len(), "close");
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// One TCP connection that stays open from request to request.
    pub fn keep_alive(&self) -> io::Result<Connection> {
        let Place::Tcp(address) = &self.place else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "only TCP connections are kept"));
        };
        let stream = tcp(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { http: self.clone(), stream: BufReader::new(stream) })
    }

    fn head(&self, method: &str, path: &str, kind: Option<&str>, length: usize, connection: &str) -> String {
        let host = match &self.place {
            Place::Unix(_) => "localhost".to_owned(),
            Place::Tcp(address) => address.to_string(),
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n");
        if let Some(kind) = kind {
            head.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        if kind.is_some() || length > 0 {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head
    }

    /// Sends these bytes and reads one answer.
    pub fn raw(&self, request: &[u8]) -> io::Result<Response> {
        match &self.place {
            Place::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                exchange(stream, request)
            }
            Place::Tcp(address) => exchange(tcp(address)?, request),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    http: Http,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// One request, in one write, and its answer.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: &[u8],
    ) -> io::Result<Response> {
        let head = self.http.head(method, path, kind, body.len(), "keep-alive");
        self.stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        read_response(&mut self.stream)
    }
}

fn tcp(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A server may refuse a body before it has all of it: the answer counts, not the write.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Response> {
    let sent = stream.write_all(request);
    match read_response(&mut BufReader::new(stream)) {
        Err(error) => Err(sent.err().unwrap_or(error)),
        answered => answered,
    }
}

fn read_response(from: &mut impl BufRead) -> io::Result<Response> {
    let status = line(from)?;
    let status = status.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| wrong(&status))?;
    let mut headers = Vec::new();
    loop {
        let header = line(from)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(|| wrong(&header))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    response.body = read_body(&response, from)?;
    Ok(response)
}

fn read_body(response: &Response, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if response.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = line(from)?;
            let size = u64::from_str_radix(&size, 16).map_err(|_| wrong(&size))?;
            exactly(from, size, &mut body)?;
            line(from)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match response.header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) => exactly(from, length, &mut body)?,
        None => drop(from.read_to_end(&mut body)?),
    }
    Ok(body)
}

fn exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = from.by_ref().take(length).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    if from.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP: {text:?}"))
}

impl Response {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} came without JSON ({error}): {}", self.status, self.text()))
    }

    /// Panics with the whole answer when it is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected answer: {}", self.text());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_in_three_ways() {
        for (rest, body) in [
            ("Content-Length: 2\r\n\r\nhi and more", "hi"),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "abcd"),
            ("\r\nto the end", "to the end"),
        ] {
            let text = format!("HTTP/1.1 201 Created\r\n{rest}");
            let response = read_response(&mut text.as_bytes()).unwrap();
            assert_eq!((response.status, response.text().as_str()), (201, body));
        }
    }

    #[test]
    fn half_an_answer_is_an_error() {
        for text in
            ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "hello\r\n\r\n"]
        {
            assert!(read_response(&mut text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
