//! What an instance uses now: from its cgroup as far as that counts, from procfs otherwise.

use motey_plugin_api::{Error, InstanceRef, InstanceState, Stats};
use motey_process_shim::cgroup::Cgroup;
use motey_process_shim::process::{self, Stat};

use crate::client::Engine;
use crate::convert::file_error;

impl Engine {
    /// Memory is the kernel's account where the memory controller is on; else the sum of resident sizes, shared pages counted in each.
    pub fn stats(&self, request: &InstanceRef) -> Result<Stats, Error> {
        let (dir, found) = self.found(&request.name)?;
        let runs = matches!(found.state, InstanceState::Running | InstanceState::Stopping) && !found.orphaned;
        let Some(identity) = found.identity.filter(|_| runs) else {
            return Err(
                Error::conflict(format!("the instance {} does not run", request.name)).hint("start it first")
            );
        };
        let group = identity.cgroup.map(Cgroup::at);
        let tree = process::descendants(identity.shim.pid())
            .map_err(|error| file_error("find the processes of", dir.path(), &error))?;
        Ok(Stats {
            cpu_ns: group
                .as_ref()
                .and_then(Cgroup::cpu_usec)
                .map_or_else(|| cpu_ns(&tree), |usec| usec.saturating_mul(1000)),
            memory_bytes: group
                .as_ref()
                .and_then(Cgroup::memory_bytes)
                .unwrap_or_else(|| memory_bytes(&tree)),
            tasks: tree.iter().map(|stat| stat.threads).sum(),
        })
    }
}

fn cpu_ns(tree: &[Stat]) -> u64 {
    let ticks: u64 = tree.iter().map(|stat| stat.cpu_ticks).sum();
    ticks.saturating_mul(1_000_000_000) / rustix::param::clock_ticks_per_second().max(1)
}

fn memory_bytes(tree: &[Stat]) -> u64 {
    let pages: u64 = tree.iter().map(|stat| stat.resident_pages).sum();
    pages.saturating_mul(rustix::param::page_size() as u64)
}
