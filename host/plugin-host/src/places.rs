//! Where plugins are looked for, and which files are trusted enough to be looked into.
//!
//! Only names and metadata are read here; what is in a file is [`preflight`](crate::preflight)'s business.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::reason::{Reason, code};

/// Where to look, and what to leave alone.
#[derive(Debug, Clone)]
pub struct Places {
    /// In order: of equal versions the first found wins. One that does not exist is empty.
    pub directories: Vec<PathBuf>,
    /// Ids of plugins that are listed and not loaded.
    pub disabled: Vec<String>,
    pub trust: Trust,
}

impl Places {
    /// Why there is no plugin, when none was found.
    pub(crate) fn nothing_found(&self) -> String {
        let why = |directory: &PathBuf| {
            let what = if directory.is_dir() { "holds no *.so" } else { "is no directory" };
            format!("{} {what}", directory.display())
        };
        let looked = self.directories.iter().map(why).collect::<Vec<_>>().join(", ");
        let looked = if looked.is_empty() { "plugins.directories is empty".to_owned() } else { looked };
        format!("no plugin was found, so that no service can run: {looked}; install plugins there")
    }
}

/// Whose files are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Only root can have put or changed them: the file and every directory above it are root's, and neither group
    /// nor others may write them.
    Root,
    /// Anyone's, for development and tests. Links out of the place are refused all the same.
    Any,
}

/// A file that looks like a plugin.
#[derive(Debug, Clone)]
pub struct Located {
    /// As found in its place.
    pub path: PathBuf,
    /// Without links. Meaningful when it was not refused.
    pub file: PathBuf,
    pub refused: Option<Reason>,
}

/// Every `*.so` of the places, sorted by name within each. Bad files are in the list with their reason.
pub fn locate(places: &Places) -> Vec<Located> {
    places.directories.iter().flat_map(|directory| locate_in(directory, places.trust)).collect()
}

fn locate_in(directory: &Path, trust: Trust) -> Vec<Located> {
    let names = match list(directory) {
        Ok(names) => names,
        Err(e) => {
            let reason =
                Reason::new(code::PLACE_UNREADABLE, format!("{} cannot be listed: {e}", directory.display()));
            let path = directory.to_path_buf();
            return vec![Located { file: path.clone(), path, refused: Some(reason) }];
        }
    };
    let judged = |path: PathBuf| match judge(directory, &path, trust) {
        Ok(file) => Located { path, file, refused: None },
        Err(reason) => Located { file: path.clone(), path, refused: Some(reason) },
    };
    names.into_iter().map(judged).collect()
}

fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            log::info!("there is no plugin directory {}", directory.display());
            return Ok(Vec::new());
        }
        Err(e) => return Err(e),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "so"));
    paths.sort();
    Ok(paths)
}

fn judge(directory: &Path, path: &Path, trust: Trust) -> Result<PathBuf, Reason> {
    let unreadable =
        |e| Reason::new(code::FILE_UNREADABLE, format!("{} cannot be read: {e}", path.display()));
    let file = path.canonicalize().map_err(unreadable)?;
    let place = directory.canonicalize().map_err(unreadable)?;
    if !file.starts_with(&place) {
        let text = format!(
            "{} is a link out of its place, to {}: copy the file instead",
            path.display(),
            file.display()
        );
        return Err(Reason::new(code::PLACE_SYMLINK, text));
    }
    let metadata = fs::metadata(&file).map_err(unreadable)?;
    if !metadata.is_file() {
        let text = format!("{} is not a regular file: remove it", path.display());
        return Err(Reason::new(code::PLACE_NOT_A_FILE, text));
    }
    if trust == Trust::Root {
        only_roots(&file, &metadata)?;
        for above in file.ancestors().skip(1) {
            let metadata = fs::metadata(above).map_err(unreadable)?;
            only_roots(above, &metadata).map_err(|reason| {
                // what is above the place serves others, too: it is not for us to have its mode changed
                let text = if above.starts_with(&place) { reason.text } else { elsewhere(above, directory) };
                Reason::new(code::TRUST_PARENT, format!("{} is not trusted: {text}", path.display()))
            })?;
        }
    }
    Ok(file)
}

