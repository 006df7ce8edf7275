//! A node that kills itself at a chosen point in the life of a decision: `motey-watched run`, which is `motey run` with
//! eyes on its loop.
//!
//! It reads its orders as lines of standard input, the first one before it starts: `WINDOW COUNT`, or an empty line for
//! none. The product itself knows nothing of this.

use std::{
    fmt,
    io::Write,
    path::Path,
    process::{ChildStdin, Stdio},
    str::FromStr,
};

use crate::node::NodeUnderTest;

/// Between which two things that a node does it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    RequestRead,
    Committed,
    CallSent,
    EngineDone,
    ReportApplied,
    LeaseFreed,
}

impl Window {
    pub const ALL: [Self; 6] = [
        Self::RequestRead,
        Self::Committed,
        Self::CallSent,
        Self::EngineDone,
        Self::ReportApplied,
        Self::LeaseFreed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestRead => "request-read",
            Self::Committed => "committed",
            Self::CallSent => "call-sent",
            Self::EngineDone => "engine-done",
            Self::ReportApplied => "report-applied",
            Self::LeaseFreed => "lease-freed",
        }
    }
}

/// The `count`-th time that a node comes to a window, from the order on; 1 is the next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillPoint {
    pub window: Window,
    pub count: u64,
}

impl fmt::Display for KillPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.window.as_str(), self.count)
    }
}

impl FromStr for KillPoint {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let point = line.trim().split_once(' ').and_then(|(name, count)| {
            let window = Window::ALL.into_iter().find(|window| window.as_str() == name)?;
            Some(Self { window, count: count.parse().ok().filter(|count| *count > 0)? })
        });
        point.ok_or_else(|| format!("{line:?} is not a kill point such as `committed 3`"))
    }
}

/// The way to a watched node that runs.
#[derive(Debug)]
pub struct Orders(ChildStdin);

impl Orders {
    /// Replaces the order before. A node that is dead already hears nothing.
    pub fn kill_at(&mut self, point: KillPoint) {
        let _gone = writeln!(self.0, "{point}");
    }
}

impl NodeUnderTest {
    /// Starts the host as `program`, a `motey-watched`, and returns at once.
    #[track_caller]
    pub fn launch_watched(&mut self, program: &Path, kill_at: Option<KillPoint>) -> Orders {
        let mut input = self.launch_as(program, Stdio::piped()).expect("its input is a pipe");
        let first = kill_at.map(|point| point.to_string()).unwrap_or_default();
        writeln!(input, "{first}").expect("the host reads its first order");
        Orders(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kill_points_are_read_as_they_are_written() {
        for window in Window::ALL {
            let point = KillPoint { window, count: 3 };
            assert_eq!(point.to_string().parse(), Ok(point));
        }
        for wrong in ["", "committed", "committed 0", "nowhere 1", "committed x"] {
            assert!(wrong.parse::<KillPoint>().is_err(), "{wrong:?}");
        }
    }
}
