//! Files that appear whole or not at all: made under another name, made durable, then renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file in the making, for its owner's eyes only. Dropped before it is published, it leaves nothing behind.
pub(super) struct Draft {
    path: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// An empty file that will stand at `place`; what an earlier attempt left is removed.
    pub(super) fn of(place: &Path) -> io::Result<Self> {
        let draft = Self { path: beside(place, ".new"), place: place.into() };
        draft.clear();
        private().create_new(true).open(&draft.path)?;
        Ok(draft)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place, durably. Nobody may have it open for writing any more.
    pub(super) fn publish(self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        fs::rename(&self.path, &self.place)?;
        sync_folder(&self.place)
    }

    fn clear(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // missing is the rule; what cannot be removed is met again when the draft is made
            let _ = fs::remove_file(beside(&self.path, suffix));
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Options for writing a file that nobody but its owner may read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// The file whose name is that of `path` and `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes the names in the folder of `path` durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
