//! The byte stream that came with a call.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// The plugin's end. Back-pressure, end and hang-up are the kernel's: a write blocks while the reader is slow and fails
/// when it is gone. The reader sees the end when the call returns, or at [`finish_writing`](Self::finish_writing).
#[derive(Debug)]
pub struct Stream(UnixStream);

impl Stream {
    /// Another handle to the same end, for reading and writing on two threads.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Nothing more will be written; what comes in can still be read.
    pub fn finish_writing(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// Ends blocked reads and writes, here and there.
    pub(crate) fn hang_up(&self) {
        // fails only when the peer has hung up already
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl From<OwnedFd> for Stream {
    fn from(end: OwnedFd) -> Self {
        Self(end.into())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
