//! The prototype as a process, and the socket at which a service manager would hear that it is ready.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use motey_tests::{Http, beside_motey, free_port};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where programs say that they are ready, sd_notify(3).
pub struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notify {
    pub fn new(directory: &Path) -> Self {
        let path = directory.join("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        Self { socket, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns when somebody has said so; that an earlier one is stopping is no news.
    pub fn wait_ready(&self) {
        let mut text = [0; 256];
        loop {
            let length = self.socket.recv(&mut text).expect("the program becomes ready");
            if text[..length].starts_with(b"READY=1") {
                return;
            }
        }
    }
}

/// A running prototype on a database of its own; killed when it is dropped.
pub struct Prototype {
    place: TempDir,
    port: u16,
    child: Child,
}

impl Prototype {
    pub fn start() -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let notify = Notify::new(place.path());
        let port = free_port();
        let child = Self::command(place.path(), port, &notify).spawn().expect("the prototype starts");
        notify.wait_ready();
        Self { place, port, child }
    }

    /// Its start, for whoever measures just that.
    pub fn command(directory: &Path, port: u16, notify: &Notify) -> Command {
        let mut command = Command::new(beside_motey("bench-prototype"));
        command.arg(directory.join("prototype.db")).arg(port.to_string());
        command.env_clear().env("NOTIFY_SOCKET", notify.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        command
    }

    pub fn http(&self) -> Http {
        Http::tcp((std::net::Ipv4Addr::LOCALHOST, self.port).into())
    }

    /// A folder on the file system of its database.
    pub fn directory(&self) -> &Path {
        self.place.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Prototype {
    fn drop(&mut self) {
        end(&mut self.child).expect("a child can be killed");
    }
}

/// Kills it and waits for its end.
pub fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}
