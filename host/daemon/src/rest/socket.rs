//! The two doors, bound early and served late: a node that cannot have them fails before it starts anything.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, chmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use tokio::net::{TcpListener, UnixListener};

const BACKLOG: i32 = 128;

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error("another program listens on {0}; stop it, or set `port` in [webserver]")]
    PortTaken(SocketAddr),
    /// Somebody answers on the socket.
    #[error("another node listens on {}", .0.display())]
    SocketTaken(PathBuf),
    /// Something is in the way that is no socket.
    #[error("{} exists and is no socket; move it away", .0.display())]
    NoSocket(PathBuf),
    /// The system refuses it.
    #[error("cannot listen on {door}")]
    Refused {
        /// Where.
        door: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Opens the TCP door.
///
/// # Errors
/// When the port is taken or the address is not this machine's.
pub async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::PortTaken(address),
        _ => BindError::Refused { door: address.to_string(), source },
    })
}

/// Opens the Unix door at `path`, mode 0660. A socket file on which nobody listens is a leftover and is replaced.
///
/// Two nodes that do this at once could take each other's socket: the caller holds the lock of the directory.
///
/// # Errors
/// When somebody listens there, or the file cannot be made. To be called inside a tokio runtime.
pub fn bind_unix(path: &Path) -> Result<UnixListener, BindError> {
    let refused = |source: io::Error| BindError::Refused { door: path.display().to_string(), source };
    clear(path)?;
    let listener = closed_until_guarded(path).map_err(refused)?;
    UnixListener::from_std(listener).map_err(refused)
}

fn clear(path: &Path) -> Result<(), BindError> {
    let refused = |source| BindError::Refused { door: path.display().to_string(), source };
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
    };
    if !kind.is_socket() {
        return Err(BindError::NoSocket(path.into()));
    }
    match unix::UnixStream::connect(path) {
        Ok(_) => Err(BindError::SocketTaken(path.into())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(refused)
        }
        Err(error) => Err(refused(error)),
    }
}

/// Nobody can connect before `listen`, and by then the mode is right.
fn closed_until_guarded(path: &Path) -> io::Result<unix::UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    chmod(path, Mode::from_raw_mode(0o660))?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_leftover_is_replaced_and_a_living_socket_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("motey.sock");
        let first = bind_unix(&path).expect("bound");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert!(matches!(bind_unix(&path), Err(BindError::SocketTaken(_))));
        drop(first);
        assert!(path.exists());
        drop(bind_unix(&path).expect("bound again"));
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("motey.sock");
        std::fs::write(&path, "precious").expect("written");
        assert!(matches!(bind_unix(&path), Err(BindError::NoSocket(_))));
        assert_eq!(std::fs::read(&path).expect("read"), b"precious");
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = bind_tcp(([127, 0, 0, 1], 0).into()).await.expect("bound");
        let address = first.local_addr().expect("an address");
        assert!(matches!(bind_tcp(address).await, Err(BindError::PortTaken(taken)) if taken == address));
    }
}
