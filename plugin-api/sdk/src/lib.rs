//! What a Motey plugin is written against, and the only crate that it depends on.
//!
//! A plugin implements [`Val`] (it runs instances on one engine) or [`Provider`] (it finds out what the node
//! offers) and says who it is with [`plugin!`]. Everything else is done here: the exports, the threads, cancelling,
//! closing, panics, the log. `#![forbid(unsafe_code)]` compiles in a plugin's crate.
//!
//! ```
//! use motey_plugin_api::{Cancel, Capability, Error, Host, Provider, Supply, serde_json::Value};
//!
//! struct Bell(Host);
//!
//! impl Provider for Bell {
//!     fn new(_config: Value, host: Host) -> Result<Self, Error> {
//!         Ok(Self(host))
//!     }
//!     fn watch(&self, cancel: &Cancel) -> Result<(), Error> {
//!         let bell = Capability {
//!             name: "bell".into(), kind: "hardware".into(), unit: None,
//!             props: Default::default(), supply: Supply::Exclusive, binding: None,
//!         };
//!         self.0.capabilities(&[bell])?;
//!         cancel.wait(None);
//!         Ok(())
//!     }
//! }
//!
//! motey_plugin_api::plugin! { provider: Bell, id: "bell", name: "Bell", description: "rings" }
//! ```
//!
//! Threads: calls that look run on one of at most four threads, calls that work on one of four others, so that no look
//! waits for work; they are started when there is something to do and leave after ten seconds without. [`Val::stop`],
//! [`Val::pull`], [`Val::logs`], [`Val::events`] and [`Provider::watch`] have one of their own while they run.
//! The `log` crate's records and panics go to the host.

#![forbid(unsafe_code)]

#[cfg(panic = "abort")]
compile_error!("a motey plugin must unwind: remove `panic = \"abort\"` from the profile");

mod calls;
mod cancel;
mod entry;
mod host;
mod logging;
mod manifest;
mod pool;
mod provider;
mod served;
mod stream;
mod val;

pub use cancel::Cancel;
pub use host::{Host, Unheard};
pub use provider::Provider;
pub use stream::Stream;
pub use val::Val;

pub use motey_plugin_ops::{self as ops, feature, op};
pub use motey_plugin_ops::{
    Capability, Code, CreateRequest, Device, Error, Exit, Fingerprint, HostInfo, Instance, InstanceRef,
    InstanceState, Labels, ListAnswer, LogsRequest, Mount, Port, Protocol, PullRequest, Scalar, Stats,
    StopRequest, Supply,
};
pub use {log, serde_json};

/// Says who the plugin is and exports it: once in the crate, which is a `cdylib`.
///
/// ```text
/// motey_plugin_api::plugin! {
///     val: MyVal,                       // or `provider: MyProvider`
///     id: "my-engine",                  // [a-z0-9-]{1,40}
///     name: "My engine",
///     description: "what it does, in a sentence",
///     author: "…", website: "…",        // each may be left out: the package's own
///     features: [feature::COMMAND],     // only of a val; may be left out
/// }
/// ```
/// The version is the package's.
#[macro_export]
macro_rules! plugin {
    (val: $type:ty, $($rest:tt)*) => {
        $crate::__plugin! { $crate::__private::ValService<$type>, "val", $($rest)* }
    };
    (provider: $type:ty, $($rest:tt)*) => {
        $crate::__plugin! { $crate::__private::ProviderService<$type>, "capability", $($rest)* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __plugin {
    ($service:ty, $category:literal, id: $id:expr, name: $name:expr, description: $description:expr
     $(, author: $author:expr)? $(, website: $website:expr)?
     $(, features: [$($feature:expr),* $(,)?])? $(,)?) => {
        #[cfg(panic = "abort")]
        compile_error!("a motey plugin must unwind: remove `panic = \"abort\"` from the profile");

        const _: () = {
            use $crate::__private as sdk;

            const PARTS: sdk::Parts = sdk::Parts {
                id: $id,
                name: $name,
                version: env!("CARGO_PKG_VERSION"),
                author: sdk::first(&[$($author,)? env!("CARGO_PKG_AUTHORS")]),
                website: sdk::first(&[$($website,)? env!("CARGO_PKG_HOMEPAGE")]),
                description: $description,
                category: $category,
                features: &[$($($feature),*)?],
            };

            #[used]
            #[unsafe(link_section = ".motey.manifest")]
            static MANIFEST: [u8; PARTS.length()] = PARTS.render();

            struct ThisPlugin;
            impl sdk::Identity for ThisPlugin {
                const ID: &'static str = PARTS.id;
                const MANIFEST: &'static [u8] = &MANIFEST;
            }

            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static HEADER: sdk::LibHeader = sdk::header::<sdk::Entry<$service, ThisPlugin>>();
        };
    };
}

/// What the expansion of [`plugin!`] needs. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        entry::{Entry, Identity},
        manifest::{Parts, first},
        provider::ProviderService,
        val::ValService,
    };
    pub use motey_plugin_abi::{LibHeader, header};
}
