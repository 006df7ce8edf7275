//! The log of an instance: what the program printed, in two segments of bounded size.
//!
//! A line is `<unix ms> o|e <text>`, `o` for standard output and `e` for standard error; the text is the program's bytes, unchanged
//! but for the line break. A line longer than [`LONGEST`] becomes several; an unfinished one waits for its end, or the program's.
//! When `log` is full it becomes `log.1`, in the place of the older one. A full disk costs lines, which are counted and told of
//! afterwards; it never holds the program up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use crate::directory::{InstanceDir, open_private};

/// Of one entry's text, in bytes.
pub const LONGEST: usize = 4 * 1024;

/// Written out at the latest when this much is waiting.
const BATCH: usize = 4 * 1024;

/// An entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    pub at: u64,
    pub text: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Of a line without its line break. `None` for one that was cut by a crash.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let at = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
        match line.get(space + 1..)? {
            [b'o' | b'e', b' ', text @ ..] => Some(Self { at, text }),
            _ => None,
        }
    }
}

pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_millis().try_into().unwrap_or(u64::MAX))
}

pub struct Ring {
    dir: InstanceDir,
    file: File,
    size: u64,
    segment: u64,
    waiting: Vec<u8>,
    waiting_lines: u64,
    lost: u64,
}

impl Ring {
    /// Goes on with the log that is there. `total` is for both segments.
    pub fn open(dir: &InstanceDir, total: u64) -> io::Result<Self> {
        let file = open_private(&dir.current_log(), OpenOptions::new().append(true).create(true))?;
        let size = file.metadata()?.len();
        let waiting = Vec::with_capacity(BATCH + LONGEST + 64);
        Ok(Self {
            dir: dir.clone(),
            file,
            size,
            segment: (total / 2).max(1),
            waiting,
            waiting_lines: 0,
            lost: 0,
        })
    }

    fn push(&mut self, at: u64, letter: char, text: &[u8]) {
        // writing to a Vec cannot fail
        let _ = write!(self.waiting, "{at} {letter} ");
        self.waiting.extend_from_slice(text);
        self.waiting.push(b'\n');
        self.waiting_lines += 1;
        if self.waiting.len() >= BATCH {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let length = self.waiting.len() as u64;
        if self.size > 0 && self.size + length > self.segment {
            self.turn();
        }
        match self.write_waiting() {
            Ok(()) => self.size += length,
            Err(_) => {
                self.lost += self.waiting_lines;
                // a torn line would swallow the next one
                let _ = self.file.set_len(self.size);
            }
        }
        self.waiting.clear();
        self.waiting_lines = 0;
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        if self.lost > 0 {
            let told =
                format!("{} e motey: {} lines could not be written before this one\n", now_ms(), self.lost);
            self.file.write_all(told.as_bytes())?;
            self.size += told.len() as u64;
            self.lost = 0;
        }
        self.file.write_all(&self.waiting)
    }

    fn turn(&mut self) {
        let _ = fs::rename(self.dir.current_log(), self.dir.older_log());
        match open_private(&self.dir.current_log(), OpenOptions::new().append(true).create(true)) {
            Ok(file) => self.file = file,
            // no new file: begin anew in the old one, the bound holds
            Err(_) => drop(self.file.set_len(0)),
        }
        self.size = self.file.metadata().map_or(0, |meta| meta.len());
    }
}

/// One of the program's two outputs.
pub struct Output {
    pipe: OwnedFd,
    letter: char,
    buffer: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum More {
    /// Nothing now.
    Later,
    /// Perhaps something now.
    Now,
    /// The last writer has closed it.
    Never,
}

impl Output {
    pub fn new(pipe: OwnedFd, letter: char) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&pipe)?;
        rustix::fs::fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
        Ok(Self { pipe, letter, buffer: Vec::with_capacity(LONGEST) })
    }

    /// Takes what one read gives, and hands complete lines on.
    pub fn read(&mut self, ring: &mut Ring) -> More {
        match rustix::io::read(&self.pipe, rustix::buffer::spare_capacity(&mut self.buffer)) {
            Ok(0) | Err(rustix::io::Errno::IO) => More::Never,
            Ok(_) => {
                self.hand_on(ring);
                More::Now
            }
            Err(rustix::io::Errno::INTR) => More::Now,
            Err(_) => More::Later,
        }
    }

