//! What an instance's directory means now, and what to do when its shim died without a word.
//!
//! The files say who ran it, procfs says who still does. A shim that is gone without having told an exit was killed: what is left of
//! its tree is killed too, and that is written down, so that whoever looks next finds an instance that has exited.

use std::time::{Duration, Instant};

use motey_plugin_api::InstanceState;
use motey_process_shim::InstanceDir;
use motey_process_shim::cgroup::Cgroup;
use motey_process_shim::process::{self, Handle};
use motey_process_shim::ring::now_ms;
use motey_process_shim::state::{Exit, Identity};
use rustix::process::Signal;

use crate::convert::Found;
use crate::directories::Lock;

/// For what was sent SIGKILL to be gone.
const DYING: Duration = Duration::from_secs(5);

/// `None`: there is no instance. With `lock` given it is the caller's; otherwise one is taken where something has to be changed.
pub fn look(dir: &InstanceDir, lock: Option<&Lock>) -> Option<Found> {
    let found = glance(dir)?;
    let Some(identity) = found.identity.as_ref().filter(|_| found.state == InstanceState::Exited) else {
        return Some(found);
    };
    let shim_left_a_group = || identity.cgroup.as_ref().is_some_and(|path| Cgroup::at(path).exists());
    if !is_of_this_boot(identity) || (found.exit.is_some() && !shim_left_a_group()) {
        return Some(found);
    }
    let own = if lock.is_none() { Lock::take(dir).ok().flatten() } else { None };
    if lock.is_none() && own.is_none() {
        // somebody else is about to do the same, or to start it anew
        return Some(found);
    }
    let again = glance(dir)?;
    if again == found && !clean_up_after(dir, identity, again.exit.is_some()) {
        let remark = Some("its supervisor was killed, and some of its processes do not die".to_owned());
        return Some(Found { state: InstanceState::Stopping, exit: None, remark, ..again });
    }
    glance(dir)
}

/// What the files say, compared with what runs. Changes nothing, but for a zombie child that is taken away.
fn glance(dir: &InstanceDir) -> Option<Found> {
    let description = dir.description()?;
    let found = |identity, state, exit, remark| Some(Found { description, identity, state, exit, remark });
    let Some(identity) = dir.identity() else {
        let state = if dir.is_held() { InstanceState::Starting } else { InstanceState::Created };
        return found(None, state, None, None);
    };
    let alive = is_of_this_boot(&identity) && identity.shim.is_alive();
    // asked in this order: what a dead shim has not told it will never tell
    let exit = dir.exit_of(&identity);
    if alive {
        let stopping = exit.is_some() || dir.stop_order(&identity).is_some();
        let state = match identity.main {
            _ if stopping => InstanceState::Stopping,
            None => InstanceState::Starting,
            Some(_) => InstanceState::Running,
        };
        let remark = identity.note.clone();
        return found(Some(identity), state, None, remark);
    }
    if let Some(zombie) = is_of_this_boot(&identity).then(|| identity.shim.handle()).flatten() {
        zombie.reap();
    }
    let remark = match &exit {
        Some(exit) => exit.note.clone(),
        None if !is_of_this_boot(&identity) => Some("the machine was restarted while it ran".to_owned()),
        None => Some(KILLED.to_owned()),
    };
    found(Some(identity), InstanceState::Exited, exit, remark)
}

const KILLED: &str =
    "its supervisor was killed, and its processes with it: how the program ended is not known";

pub fn is_of_this_boot(identity: &Identity) -> bool {
    process::boot_id().is_ok_and(|boot| boot == identity.boot)
}

/// Kills what a dead shim left, and writes the exit that it could not. False: something does not die.
fn clean_up_after(dir: &InstanceDir, identity: &Identity, has_exit: bool) -> bool {
    let deadline = Instant::now() + DYING;
    let group_is_empty = identity.cgroup.as_ref().is_none_or(|path| empty(&Cgroup::at(path), deadline));
    let marks_are_gone = has_exit || kill_marked(identity, deadline);
    if !group_is_empty || !marks_are_gone {
        return false;
    }
    if !has_exit {
        let exit =
            Exit { run: identity.run(), at: now_ms(), note: Some(KILLED.to_owned()), ..Exit::default() };
        if let Err(error) = dir.write_exit(&exit) {
            log::warn!("cannot write down how {} ended: {error}", dir.path().display());
        }
    }
    true
}

fn empty(group: &Cgroup, deadline: Instant) -> bool {
    while group.exists() {
        group.kill();
        if !group.wait_until_empty(deadline) {
            return false;
        }
        group.remove();
        if Instant::now() >= deadline {
            return !group.exists();
        }
    }
    true
}

/// Kills by the mark in the environment until none is found: what is killed may have forked before.
fn kill_marked(identity: &Identity, deadline: Instant) -> bool {
    loop {
        let left = process::with_environment("MOTEY_RUN", &identity.run());
        if left.is_empty() {
            return true;
        }
        let handles: Vec<Handle> = left.iter().filter_map(process::Process::handle).collect();
        for handle in &handles {
            let _ = handle.signal(Signal::KILL);
        }
        if !handles.iter().all(|handle| handle.wait(deadline).unwrap_or(false)) {
            return false;
        }
    }
}
