//! `motey run`: reads the configuration, sets up the log and hands over to the daemon until a signal asks it to end.

use std::env;
use std::fs;
use std::io::{self, Write};

use log::{LevelFilter, error, info, warn};
use motey_daemon::config::{Config, ConfigMistakes, Flag};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Global, Run};
use crate::exit::Failure;

/// The first descriptor after the three standard ones.
const FIRST_OWN: i32 = 3;

/// Runs the daemon to its end.
///
/// # Errors
/// When the configuration is wrong or the daemon cannot start or go on.
pub fn run(global: &Global, args: &Run) -> Result<(), Failure> {
    keep_inherited_descriptors();
    let config = load(global, args)?;
    log_to_stderr(config.logger.level);
    for notice in config.notices() {
        warn!("{notice}");
    }
    Ok(motey_daemon::run(&config, shutdown())?)
}

/// What whoever started the node left open, those of systemd's LISTEN_FDS among it, stays the node's own: nothing that
/// it starts is given it. To be called while there is one thread.
fn keep_inherited_descriptors() {
    close_fds::set_fds_cloexec(FIRST_OWN, &[]);
}

fn load(global: &Global, args: &Run) -> Result<Config, ConfigMistakes> {
    let file = global.config_file();
    Config::load(file.as_deref(), env::vars_os(), &flags(args))
}

fn flags(args: &Run) -> Vec<Flag> {
    let own = [
        ("--state-dir", "general.state_dir", &args.state_dir),
        ("--run-dir", "general.run_dir", &args.run_dir),
        ("--port", "webserver.port", &args.port),
        ("--log-level", "logger.level", &args.log_level),
    ];
    let own = own.into_iter().filter_map(|(name, key, value)| {
        Some(Flag { name: name.to_owned(), key: key.to_owned(), value: value.clone()? })
    });
    let set = args.set.iter().map(|set| Flag {
        name: "--set".to_owned(),
        key: set.key.clone(),
        value: set.value.clone(),
    });
    own.chain(set).collect()
}

/// One line a record: moment in UTC, level, where from, message.
fn log_to_stderr(level: LevelFilter) {
    env_logger::Builder::new()
        .filter_level(level)
        // it has a line for every request and nothing to say in it
        .filter_module("warp", level.min(LevelFilter::Info))
        .format(|out, record| {
            let style = out.default_level_style(record.level());
            let (now, level, target) = (jiff::Timestamp::now(), record.level(), record.target());
            writeln!(out, "{now:.3} {style}{level:5}{style:#} {target}: {}", record.args())
        })
        .init();
}

/// Done at the first signal that asks for it. Polled inside the daemon's runtime, where signals can be waited for.
async fn shutdown() {
    match Signals::listen() {
        Ok(mut signals) => info!("{}: shutting down; services go on", signals.first().await),
        Err(error) => {
            error!("signals cannot be waited for, so they end the daemon at once: {error}");
            std::future::pending::<()>().await;
        }
    }
}

/// The signals that end a daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None: whoever started the daemon wants it to outlive the terminal, nohup(1).
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        // before a handler is set
        let ignored = fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if ignored { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn first(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }
}

/// `SigIgn` of proc_pid_status(5) is a mask in hexadecimal; SIGHUP is signal 1, its lowest bit.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_that_is_ignored_is_seen() {
        let status = |mask: &str| format!("Name:\tmotey\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup("Name:\tmotey\n"));
    }
}