    /// The last line, when the program did not end it.
    pub fn finish(&mut self, ring: &mut Ring) {
        if !self.buffer.is_empty() {
            ring.push(now_ms(), self.letter, &self.buffer);
            self.buffer.clear();
        }
        ring.flush();
    }

    fn hand_on(&mut self, ring: &mut Ring) {
        let at = now_ms();
        let mut done = 0;
        while let Some(length) = self.buffer[done..].iter().position(|byte| *byte == b'\n') {
            ring.push(at, self.letter, &self.buffer[done..done + length]);
            done += length + 1;
        }
        if done == 0 && self.buffer.len() == LONGEST {
            ring.push(at, self.letter, &self.buffer);
            done = LONGEST;
        }
        self.buffer.drain(..done);
        ring.flush();
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        _root: tempfile::TempDir,
        dir: InstanceDir,
        ring: Ring,
        output: Output,
        pipe: Option<File>,
    }

    fn bench(total: u64) -> Bench {
        let root = tempfile::tempdir().expect("directory");
        let dir = InstanceDir::new(root.path().join("i"));
        dir.make().expect("made");
        let ring = Ring::open(&dir, total).expect("ring");
        let (read, write) = rustix::pipe::pipe().expect("pipe");
        let output = Output::new(read, 'o').expect("output");
        Bench { _root: root, dir, ring, output, pipe: Some(File::from(write)) }
    }

    impl Bench {
        fn print(&mut self, bytes: &[u8]) {
            for part in bytes.chunks(4096) {
                self.pipe.as_mut().expect("open").write_all(part).expect("written");
                while self.output.read(&mut self.ring) == More::Now {}
            }
        }

        fn end(mut self) -> Vec<Vec<u8>> {
            self.pipe = None;
            while self.output.read(&mut self.ring) != More::Never {}
            self.output.finish(&mut self.ring);
            let mut text = fs::read(self.dir.older_log()).unwrap_or_default();
            text.extend(fs::read(self.dir.current_log()).expect("log"));
            let lines = text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n');
            lines.map(|line| Entry::parse(line).expect("entry").text.to_vec()).collect()
        }
    }

    #[test]
    fn lines_arrive_whole_whatever_the_reads_were() {
        let mut bench = bench(1 << 20);
        bench.print(b"one\ntw");
        bench.print(b"o\n\nb\0in\xff\rary\nlast");
        assert_eq!(bench.end(), [&b"one"[..], b"two", b"", b"b\0in\xff\rary", b"last"]);
    }

    #[test]
    fn a_monstrous_line_becomes_several() {
        let mut bench = bench(1 << 20);
        bench.print(&vec![b'x'; 2 * LONGEST + 5]);
        bench.print(b"\nnext\n");
        let lengths: Vec<usize> = bench.end().iter().map(Vec::len).collect();
        assert_eq!(lengths, [LONGEST, LONGEST, 5, 4]);
    }

    #[test]
    fn the_size_is_bounded_and_the_newest_lines_stay() {
        let total = 100_000;
        let mut bench = bench(total);
        for i in 0..20_000 {
            bench.print(format!("line {i}\n").as_bytes());
        }
        let size = |path| fs::metadata(path).map_or(0, |meta| meta.len());
        let sizes = (size(bench.dir.older_log()), size(bench.dir.current_log()));
        assert!(sizes.0 > 0 && sizes.0 + sizes.1 <= total, "{sizes:?}");
        let lines = bench.end();
        assert_eq!(lines.last().map(Vec::as_slice), Some(&b"line 19999"[..]));
        let first: usize = std::str::from_utf8(&lines[0][5..]).expect("text").parse().expect("number");
        assert_eq!(lines.len(), 20_000 - first, "a line is missing in the middle");
    }

    #[test]
    fn an_entry_cut_by_a_crash_is_none() {
        for line in [&b""[..], b"17", b"17 ", b"17 o", b"17 x text", b"x o text"] {
            assert_eq!(Entry::parse(line), None, "{line:?}");
        }
        assert_eq!(Entry::parse(b"17 e a b"), Some(Entry { at: 17, text: b"a b" }));
        assert_eq!(Entry::parse(b"17 o "), Some(Entry { at: 17, text: b"" }));
    }
}
