//! The written form of a check.

use motey_core::spec::{Health, Probe};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct HealthForm {
    probe: ProbeForm,
    interval_ms: u64,
    timeout_ms: u64,
    retries: u32,
    start_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProbeForm {
    Tcp(u16),
    Http { port: u16, path: String },
}

impl From<Health> for HealthForm {
    fn from(health: Health) -> Self {
        let Health { probe, interval, timeout, retries, start } = health;
        let probe = match probe {
            Probe::Tcp { port } => ProbeForm::Tcp(port),
            Probe::Http { port, path } => ProbeForm::Http { port, path },
        };
        Self { probe, interval_ms: interval, timeout_ms: timeout, retries, start_ms: start }
    }
}

impl From<HealthForm> for Health {
    fn from(form: HealthForm) -> Self {
        let HealthForm { probe, interval_ms, timeout_ms, retries, start_ms } = form;
        let probe = match probe {
            ProbeForm::Tcp(port) => Probe::Tcp { port },
            ProbeForm::Http { port, path } => Probe::Http { port, path },
        };
        Self { probe, interval: interval_ms, timeout: timeout_ms, retries, start: start_ms }
    }
}
