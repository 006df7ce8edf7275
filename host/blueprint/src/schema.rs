//! The keys of a native blueprint, level by level, and what becomes of each.
//!
//! Keys that a later version brings stand here too: they are checked for shape and refused by their own name. To
//! build one, turn its line into [`Meaning::Now`] and read it where its level is read.

use crate::alias;

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Service,
    Image,
    /// How it is found out whether an instance does its work.
    Health,
    /// What is asked for by HTTP.
    Http,
    Parameters,
    /// How one volume is mounted.
    Mount,
    /// How one port is published.
    Port,
    Capability,
    /// What a property of a capability must be.
    Test,
    /// An entry of what a node is given.
    Offer,
}

/// A key, and what becomes of it.
pub(crate) struct Word {
    pub(crate) name: &'static str,
    pub(crate) meaning: Meaning,
}

#[derive(Clone, Copy)]
pub(crate) enum Meaning {
    /// It is read.
    Now,
    /// It is read as that native key.
    As(&'static str),
    /// It is accepted in this shape and changes nothing.
    NoEffect(Shape),
    /// It is not built yet.
    Later(Shape, Cannot),
    /// It will not be built; this is what to write.
    Instead(&'static str),
}

/// Completes "this version cannot …".
pub(crate) type Cannot = &'static str;

/// As much of a value's shape as can be checked before the value means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    Text,
    Flag,
    /// `true` alone.
    Yes,
    List,
    Map,
    TextOrList,
    ListOrMap,
}

impl Level {
    /// The native keys.
    pub(crate) const fn words(self) -> &'static [Word] {
        match self {
            Self::Service => SERVICE,
            Self::Image => IMAGE,
            Self::Health => HEALTH,
            Self::Http => HTTP,
            Self::Parameters => PARAMETERS,
            Self::Mount => MOUNT,
            Self::Port => PORT,
            Self::Capability => CAPABILITY,
            Self::Test => TEST,
            Self::Offer => OFFER,
        }
    }

    /// What a key means here, in today's words or in those of 2017.
    pub(crate) fn meaning(self, key: &str) -> Option<Meaning> {
        let native = self.words().iter().find(|word| word.name == key);
        native.or_else(|| alias::find(self, key)).map(|word| word.meaning)
    }

    /// How messages call the place.
    pub(crate) const fn place(self) -> &'static str {
        match self {
            Self::Service => "at the top level",
            Self::Image => "in an entry of `images`",
            Self::Health => "under `health`",
            Self::Http => "under `http`",
            Self::Parameters => "under `parameters`",
            Self::Mount => "under a volume",
            Self::Port => "under a port",
            Self::Capability => "in an entry of `capabilities`",
            Self::Test => "in a comparison",
            Self::Offer => "in an entry",
        }
    }

    /// Another level of the same language that has this key.
    pub(crate) fn home_of(self, key: &str) -> Option<Self> {
        let of_a_blueprint = self != Self::Offer;
        [Self::Service, Self::Image, Self::Parameters]
            .into_iter()
            .find(|level| of_a_blueprint && level.words().iter().any(|word| word.name == key))
    }
}

const fn now(name: &'static str) -> Word {
    Word { name, meaning: Meaning::Now }
}

const fn later(name: &'static str, shape: Shape, cannot: Cannot) -> Word {
    Word { name, meaning: Meaning::Later(shape, cannot) }
}

const SERVICE: &[Word] = &[now("service_name"), now("images"), now("on_node_loss")];

const IMAGE: &[Word] = &[
    now("name"),
    now("key"),
    now("engine"),
    now("replicas"),
    now("capabilities"),
    now("parameters"),
    now("restart"),
    now("near"),
    now("apart"),
    now("run"),
    now("depends_on"),
    now("health"),
    now("on_capability_loss"),
    now("uses"),
];

const HEALTH: &[Word] =
    &[now("tcp"), now("http"), now("interval"), now("timeout"), now("retries"), now("start")];

const HTTP: &[Word] = &[now("port"), now("path")];

const PARAMETERS: &[Word] = &[
    now("command"),
    now("environment"),
    now("working_dir"),
    now("stop_signal"),
    now("stop_grace"),
    now("volumes"),
    now("ports"),
    later("devices", Shape::ListOrMap, "hand devices to an instance"),
    later("files", Shape::Map, "bring files into an instance"),
    later("limits", Shape::Map, "limit what an instance uses"),
    later("user", Shape::Text, "start an instance as another user"),
    later("hostname", Shape::Text, "set a host name"),
    later("entrypoint", Shape::TextOrList, "replace an image's entry point: only its `command`"),
    later("tmpfs", Shape::ListOrMap, "mount memory file systems"),
    later("read_only", Shape::Flag, "make an instance's file system read-only"),
    later("cap_add", Shape::List, "add kernel capabilities"),
    later("cap_drop", Shape::List, "drop kernel capabilities"),
    later("init", Shape::Flag, "put an init process into an instance"),
    later("log", Shape::Map, "configure an instance's log"),
    later("labels", Shape::ListOrMap, "set labels of your own"),
    later("pull", Shape::Text, "choose when an image is pulled"),
];

/// docker-py's words.
const MOUNT: &[Word] = &[now("bind"), now("mode")];

const PORT: &[Word] = &[now("container"), now("host"), now("protocol")];

/// Every other key of an entry names a property, when a comparison stands under it.
const CAPABILITY: &[Word] = &[
    now("capability"),
    now("type"),
    now("amount"),
    now("label"),
    now("is"),
    now("any"),
    now("all"),
    now("not"),
    now("size"),
    now("version"),
];

const TEST: &[Word] = &[
    now("eq"),
    now("ne"),
    now("lt"),
    now("le"),
    now("gt"),
    now("ge"),
    now("range"),
    now("in"),
    now("matches"),
    now("version"),
];

const OFFER: &[Word] = &[
    now("capability"),
    now("capability_type"),
    now("unit"),
    now("exclusive"),
    now("amount"),
    now("properties"),
    now("binding"),
];
