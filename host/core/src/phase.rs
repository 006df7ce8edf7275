//! What a node may take, by how it is: the five phases of OpenFog's life-cycle of nodes, and what puts a node in one.
//!
//! No phase is stored. Each node works out its own [`Condition`] from what it knows, and says it with every beat. Only a
//! node in [`Phase::Operate`] is given anything new; what is assigned to a node already no phase takes away. That an
//! operator cordons a node is no phase: see [`Duty`].

use std::collections::BTreeSet;
use std::fmt;

use crate::id::{Called, EngineName};
use crate::membership::{Outlook, Standing};
use crate::mutant::{self, Mutant};
use crate::peer::Duty;
use crate::state::Core;

/// A phase in the life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It has an identity, and nothing else is known of it.
    Commission,
    /// What it has is heard for the first time.
    Provision,
    /// It takes what fits.
    Operate,
    /// Something is not as it should be, and it is on its way back.
    Recover,
    /// It is on its way out.
    Decommission,
}

impl Phase {
    /// OpenFog's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commission => "COMMISSION",
            Self::Provision => "PROVISION",
            Self::Operate => "OPERATE",
            Self::Recover => "RECOVER",
            Self::Decommission => "DECOMMISSION",
        }
    }
}

/// How a node is, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// As it should be.
    #[default]
    Sound,
    /// In its first life, and it was not told yet what it is made of.
    New,
    /// In its first life, and it has not heard that part of it.
    Awaits(Part),
    /// Started again, and it was not told yet what it is made of.
    Restarts,
    /// Started again, and it has not heard that part of it.
    Misses(Part),
    /// It started, or slept, and asks the others what it missed.
    CatchesUp,
    /// Others knew a later life of it: its disk is an older one.
    Restored,
    /// It is one of two with the same id.
    Twin,
    /// Its last decision could not be written.
    CannotWrite,
    /// Its operator wants it empty.
    Drained,
    /// It was given up.
    Forgotten,
    /// It is not authorised any more.
    Removed,
    /// In a word that this node does not know: the other one is of a later version.
    Unknown,
}

/// What a node is made of, as it is told: each of these speaks in every life of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Its engines.
    pub engines: BTreeSet<EngineName>,
    /// Who else tells what it offers.
    pub sources: BTreeSet<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An engine.
    Engine(EngineName),
    /// A source of capabilities.
    Source(String),
}

impl Condition {
    /// The phase that it puts a node in.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Sound => Phase::Operate,
            Self::New => Phase::Commission,
            Self::Awaits(_) => Phase::Provision,
            Self::Restarts
            | Self::Misses(_)
            | Self::CatchesUp
            | Self::Restored
            | Self::Twin
            | Self::CannotWrite
            | Self::Unknown => Phase::Recover,
            Self::Drained | Self::Forgotten | Self::Removed => Phase::Decommission,
        }
    }

    /// Whether anything new is given to a node that is so.
    pub(crate) fn takes_on(&self) -> bool {
        self.phase() == Phase::Operate || mutant::is(Mutant::PlaceOnAnyPhase)
    }

    /// Whether a node that is so has not heard all that it is made of.
    pub(crate) const fn is_incomplete(&self) -> bool {
        matches!(self, Self::New | Self::Awaits(_) | Self::Restarts | Self::Misses(_))
    }

    /// Why a node that is so is given nothing new, and what would change that; `None` where it is given what fits.
    pub fn why(&self, node: &Called) -> Option<String> {
        Some(match self {
            Self::Sound => return None,
            Self::New => format!("{node} is commissioned: it does not know yet what it is made of"),
            Self::Awaits(part) => format!("{node} is provisioned: it has not heard {part} yet"),
            Self::Restarts => format!("{node} recovers: it started and does not know yet what it is made of"),
            Self::Misses(part) => format!("{node} recovers: it has not heard {part} since its start"),
            Self::CatchesUp => format!("{node} recovers: it asks the other nodes what it missed"),
            Self::Restored => {
                format!("{node} recovers: its disk is older than what it said, and it asks the other nodes")
            }
            Self::Twin => {
                format!("{node} recovers: another node has its id; `motey node reset-id` on one of them")
            }
            Self::CannotWrite => {
                format!("{node} recovers: its state cannot be written; make room on its disk")
            }
            Self::Drained => format!("{node} is being drained"),
            Self::Forgotten => format!("{node} was forgotten"),
            Self::Removed => format!("{node} is no longer a member of its cluster"),
            Self::Unknown => {
                format!("{node} is in a condition that this node does not know; bring both to one version")
            }
        })
    }
}

impl Core {
    /// How this node is.
    pub fn condition(&self) -> Condition {
        self.condition_with(&self.standing, &self.membership.watch.outlook)
    }

    /// What is wrong counts before what an operator wants, and that before what comes by itself.
    pub(crate) fn condition_with(&self, standing: &Standing, outlook: &Outlook) -> Condition {
        match outlook {
            _ if outlook.disputed => Condition::Twin,
            _ if self.cannot_write => Condition::CannotWrite,
            _ if outlook.removed => Condition::Removed,
            _ if outlook.leaving => Condition::Forgotten,
            _ if standing.duty == Duty::Drain => Condition::Drained,
            _ => self.incomplete().unwrap_or(match outlook {
                _ if !outlook.settled => Condition::CatchesUp,
                _ if outlook.restored => Condition::Restored,
                _ => Condition::Sound,
            }),
        }
    }

    /// What it is like while not everything that it is made of has spoken.
    fn incomplete(&self) -> Option<Condition> {
        let is_first = self.me.incarnation.count <= 1;
        let Some(parts) = &self.parts else {
            return Some(if is_first { Condition::New } else { Condition::Restarts });
        };
        let engine = parts.engines.iter().find(|name| !self.engines.contains_key(*name));
        let source = || parts.sources.iter().find(|name| !self.capabilities.contains_key(*name));
        let part = match engine {
            Some(name) => Part::Engine(name.clone()),
            None => Part::Source(source()?.clone()),
        };
        Some(if is_first { Condition::Awaits(part) } else { Condition::Misses(part) })
    }

    /// Whether it waits for something that it is made of.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete().is_some()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(name) => write!(f, "its engine {name}"),
            Self::Source(name) => write!(f, "what its plugin {name} offers"),
        }
    }
}
