//! How it is found out whether an instance does its work.

/// A check that is made again and again while an instance runs. All spans are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is tried.
    pub probe: Probe,
    /// Between the end of one check and the next.
    pub interval: u64,
    /// A check that is not answered by then has failed.
    pub timeout: u64,
    /// So many failures in a row make it unhealthy.
    pub retries: u32,
    /// No failure counts before it has been running for so long.
    pub start: u64,
}

/// What a check tries, at the address of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A connection to the port is accepted.
    Tcp {
        /// On which port.
        port: u16,
    },
    /// A GET is answered by a 2xx or 3xx.
    Http {
        /// On which port.
        port: u16,
        /// Begins with `/`.
        path: String,
    },
}

impl Health {
    /// That check, as often as Motey makes one where nobody says otherwise.
    pub fn of(probe: Probe) -> Self {
        Self { probe, interval: 10_000, timeout: 2_000, retries: 3, start: 30_000 }
    }
}
