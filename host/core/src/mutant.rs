//! Rules broken on order: shows that the simulator notices when one is missing.
//!
//! Without the feature `mutants` nothing of this is in the product: [`is`] is `false` then, and its callers are as
//! if they did not ask. With it, one rule at a time is broken for the thread that says so.

macro_rules! mutants {
    ($($(#[$doc:meta])* $mutant:ident = $name:literal,)+) => {
        /// A rule, named by what is done instead.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant { $($(#[$doc])* $mutant,)+ }

        #[cfg(feature = "mutants")]
        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$mutant,)+];

            /// What it is called on a command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$mutant => $name,)+ }
            }
        }
    };
}

mutants! {
    /// Effects are handed out though nothing was written.
    SkipCommit = "skip-commit",
    /// A full disk is taken for a written one.
    IgnoreFullDisk = "ignore-full-disk",
    /// What is acknowledged survives the process, not the power.
    AnswerUnsynced = "answer-unsynced",
    /// A step that could not be written is not tried again.
    LoseDropped = "lose-dropped",
    /// Admission does not look at what is held.
    GrantTwice = "grant-twice",
    /// Admission does not look at the ports that are held.
    SharePort = "share-port",
    /// Leases are given back when the stop is ordered, not when the end is seen.
    FreeEarly = "free-early",
    /// Leases are not given back.
    KeepLeases = "keep-leases",
    /// Two attempts get the same fence.
    ReuseFence = "reuse-fence",
    /// Fences of two lives are the same.
    FenceWithoutLife = "fence-without-life",
    /// What is dismissed is not written down.
    OmitDismissed = "omit-dismissed",
    /// A dismissal is about a slot, not about one attempt.
    DismissBySlot = "dismiss-by-slot",
    /// A new attempt does not wait for the end of the one before.
    OverlapAttempts = "overlap-attempts",
    /// A report about an attempt is taken to be about the slot's present one.
    ReportBySlot = "report-by-slot",
    /// An engine that does not answer has lost its instances.
    DownIsDead = "down-is-dead",
    /// What failed is tried again without a look, and counts as done.
    BelieveFailure = "believe-failure",
    /// A failed removal counts as one.
    GoneUnseen = "gone-unseen",
    /// A call that succeeded and changed nothing is taken for done.
    BelieveSuccess = "believe-success",
    /// What is replaced is stopped before the image of what follows is there.
    StopBeforeFetch = "stop-before-fetch",
    /// What ended is started again at once.
    NoBackoff = "no-backoff",
    /// What does not pass its check goes on.
    KeepUnhealthy = "keep-unhealthy",
    /// Who refused a slot is asked again at once.
    AskAgain = "ask-again",
    /// What a node missed it asks for with every letter.
    AskEveryTime = "ask-every-time",
    /// A deleted id may be deployed again.
    ReviveDeleted = "revive-deleted",
    /// A deletion counts less than a living record.
    AbsentLoses = "absent-loses",
    /// A newer revision in a losing record is dropped.
    DropRevision = "drop-revision",
    /// After a take-over, what must not run twice is placed at once.
    TrustEpoch = "trust-epoch",
    /// What must not run twice is moved off a silent node.
    MovePinned = "move-pinned",
    /// A node is given something new in whatever phase it says that it is.
    PlaceOnAnyPhase = "place-on-any-phase",
    /// Who hears too few acts for silent nodes all the same.
    ActUnpermitted = "act-unpermitted",
    /// An owner does not wait for the heir that it named.
    RecallHeir = "recall-heir",
    /// An owner whose heir does not come names another one in the same epoch.
    SecondHeir = "second-heir",
    /// What moves is stopped at once, and its successor does not know of it.
    DropFrom = "drop-from",
    /// What runs somewhere already is not adopted.
    AdoptNothing = "adopt-nothing",
    /// An instance too many is left alone.
    KeepExtras = "keep-extras",
    /// A node does not count above what was written in its name.
    StayBehind = "stay-behind",
    /// That a node lost what an instance needs is not noticed.
    IgnoreLoss = "ignore-loss",
    /// What was made with a device goes on with the name that this had then.
    KeepBinding = "keep-binding",
    /// What ended on order may live again.
    RaiseDead = "raise-dead",
}

#[cfg(feature = "mutants")]
mod order {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static BROKEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        /// From now on this thread's cores break that rule, and no other.
        pub fn order(mutant: Option<Self>) {
            BROKEN.set(mutant);
        }
    }

    pub(crate) fn is(mutant: Mutant) -> bool {
        BROKEN.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub(crate) use order::is;

/// Whether that rule is broken here and now.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}
