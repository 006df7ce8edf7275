//! Starting a shim and hearing how it went.

use std::env;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use motey_plugin_api::Error;
use motey_process_shim::InstanceDir;
use motey_process_shim::process::until;
use motey_process_shim::report::Report;
use rustix::event::{PollFd, PollFlags};

use crate::convert::{PATH, start_error};

/// An `exec` from a sleeping disk or a distant file system takes its time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns when the program runs. The shim is a child of this process, and stays when it goes.
pub fn shim(motey: &Path, dir: &InstanceDir, image: &str) -> Result<(), Error> {
    let program = find_program(image, &env::var("PATH").unwrap_or_else(|_| PATH.to_owned()))?;
    // nothing of the host's environment may change what the shim does
    let mut child = Command::new(motey)
        .arg("shim")
        .arg(dir.path())
        .arg(&program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            Error::unavailable(format!("cannot start the supervisor {}", motey.display()))
                .engine_text(error.to_string())
        })?;
    let report = child.stdout.take().map(|pipe| hear(pipe, Instant::now() + PATIENCE));
    match report {
        Some(Ok(Some(Report::Started))) => Ok(()),
        Some(Ok(Some(Report::Failed { kind, text }))) => {
            let _ = child.wait();
            Err(start_error(kind, text))
        }
        Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
            Err(Error::timed_out(format!("{} has not started within {PATIENCE:?}", program.display()))
                .hint("the supervisor goes on trying: look at the instance again, or stop it"))
        }
        _ => {
            let _ = child.wait();
            Err(Error::failed(format!("the supervisor {} ended without a word", motey.display()))
                .hint("is it this version's `motey`?"))
        }
    }
}

/// Reads to the end of file: the shim closes the pipe when it has told.
fn hear(mut pipe: impl Read + std::os::fd::AsFd, deadline: Instant) -> io::Result<Option<Report>> {
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let mut fds = [PollFd::new(&pipe, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&until(deadline))) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        match pipe.read(&mut buffer)? {
            0 => return Ok(std::str::from_utf8(&text).ok().and_then(Report::decode)),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
}

/// A path from the root, or a name to look for in `path`.
fn find_program(image: &str, path: &str) -> Result<PathBuf, Error> {
    if Path::new(image).is_absolute() {
        return Ok(image.into());
    }
    if image.contains('/') {
        return Err(Error::invalid(format!("the image {image:?} is a relative path"))
            .hint("give the program from the root on, or its bare name to have it looked for in PATH"));
    }
    let candidates =
        env::split_paths(path).filter(|place| place.is_absolute()).map(|place| place.join(image));
    let executable =
        |file: &PathBuf| file.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0);
    candidates.into_iter().find(executable).ok_or_else(|| {
        Error::not_found(format!("there is no program {image:?} on this node"))
            .hint(format!("install it, or give its path; looked for in {path}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_plugin_api::Code;

    #[test]
    fn programs_are_found_in_path_and_nowhere_else() {
        assert_eq!(find_program("sh", "relative:/nowhere:/bin").expect("found"), Path::new("/bin/sh"));
        assert_eq!(find_program("/no/such", "").expect("as given"), Path::new("/no/such"));
        assert_eq!(find_program("no-such-program", "/bin").expect_err("found").code, Code::NotFound);
        assert_eq!(find_program("sh", "").expect_err("found").code, Code::NotFound);
        assert_eq!(find_program("./sh", "/bin").expect_err("accepted").code, Code::Invalid);
    }
}
