//! Reading an instance's log ring: the last lines, the younger ones, and what comes.
//!
//! Following needs no polling: inotify tells of every write and of the turn of the ring, the shim's pidfd of its end. A reader that
//! cannot keep up with a program that prints more than the ring holds misses the lines in between; the order is kept.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use motey_plugin_api::{Code, Error, InstanceState, LogsRequest};
use motey_process_shim::InstanceDir;
use motey_process_shim::process::Handle;
use motey_process_shim::ring::{Entry, now_ms};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::client::{Engine, shim_of};

const CHUNK: usize = 16 * 1024;

impl Engine {
    /// Ends with the instance when it follows, when the reader has gone, or when `cancel` is readable.
    pub fn logs(
        &self,
        request: &LogsRequest,
        out: impl Write + AsFd,
        cancel: BorrowedFd<'_>,
    ) -> Result<(), Error> {
        let (dir, _) = self.found(&request.name)?;
        let since = request.since_ms.map_or(0, |age| now_ms().saturating_sub(age));
        // before the first look: what is written from now on is told
        let news =
            request.follow.then(|| watch(&dir)).transpose().map_err(|error| unreadable(&dir, error))?;
        let mut printer = Printer { out, since, line: Vec::new() };
        let mut position = Position::open(&dir, request.tail).map_err(|error| unreadable(&dir, error))?;
        loop {
            // looked at before the log is read: what an ended program printed is all there
            let shim = if news.is_some() { self.shim_that_runs(&request.name)? } else { None };
            match position.print(&dir, &mut printer) {
                Err(Stopped::Reading(error)) => return Err(unreadable(&dir, error)),
                Err(Stopped::Writing) => return Ok(()),
                Ok(()) => {}
            }
            let (Some(news), Some(shim)) = (&news, shim) else { return Ok(()) };
            if !more(news, &shim, printer.out.as_fd(), cancel).map_err(|error| unreadable(&dir, error))? {
                return Ok(());
            }
        }
    }

    fn shim_that_runs(&self, name: &str) -> Result<Option<Handle>, Error> {
        match self.found(name) {
            Ok((_, found)) if matches!(found.state, InstanceState::Created | InstanceState::Exited) => {
                Ok(None)
            }
            Ok((dir, found)) => shim_of(&dir, &found),
            Err(error) if error.code == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn unreadable(dir: &InstanceDir, error: io::Error) -> Error {
    Error::failed(format!("cannot read the log in {}", dir.path().display())).engine_text(error.to_string())
}

fn watch(dir: &InstanceDir) -> io::Result<OwnedFd> {
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&fd, dir.path(), WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::CREATE)?;
    Ok(fd)
}

/// Sleeps until there may be more to read. False: nobody wants it.
fn more(news: &OwnedFd, shim: &Handle, out: BorrowedFd<'_>, cancel: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [
        PollFd::from_borrowed_fd(cancel, PollFlags::IN),
        // only its hang-up, which is told unasked
        PollFd::from_borrowed_fd(out, PollFlags::empty()),
        PollFd::new(news, PollFlags::IN),
        PollFd::new(shim, PollFlags::IN),
    ];
    match rustix::event::poll(&mut fds, None) {
        Err(rustix::io::Errno::INTR) => return Ok(true),
        result => result?,
    };
    let unwanted = fds[..2].iter().any(|fd| !fd.revents().is_empty());
    let mut events = [0; 4096];
    while rustix::io::read(news, &mut events).is_ok_and(|length| length > 0) {}
    Ok(!unwanted)
}

enum Stopped {
    Reading(io::Error),
    Writing,
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

/// Turns the log's bytes into the program's lines.
struct Printer<W> {
    out: W,
    since: u64,
    /// The beginning of a line whose end has not been read.
    line: Vec<u8>,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let mut text = Vec::with_capacity(bytes.len());
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if let Some(line) = self.line.strip_suffix(b"\n") {
                if let Some(entry) = Entry::parse(line).filter(|entry| entry.at >= self.since) {
                    text.extend_from_slice(entry.text);
                    text.push(b'\n');
                }
                self.line.clear();
            }
        }
        self.out.write_all(&text).and_then(|()| self.out.flush()).map_err(|_| Stopped::Writing)
    }
}

/// Where in the two segments a reader is.
struct Position {
    /// Read to their ends in this order; the last is the one that grows.
    files: Vec<File>,
}

impl Position {
    /// At the beginning, or before the last `tail` lines.
    fn open(dir: &InstanceDir, tail: Option<u32>) -> io::Result<Self> {
        let mut files = segments(dir)?;
        if let Some(tail) = tail {
            let mut wanted = u64::from(tail);
            for file in files.iter_mut().rev() {
                let (start, lines) = last_lines(file, wanted)?;
                file.seek(SeekFrom::Start(start))?;
                wanted -= lines;
            }
        }
        Ok(Self { files })
    }

