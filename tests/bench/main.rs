//! The figures of `docs/performance.md`, each beside a reference that is measured in the same run.
//!
//! A run prints; it judges only what must hold on any machine: the numbers of instances, of calls and of fsyncs, and
//! that an idle node is idle. `tests/bench.sh` builds what is measured and runs this.

#![forbid(unsafe_code)]

mod fsyncs;
mod idle;
mod latency;
mod load;
mod memory;
mod placement;
mod proc;
mod prototype_run;
mod sample;
mod start;
mod stored;
mod strace;
mod subject;

use std::{env, fs, process::ExitCode};

/// What can be measured, in the order of a whole run.
const FIGURES: [(&str, fn()); 8] = [
    ("latency", latency::print),
    ("fsyncs", fsyncs::print),
    ("load", load::print),
    ("start", start::print),
    ("memory", memory::print),
    ("idle", idle::print),
    ("placement", placement::print),
    ("stored", stored::print),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let known = |name: &String| FIGURES.iter().any(|(known, _)| known == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let names = FIGURES.map(|(name, _)| name).join(", ");
        eprintln!("there is no figure {unknown:?}; there are {names}");
        return ExitCode::from(2);
    }
    for (name, print) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("\n## {name} (load average {})", load_average());
            print();
        }
    }
    ExitCode::SUCCESS
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").expect("procfs is mounted");
    text.split(' ').take(2).collect::<Vec<_>>().join(", ")
}
