//! As much of HTTP/1.1 as a check needs: one GET, and the status of its answer (RFC 9112, sections 3 and 4).

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::plain;

/// Bytes by which the first line of an answer must have ended.
const MOST: u64 = 1024;

/// The status by which a GET is answered. What comes after the first line is not read.
///
/// # Errors
/// In words, why there is none.
pub(super) async fn get(mut stream: TcpStream, at: SocketAddr, path: &str) -> Result<u16, String> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: motey\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| broken(&error))?;
    let mut answer = Vec::new();
    let mut stream = stream.take(MOST);
    while !answer.contains(&b'\n') {
        if stream.read_buf(&mut answer).await.map_err(|error| broken(&error))? == 0 {
            break;
        }
    }
    status(&answer).ok_or_else(|| match answer.is_empty() {
        true => "the connection was closed without an answer".into(),
        false => "the answer is not HTTP".into(),
    })
}

fn broken(error: &std::io::Error) -> String {
    format!("the connection broke: {}", plain(error))
}

/// `HTTP/1.1 200 OK`
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let digits = rest.get(..3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    version.starts_with("HTTP/1.").then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_stands_in_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\nA: b\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 500\r\n"), Some(500));
        for bad in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 OK\r\n", "HTTP/2 200\r\n", "HTTP/1.1 20\r\n"] {
            assert_eq!(status(bad.as_bytes()), None, "{bad}");
        }
    }
}
