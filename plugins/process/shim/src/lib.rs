//! What `motey shim` runs: one supervisor for one process tree, and the files by which it and the `process` VAL know each other.
//!
//! The shim outlives the host that started it. It owns the tree's session and cgroup, adopts every orphan of the tree, writes what
//! the program prints to a bounded ring, and leaves the exit in a file. A host, this one or a later one, learns everything from the
//! instance's directory ([`InstanceDir`]) and stops the tree by a signal to the shim.
//!
//! Deliberately not here: serde, threads, an async runtime, a list of instances. One shim costs little memory because it does little;
//! what concerns more than one instance is the VAL's.

#![forbid(unsafe_code)]

pub mod cgroup;
pub mod directory;
mod launch;
pub mod process;
pub mod record;
pub mod report;
pub mod ring;
mod signals;
pub mod state;
mod supervisor;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub use directory::InstanceDir;

/// Runs the shim to the end of its tree. `args` is what follows the verb: the instance's directory and the program, both absolute.
///
/// Whether the program runs is told on standard output, in one line ([`report`]). Ends with success when the program was started,
/// however it ended: its exit is in the directory.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let [directory, program] = args.as_slice() else {
        eprintln!("usage: motey shim DIRECTORY PROGRAM (it is started by the process VAL, not by people)");
        return ExitCode::from(2);
    };
    let directory = InstanceDir::new(PathBuf::from(directory));
    match launch::launch(directory, program.as_ref()) {
        Ok(supervisor) => {
            supervisor.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            report::tell(&report::Report::Failed { kind: error.kind(), text: error.to_string() });
            ExitCode::FAILURE
        }
    }
}
