//! What a node knows of its engines.

use std::collections::BTreeSet;

use crate::step::FETCHES;

/// What is known of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// It answers.
    Up {
        /// What it is able to do.
        features: BTreeSet<String>,
    },
    /// It does not answer.
    Down {
        /// Why, for people.
        message: String,
    },
}

impl Engine {
    /// Whether images are to be fetched for it. An engine that does not answer may be one.
    pub(crate) fn may_fetch(&self) -> bool {
        match self {
            Self::Up { features } => features.contains(FETCHES),
            Self::Down { .. } => true,
        }
    }
}

/// An engine as clients see it.
#[derive(Clone, Copy, Debug)]
pub struct EngineView<'a> {
    /// Why it does not answer; `None` while it does.
    pub down: Option<&'a str>,
    /// What it is able to do.
    pub features: Option<&'a BTreeSet<String>>,
    /// How many instances of this node it shows.
    pub instances: usize,
}
