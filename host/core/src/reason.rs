//! Why something is not as wanted: a closed list of codes for programs, each with a text for people.

use std::fmt;

/// A code and what it means here and now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// For programs.
    pub code: Code,
    /// For people: what failed, why, and what would mend it.
    pub text: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// The closed list of reasons. Their texts are stable: programs compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// All of them, for documentation and for reading one back.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    /// No node offers, or has left, a capability that is needed.
    WaitingCapability = "waiting.capability",
    /// On every node that would do, another instance has the port.
    WaitingPort = "waiting.port",
    /// No node has an engine that can run the image.
    WaitingEngine = "waiting.engine",
    /// Its node no longer has what it needs.
    CapabilityLost = "capability.lost",
    /// The node that would run it refused it.
    WaitingAdmission = "waiting.admission",
    /// It must not run twice, and a node where it may run is not heard.
    WaitingNode = "waiting.node",
    /// Another image of the service comes first.
    WaitingDependency = "waiting.dependency",
    /// A device that it uses is elsewhere on its node by now: it is made again with that.
    CapabilityMoved = "capability.moved",
    /// It waits for its next start after an end.
    RestartBackoff = "restart.backoff",
    /// It runs, and has not passed its check yet.
    HealthWaiting = "health.waiting",
    /// It ran, and did not pass its check.
    HealthFailed = "health.failed",
    /// The engine does not answer; nothing is concluded from that.
    EngineDown = "engine.down",
    /// The engine refused or failed; tried again.
    EngineFailed = "engine.failed",
    /// The engine says that what is asked is wrong.
    EngineInvalid = "engine.invalid",
    /// Nobody whom the engine asks has the image.
    ImageNotFound = "image.notfound",
    /// Its image is being fetched.
    PullWaiting = "pull.waiting",
    /// Whoever keeps the image is not reached; tried again.
    PullNetwork = "pull.network",
    /// Whoever keeps the image wants other credentials; tried again.
    PullAuth = "pull.auth",
    /// The image could not be fetched for another reason; tried again.
    PullFailed = "pull.failed",
    /// The engine cannot do what the image needs.
    EngineUnsupported = "engine.unsupported",
    /// It exited with a code.
    ExitCode = "exit.code",
    /// A signal ended it.
    ExitSignal = "exit.signal",
    /// It used more memory than it may.
    ExitOom = "exit.oom",
    /// Another image of the service gave up.
    SiblingFailed = "sibling.failed",
}

impl Reason {
    /// That a slot waits, and nothing is known to be in its way.
    pub(crate) fn unknown() -> Self {
        Self::new(Code::WaitingAdmission, "it waits; ask again in a moment")
    }

    /// Several reasons as one: the first one's code, all texts.
    pub(crate) fn together(reasons: Vec<Self>) -> Self {
        let code = reasons.first().map_or(Code::WaitingCapability, |reason| reason.code);
        let texts: Vec<String> = reasons.into_iter().map(|reason| reason.text).collect();
        Self::new(code, texts.join("; "))
    }

    /// A reason with its text.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
