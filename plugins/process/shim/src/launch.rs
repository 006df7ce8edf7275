//! From a directory to a running program: everything a shim does once, in the order in which a kill at any point does no harm.
//!
//! The order is: hold the lock, say who the shim is (with the group it is about to make), make the group, spawn, say who the program
//! is. Whoever finds the directory between two steps can tell what may have been left behind.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;

use crate::cgroup::Cgroup;
use crate::directory::InstanceDir;
use crate::process::{Process, boot_id};
use crate::report::{self, Kind, Report};
use crate::ring::{Output, Ring, now_ms};
use crate::signals::Signals;
use crate::state::{Description, Identity};
use crate::supervisor::{Phase, Supervisor, end_tree};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} holds no instance")]
    NoInstance(PathBuf),
    #[error("the instance runs already")]
    Runs,
    #[error("the working directory {0} is not a directory on this node")]
    WorkingDir(String),
    #[error("the program {0} does not exist, or its interpreter does not")]
    ProgramNotFound(PathBuf),
    #[error("the program {0} may not be executed")]
    NotExecutable(PathBuf),
    #[error("the file {0} is not a program that this machine can run")]
    NotAProgram(PathBuf),
    #[error("arguments and environment together are longer than the system allows")]
    TooLong,
    #[error("cannot start {program}: {source}")]
    Spawn { program: PathBuf, source: io::Error },
    #[error("cannot prepare the start in {path}: {source}")]
    Prepare { path: PathBuf, source: io::Error },
}

impl Error {
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoInstance(_) | Self::ProgramNotFound(_) => Kind::NotFound,
            Self::Runs => Kind::Conflict,
            Self::WorkingDir(_) | Self::NotExecutable(_) | Self::NotAProgram(_) | Self::TooLong => {
                Kind::Invalid
            }
            Self::Spawn { .. } | Self::Prepare { .. } => Kind::Unavailable,
        }
    }

    fn spawn(program: &Path, source: io::Error) -> Self {
        let program = program.to_owned();
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT) => Self::ProgramNotFound(program),
            Some(Errno::ACCESS | Errno::PERM) => Self::NotExecutable(program),
            Some(Errno::NOEXEC | Errno::ISDIR | Errno::LIBBAD | Errno::INVAL) => Self::NotAProgram(program),
            Some(Errno::TOOBIG) => Self::TooLong,
            _ => Self::Spawn { program, source },
        }
    }
}

/// Starts the program and tells of it; what is returned has to be run to its end.
pub(crate) fn launch(dir: InstanceDir, program: &Path) -> Result<Supervisor, Error> {
    let prepare = |source| Error::Prepare { path: dir.path().to_owned(), source };
    let no_instance = || Error::NoInstance(dir.path().to_owned());
    let lock = match dir.hold() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_instance()),
        held => held.map_err(prepare)?.ok_or(Error::Runs)?,
    };
    // read under the lock: whoever removes the directory takes it too
    let description = dir.description().map_err(prepare)?.ok_or_else(no_instance)?;
    detach().map_err(prepare)?;
    let signals = Signals::install().map_err(prepare)?;
    let ring = Ring::open(&dir, description.log_bytes).map_err(prepare)?;

    let (mut identity, own, mut group) = introduce(&description.name).map_err(prepare)?;
    dir.write_identity(&identity).map_err(prepare)?;
    let spawned = spawn_in_group(&description, program, &mut identity, own.as_ref(), &mut group);
    let undo = |error| {
        if let Some(group) = &group {
            group.remove();
        }
        dir.forget_run();
        error
    };
    let mut child = spawned.map_err(undo)?;
    let outputs = introduce_program(&dir, &mut identity, &mut child).map_err(|error| {
        // the program runs, but nobody could find it again
        end_tree(identity.shim.pid(), group.as_ref());
        undo(prepare(error))
    })?;
    report::tell(&Report::Started);
    Ok(Supervisor {
        dir,
        _lock: lock,
        description,
        identity,
        signals,
        ring,
        outputs,
        group,
        phase: Phase::Running,
        status: None,
    })
}

/// Out of the host's session, its directory and its umask; in charge of every orphan below.
fn detach() -> io::Result<()> {
    // refused only to a group's leader, which is how a shell starts it by hand: then the session stays the shell's
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    std::env::set_current_dir("/")
}

/// Who the shim is, the group it is in, and the group its tree shall have.
fn introduce(name: &str) -> io::Result<(Identity, Option<Cgroup>, Option<Cgroup>)> {
    let shim = Process::itself()?;
    let own = Cgroup::own();
    let group = own.as_ref().ok().map(|own| own.for_instance(name, shim.pid()));
    let identity = Identity {
        boot: boot_id()?,
        shim,
        main: None,
        cgroup: group.as_ref().and_then(|group| group.path().to_str()).map(str::to_owned),
        started_at: now_ms(),
        note: own.as_ref().err().map(without_group),
    };
    Ok((identity, own.ok(), group))
}

fn without_group(error: &crate::cgroup::Error) -> String {
    format!("runs without a cgroup of its own: {error}")
}

/// The shim goes into the tree's group, spawns there, and comes back: so the program is in it from its first instruction on.
fn spawn_in_group(
    description: &Description,
    program: &Path,
    identity: &mut Identity,
    own: Option<&Cgroup>,
    group: &mut Option<Cgroup>,
) -> Result<Child, Error> {
    if let Some(Err(error)) = group.as_ref().map(|group| group.make().and_then(|()| group.enter())) {
        identity.note = Some(without_group(&error));
        identity.cgroup = None;
        if let Some(group) = group.take() {
            group.remove();
        }
    }
    let child = spawn(description, program, identity);
    if group.is_some()
        && let Some(Err(error)) = own.map(Cgroup::enter)
    {
        // the shim would kill itself with its tree
        identity.note = Some(without_group(&error));
        *group = None;
    }
    child
}

fn spawn(description: &Description, program: &Path, identity: &Identity) -> Result<Child, Error> {
    // exec would say "not found" for the directory as well
    if !Path::new(&description.working_dir).is_dir() {
        return Err(Error::WorkingDir(description.working_dir.clone()));
    }
    Command::new(program)
        .args(&description.command)
        .env_clear()
        .envs(&description.environment)
        .envs(identity.marks(&description.name))
        .current_dir(&description.working_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| Error::spawn(program, source))
}

/// Says who the program is, and takes its outputs.
fn introduce_program(
    dir: &InstanceDir,
    identity: &mut Identity,
    child: &mut Child,
) -> io::Result<Vec<Output>> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    identity.main = Process::of(pid)?;
    dir.write_identity(identity)?;
    outputs(child)
}

fn outputs(child: &mut Child) -> io::Result<Vec<Output>> {
    let stdout = child.stdout.take().map(OwnedFd::from).map(|pipe| Output::new(pipe, 'o'));
    let stderr = child.stderr.take().map(OwnedFd::from).map(|pipe| Output::new(pipe, 'e'));
    stdout.into_iter().chain(stderr).collect()
}
