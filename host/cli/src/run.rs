//! `motey run`: reads the configuration, sets up the log and hands over to the daemon until a signal asks it to end.

use std::env;
use std::io::Write;

use log::{LevelFilter, error, info, warn};
use motey_daemon::config::{Config, ConfigMistakes, Flag};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Global, Run};
use crate::exit::Failure;

/// Runs the daemon to its end.
///
/// # Errors
/// When the configuration is wrong or the daemon cannot start or go on.
pub fn run(global: &Global, args: &Run) -> Result<(), Failure> {
    let config = load(global, args)?;
    log_to_stderr(config.logger.level);
    for notice in config.notices() {
        warn!("{notice}");
    }
    Ok(motey_daemon::run(&config, shutdown())?)
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
        .format(|out, record| {
            let style = out.default_level_style(record.level());
            let (now, level, target) = (jiff::Timestamp::now(), record.level(), record.target());
            writeln!(out, "{now:.3} {style}{level:5}{style:#} {target}: {}", record.args())
        })
        .init();
}

/// Done at the first SIGTERM or SIGINT. It is polled inside the daemon's runtime, where signals can be waited for.
async fn shutdown() {
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => {
                error!("signals cannot be waited for, so they end the daemon at once: {error}");
                return std::future::pending().await;
            }
        };
    let name = first(&mut terminate, &mut interrupt).await;
    info!("{name}: shutting down; services go on");
}

async fn first(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
