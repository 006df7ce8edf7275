//! `motey run` and `motey shim`, with a watcher that kills the process as `kill -9` does, at a point that the test
//! orders (see `watched.rs`). It has no other difference from the product: both call the same two functions.

#![forbid(unsafe_code)]

use std::{
    env, future,
    io::{self, BufRead},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, bail};
use log::LevelFilter;
use motey_daemon::{Watcher, config::Config, node::Stage};
use motey_tests::{KillPoint, Window};
use rustix::process::{Signal, getpid, kill_process};

/// What is still to come before the end.
type Order = Arc<Mutex<Option<KillPoint>>>;

fn main() -> ExitCode {
    let mut args = env::args_os();
    if args.nth(1).is_some_and(|verb| verb == "shim") {
        return motey_process_shim::main(args);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [verb, flag, file] = arguments.as_slice() else { bail!("usage: motey-watched run --config FILE") };
    if verb != "run" || flag != "--config" {
        bail!("usage: motey-watched run --config FILE");
    }
    let config = Config::load(Some(&PathBuf::from(file)), env::vars_os(), &[])?;
    env_logger::Builder::new()
        .filter_level(config.logger.level)
        .filter_module("warp", LevelFilter::Info)
        .init();
    let order = take_orders()?;
    // nobody asks it to end: it is killed
    motey_daemon::run_watched(&config, future::pending(), watcher(order))?;
    Ok(())
}

/// Waits for the first order and leaves a thread behind for the others.
fn take_orders() -> anyhow::Result<Order> {
    let mut lines = io::stdin().lock().lines();
    let first = lines.next().context("no first order on standard input")??;
    let point = if first.is_empty() { None } else { Some(first.parse().map_err(anyhow::Error::msg)?) };
    let order = Order::new(Mutex::new(point));
    let shared = Arc::clone(&order);
    drop(lines);
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            match line.parse() {
                Ok(point) => *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(point),
                Err(error) => log::error!("an order is not followed: {error}"),
            }
        }
    });
    Ok(order)
}

fn watcher(order: Order) -> Watcher {
    Box::new(move |stage| {
        let mut order = order.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(point) = order.as_mut().filter(|point| point.window == window(stage)) else { return };
        point.count -= 1;
        if point.count == 0 {
            // cannot fail: every process may signal itself
            let _ = kill_process(getpid(), Signal::KILL);
            thread::park();
        }
    })
}

fn window(stage: Stage) -> Window {
    match stage {
        Stage::RequestRead => Window::RequestRead,
        Stage::Committed => Window::Committed,
        Stage::CallSent => Window::CallSent,
        Stage::EngineDone => Window::EngineDone,
        Stage::ReportApplied => Window::ReportApplied,
        Stage::LeaseFreed => Window::LeaseFreed,
    }
}
