//! What an instance's directory means now. A look waits for nobody and ends nobody: many have to fit into one short call.
//!
//! The files say who ran it, procfs says who still does. A shim that is gone without having told an exit was killed, and may have left
//! anything running: its instance is stopping until [`crate::remains`] has seen to it.

use std::io;

use motey_plugin_api::{Error, InstanceState};
use motey_process_shim::InstanceDir;
use motey_process_shim::cgroup::Cgroup;
use motey_process_shim::process;
use motey_process_shim::state::{Exit, Identity};

use crate::convert::{Found, file_error};

const ORPHANED: &str = "its supervisor was killed, and what it left running is being killed";

/// `None`: there is no instance. What cannot be read is an error, never an absence or an end.
pub fn look(dir: &InstanceDir) -> Result<Option<Found>, Error> {
    read(dir).map_err(|error| file_error("read the instance in", dir.path(), &error))
}

fn read(dir: &InstanceDir) -> io::Result<Option<Found>> {
    let Some(description) = dir.description()? else { return Ok(None) };
    let found = Found {
        description,
        identity: None,
        state: InstanceState::Created,
        exit: None,
        remark: None,
        orphaned: false,
    };
    let Some(identity) = dir.identity()? else {
        let state = if dir.is_held()? { InstanceState::Starting } else { InstanceState::Created };
        return Ok(Some(Found { state, ..found }));
    };
    let found = match process::boot_id()? == identity.boot {
        true => of_this_boot(dir, &identity, found)?,
        false => of_another_boot(dir.exit_of(&identity)?, found),
    };
    Ok(Some(Found { identity: Some(identity), ..found }))
}

fn of_another_boot(exit: Option<Exit>, found: Found) -> Found {
    let remark = match &exit {
        Some(exit) => exit.note.clone(),
        None => Some("the machine was restarted while it ran".to_owned()),
    };
    Found { state: InstanceState::Exited, exit, remark, ..found }
}

fn of_this_boot(dir: &InstanceDir, identity: &Identity, found: Found) -> io::Result<Found> {
    let alive = identity.shim.is_alive()?;
    // asked in this order: what a dead shim has not told it will never tell
    let exit = dir.exit_of(identity)?;
    if alive {
        let stopping = exit.is_some() || dir.stop_order(identity)?.is_some();
        let state = match identity.main {
            _ if stopping => InstanceState::Stopping,
            None => InstanceState::Starting,
            Some(_) => InstanceState::Running,
        };
        return Ok(Found { state, remark: identity.note.clone(), ..found });
    }
    if let Some(zombie) = identity.shim.handle()? {
        zombie.reap();
    }
    if may_have_left_something(identity, exit.is_some())? {
        let remark = Some(ORPHANED.to_owned());
        return Ok(Found { state: InstanceState::Stopping, exit, remark, orphaned: true, ..found });
    }
    let remark = exit.as_ref().and_then(|exit| exit.note.clone());
    Ok(Found { state: InstanceState::Exited, exit, remark, ..found })
}

/// A shim tells the exit when no process is left, but for those in the group that it did not know of.
fn may_have_left_something(identity: &Identity, has_exit: bool) -> io::Result<bool> {
    let Some(group) = identity.cgroup.as_ref().map(Cgroup::at).filter(|_| has_exit) else {
        return Ok(!has_exit);
    };
    let inhabited = group.inhabited()?.is_some();
    if !inhabited && group.exists()? {
        group.remove();
    }
    Ok(inhabited)
}