    /// Prints to the end of what is there, over any number of turns of the ring.
    fn print<W: Write>(&mut self, dir: &InstanceDir, printer: &mut Printer<W>) -> Result<(), Stopped> {
        loop {
            for file in &mut self.files {
                copy(file, printer)?;
            }
            let Some(mut known) = self.files.pop() else {
                self.files = segments(dir)?;
                if self.files.is_empty() {
                    return Ok(());
                }
                continue;
            };
            self.files.clear();
            if !is_at(&known, &dir.current_log()) {
                self.files = segments(dir)?;
                self.files.retain(|file| !same(file, &known));
                // it may have grown between its end and its turn
                copy(&mut known, printer)?;
            }
            if self.files.is_empty() {
                // it grows still, or is in the midst of its turn
                self.files.push(known);
                return Ok(());
            }
        }
    }
}

fn copy<W: Write>(file: &mut File, printer: &mut Printer<W>) -> Result<(), Stopped> {
    let mut buffer = [0; CHUNK];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            length => printer.print(&buffer[..length])?,
        }
    }
}

/// The older and the current segment, as far as they exist, and never the same one twice.
fn segments(dir: &InstanceDir) -> io::Result<Vec<File>> {
    loop {
        let current = open(&dir.current_log())?;
        let older = open(&dir.older_log())?;
        // a turn in between made the current one the older one
        if current.as_ref().is_none_or(|file| is_at(file, &dir.current_log())) {
            return Ok(older.into_iter().chain(current).collect());
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let Ok(open) = file.metadata() else { return false };
    fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino()))
}

fn same(one: &File, other: &File) -> bool {
    let id = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    id(one) == id(other)
}

/// Where the last `wanted` lines begin, and how many there are.
fn last_lines(file: &File, wanted: u64) -> io::Result<(u64, u64)> {
    let mut end = file.metadata()?.len();
    if wanted == 0 {
        return Ok((end, 0));
    }
    let mut lines = 0;
    let mut buffer = vec![0; CHUNK];
    while end > 0 {
        let begin = end.saturating_sub(CHUNK as u64);
        let chunk = &mut buffer[..(end - begin) as usize];
        file.read_exact_at(chunk, begin)?;
        for (at, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            if lines == wanted {
                return Ok((begin + at as u64 + 1, lines));
            }
            lines += 1;
        }
        end = begin;
    }
    Ok((0, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(older: &str, current: &str) -> (tempfile::TempDir, InstanceDir) {
        let root = tempfile::tempdir().expect("directory");
        let dir = InstanceDir::new(root.path().to_owned());
        fs::write(dir.older_log(), older).expect("written");
        fs::write(dir.current_log(), current).expect("written");
        (root, dir)
    }

    fn printed(dir: &InstanceDir, tail: Option<u32>, since: u64) -> String {
        let mut printer = Printer { out: Vec::new(), since, line: Vec::new() };
        let mut position = Position::open(dir, tail).expect("opened");
        assert!(position.print(dir, &mut printer).is_ok());
        String::from_utf8(printer.out).expect("text")
    }

    #[test]
    fn the_tail_reaches_over_both_segments() {
        let (_root, dir) = instance("1 o a\n2 o b\n", "3 e c\n4 o d\n");
        for (tail, wanted) in
            [(Some(0), ""), (Some(1), "d\n"), (Some(3), "b\nc\nd\n"), (Some(9), "a\nb\nc\nd\n")]
        {
            assert_eq!(printed(&dir, tail, 0), wanted, "{tail:?}");
        }
        assert_eq!(printed(&dir, None, 3), "c\nd\n");
        assert_eq!(printed(&dir, Some(3), 4), "d\n");
    }

    #[test]
    fn a_tail_longer_than_a_chunk_is_counted_right() {
        let text: String = (0..5000).map(|i| format!("{i} o line {i}\n")).collect();
        let (_root, dir) = instance("", &text);
        let wanted: String = (2000..5000).map(|i| format!("line {i}\n")).collect();
        assert_eq!(printed(&dir, Some(3000), 0), wanted);
    }

    #[test]
    fn turns_of_the_ring_while_reading_lose_nothing_that_is_there() {
        let (_root, dir) = instance("1 o a\n", "2 o b\n");
        let mut printer = Printer { out: Vec::new(), since: 0, line: Vec::new() };
        let mut position = Position::open(&dir, None).expect("opened");
        assert!(position.print(&dir, &mut printer).is_ok());
        for (old, new) in [("3 o c\n", "4 o d\n"), ("5 o e\n", "6 o f\n")] {
            // two turns at once: what was current is gone from the directory
            fs::remove_file(dir.older_log()).expect("removed");
            fs::write(dir.older_log(), old).expect("written");
            fs::remove_file(dir.current_log()).expect("removed");
            fs::write(dir.current_log(), new).expect("written");
            assert!(position.print(&dir, &mut printer).is_ok());
        }
        assert_eq!(String::from_utf8(printer.out).expect("text"), "a\nb\nc\nd\ne\nf\n");
    }

    #[test]
    fn a_line_is_printed_when_it_is_whole_and_damage_is_skipped() {
        let mut printer = Printer { out: Vec::new(), since: 0, line: Vec::new() };
        for bytes in [&b"1 o a"[..], b"b\n2 o", b"\nnonsense\n3 e \n"] {
            assert!(printer.print(bytes).is_ok());
        }
        assert_eq!(printer.out, b"ab\n\n");
    }
}