fn elsewhere(above: &Path, directory: &Path) -> String {
    format!(
        "others than root may change {}, above {}: move the plugins elsewhere, below directories that only root may write",
        above.display(),
        directory.display()
    )
}

fn only_roots(path: &Path, metadata: &Metadata) -> Result<(), Reason> {
    const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
    let path = path.display();
    if metadata.mode() & GROUP_OR_OTHERS_WRITE != 0 {
        let text = format!("{path} may be written by others than root: chmod go-w {path}");
        return Err(Reason::new(code::TRUST_WRITABLE, text));
    }
    if metadata.uid() != 0 {
        let text = format!("{path} belongs to user {}, not to root: chown root {path}", metadata.uid());
        return Err(Reason::new(code::TRUST_OWNER, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn places(directory: &Path, trust: Trust) -> Places {
        Places { directories: vec![directory.to_path_buf()], disabled: Vec::new(), trust }
    }

    fn refused(directory: &Path, trust: Trust) -> Vec<Option<&'static str>> {
        locate(&places(directory, trust))
            .into_iter()
            .map(|found| found.refused.map(|reason| reason.code))
            .collect()
    }

    #[test]
    fn only_shared_objects_are_found_sorted() {
        let place = tempfile::tempdir().unwrap();
        for name in ["b.so", "a.so", "c.so.1", "readme.txt", ".so"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        let found = locate(&places(place.path(), Trust::Any));
        let names: Vec<_> = found.iter().map(|found| found.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.so", "b.so"]);
        assert_eq!(refused(&place.path().join("missing"), Trust::Any), []);
    }

    #[test]
    fn a_place_that_is_no_directory_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(refused(file.path(), Trust::Any), [Some(code::PLACE_UNREADABLE)]);
    }

    #[test]
    fn links_stay_inside_their_place() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        fs::write(place.path().join("real.so"), "").unwrap();
        symlink("real.so", place.path().join("alias.so")).unwrap();
        symlink(elsewhere.path(), place.path().join("out.so")).unwrap();
        symlink("nothing", place.path().join("stale.so")).unwrap();
        let expected = [None, Some(code::PLACE_SYMLINK), None, Some(code::FILE_UNREADABLE)];
        assert_eq!(refused(place.path(), Trust::Any), expected);
    }

    #[test]
    fn a_directory_above_that_others_may_write_spoils_all() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("plugins");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("x.so"), "").unwrap();
        fs::set_permissions(place.join("x.so"), Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
        let found = refused(&place, Trust::Root);
        // run by another user than root, the file's owner is what is seen first
        assert!(matches!(found[..], [Some(code::TRUST_PARENT | code::TRUST_OWNER)]), "{found:?}");
        assert_eq!(refused(&place, Trust::Any), [None]);
    }

    /// The directory for temporary files is the system's: it must stay as it is.
    #[test]
    fn nobody_is_told_to_change_what_is_above_the_place() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("plugins");
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        fs::write(place.join("x.so"), "").unwrap();
        fs::set_permissions(place.join("x.so"), Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(above.path(), Permissions::from_mode(0o1777)).unwrap();
        let reason = locate(&places(&place, Trust::Root)).remove(0).refused.unwrap();
        let is_root = fs::metadata(&place).unwrap().uid() == 0;
        if is_root {
            assert_eq!(reason.code, code::TRUST_PARENT);
            assert!(reason.text.contains("move the plugins elsewhere"), "{reason}");
            assert!(!reason.text.contains("chmod"), "{reason}");
        } else {
            assert_eq!(reason.code, code::TRUST_OWNER);
        }
    }

    #[test]
    fn a_file_of_the_system_is_trusted() {
        let file = Path::new("/etc/passwd");
        judge(Path::new("/etc"), file, Trust::Root).unwrap();
    }
}
