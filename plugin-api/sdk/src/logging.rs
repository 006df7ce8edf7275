//! `log` and the panic hook exist once per shared object: here they are led to the host.

use std::{
    panic,
    sync::{Once, PoisonError, RwLock},
    thread,
};

use log::{Level, LevelFilter, Log, Metadata, Record};
use motey_plugin_ops::{LogLevel, LogRecord};

use crate::Host;

static FORWARDER: Forwarder = Forwarder(RwLock::new(None));
static INSTALL: Once = Once::new();

struct Forwarder(RwLock<Option<Host>>);

/// Leads the records of this shared object to `host`, the newest one if it is created again.
pub(crate) fn forward_to(host: &Host, level: LogLevel) {
    *FORWARDER.0.write().unwrap_or_else(PoisonError::into_inner) = Some(host.clone());
    INSTALL.call_once(|| {
        // fails when the vendor has installed a logger of its own, which is then its decision
        let _ = log::set_logger(&FORWARDER);
        panic::set_hook(Box::new(report));
    });
    log::set_max_level(filter(level));
}

fn report(panic: &panic::PanicHookInfo<'_>) {
    let thread = thread::current();
    log::error!(target: "panic", "thread `{}`: {panic}", thread.name().unwrap_or("unnamed"));
}

impl Log for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // not held over the call, in which this thread may log again
        let host = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(host) = host {
            host.log(&LogRecord {
                level: level(record.level()),
                target: record.target().to_owned(),
                message: record.args().to_string(),
            });
        }
    }

    fn flush(&self) {}
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
        Level::Trace => LogLevel::Trace,
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    }
}
