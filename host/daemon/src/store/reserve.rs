//! Room on the disk that is kept for what removes: a full disk must have a way out.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::draft::{beside, private};
use super::error::{At, StoreError};

/// Enough for some dozens of commits that remove.
pub(super) const SIZE: u64 = 256 * 1024;

/// The file `<path>.reserve`, which only takes up room.
pub(super) struct Reserve {
    path: PathBuf,
    there: bool,
}

impl Reserve {
    /// The reserve of the store at `path`, as an earlier life left it.
    pub(super) fn beside(path: &Path) -> Self {
        let path = beside(path, ".reserve");
        let there = fs::metadata(&path).is_ok_and(|file| file.len() == SIZE && file.blocks() * 512 >= SIZE);
        Self { path, there }
    }

    /// Gives its room away; `false` when there was none to give.
    pub(super) fn spend(&mut self) -> bool {
        let spent = self.there && free(&self.path).is_ok();
        self.there &= !spent;
        spent
    }

    /// Takes its room again where it was given away; `false` while there is not enough.
    pub(super) fn refill(&mut self) -> Result<bool, StoreError> {
        if !self.there {
            self.there = match self.allocate().at(&self.path) {
                Err(StoreError::Full { .. }) => false,
                allocated => allocated.map(|()| true)?,
            };
        }
        Ok(self.there)
    }

    fn allocate(&self) -> io::Result<()> {
        let file = private().create(true).truncate(true).open(&self.path)?;
        take_room(&file).inspect_err(|_| drop(fs::remove_file(&self.path)))
    }
}

/// Cut before it is removed: whoever else has it open would keep its room.
fn free(path: &Path) -> io::Result<()> {
    private().open(path)?.set_len(0)?;
    fs::remove_file(path)
}

/// Not durable by itself: after a loss of power the file is short at worst, and made again.
fn take_room(file: &File) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, SIZE) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            io::copy(&mut io::Read::take(io::repeat(0xa5), SIZE), &mut &*file).map(drop)
        }
        taken => taken.map_err(io::Error::from),
    }
}
