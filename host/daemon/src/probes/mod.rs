//! Finds out over TCP whether instances do their work: makes the checks that the core asks for, each within its deadline,
//! on the runtime that serves REST. Decides nothing about what was found.

mod http;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use motey_core::spec::Probe;
use motey_core::step::{Check, Input};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::inbox::Inbox;

/// How many checks are made at once; the others wait, and their deadlines do not run meanwhile.
const MOST: usize = 64;

/// Where checks are made.
pub(crate) struct Probes {
    runtime: Handle,
    places: Arc<Semaphore>,
    inbox: Arc<Inbox>,
}

impl Probes {
    pub fn new(runtime: Handle, inbox: Arc<Inbox>) -> Self {
        Self { runtime, places: Arc::new(Semaphore::new(MOST)), inbox }
    }

    /// Makes a check, at once or in its turn; it is answered by [`Input::Checked`] exactly once.
    pub fn start(&self, check: Check) {
        let (places, inbox) = (Arc::clone(&self.places), Arc::clone(&self.inbox));
        self.runtime.spawn(async move {
            // never closed
            let place = places.acquire_owned().await;
            let result = find_out(&check).await;
            drop(place);
            inbox.answer(Input::Checked { check: check.id, key: check.key, result });
        });
    }
}

async fn find_out(check: &Check) -> Result<(), String> {
    let deadline = Duration::from_millis(check.timeout);
    let late = |_| Err(format!("nothing within {} ms", check.timeout));
    tokio::time::timeout(deadline, ask(address(), &check.probe)).await.unwrap_or_else(late)
}

/// Where an instance is reached: no engine so far gives it a network of its own, so that its ports are the node's.
const fn address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

async fn ask(address: IpAddr, probe: &Probe) -> Result<(), String> {
    match probe {
        Probe::Tcp { port } => connect(address, *port).await.map(drop),
        Probe::Http { port, path } => {
            let at = SocketAddr::new(address, *port);
            let status = http::get(connect(address, *port).await?, at, path).await?;
            let is_good = (200..400).contains(&status);
            if is_good { Ok(()) } else { Err(format!("GET {path} was answered by {status}")) }
        }
    }
}

async fn connect(address: IpAddr, port: u16) -> Result<TcpStream, String> {
    let at = SocketAddr::new(address, port);
    TcpStream::connect(at).await.map_err(|error| format!("no connection to {at}: {}", plain(&error)))
}

/// What the system says, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests;
