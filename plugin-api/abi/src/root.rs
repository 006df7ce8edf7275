//! The door of Rust plugins: `abi_stable`'s library header, behind which lies the root of the table.

use core::mem::MaybeUninit;

use abi_stable::{
    StableAbi,
    library::{CheckTypeLayout, LibHeader, ROOT_MODULE_LOADER_NAME, RootModule, RootModuleResult},
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
};

use crate::{
    peer::Peer,
    serve::{ReplyOnce, guarded},
    table::{Bytes, Channel, Reply},
};

/// The symbol under which a plugin exports its header; an attribute needs it as a literal, `_1as_…`.
pub const EXPORT_SYMBOL: &str = ROOT_MODULE_LOADER_NAME;

/// What `create` returns when the plugin's constructor panicked; no operation answers it.
pub const PANICKED: i32 = -1;

/// What a plugin is to the boundary. The SDK implements it; vendors never see it.
pub trait Plugin: 'static {
    /// The bytes of the manifest section.
    const MANIFEST: &'static [u8];

    /// Answers `reply` exactly once, in either case. The error is the code that it answered, or [`PANICKED`].
    fn create(body: &[u8], host: Peer, reply: ReplyOnce) -> Result<Channel, i32>;
}

/// The header to export under [`EXPORT_SYMBOL`].
pub const fn header<P: Plugin>() -> LibHeader {
    // SAFETY: `construct` returns the erased `RootRef` of this very type
    unsafe { LibHeader::from_constructor::<RootRef>(construct::<P>, CheckTypeLayout::Yes) }
}

/// The first table that a host reaches.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RootRef, prefix_fields = RootPrefix)))]
pub struct Root {
    manifest: unsafe extern "C" fn() -> Bytes,
    #[sabi(last_prefix_field)]
    create: unsafe extern "C" fn(body: Bytes, host: Channel, out: *mut Channel, reply: Reply) -> i32,
}

impl RootModule for RootRef {
    abi_stable::declare_root_module_statics! {RootRef}
    const BASE_NAME: &'static str = "motey_plugin";
    const NAME: &'static str = "motey plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("0.0.0");
}

/// What came of `create`; its reply is called on its own, before or after.
pub enum Created {
    Channel(Peer),
    Refused(i32),
}

impl RootRef {
    /// A copy of what the plugin's code says its manifest is.
    pub fn manifest_bytes(self) -> Vec<u8> {
        // SAFETY: the layout is checked, the bytes are static in a library that is never unloaded
        unsafe { self.manifest()().get().to_vec() }
    }

    /// Runs the plugin's constructor on this thread; it may take as long as the plugin likes.
    pub fn create_channel(self, body: &[u8], host: Channel, reply: Reply) -> Created {
        let mut out = MaybeUninit::uninit();
        // SAFETY: the layout is checked; by contract `out` is filled when the code is 0
        unsafe {
            match self.create()(Bytes::of(body), host, out.as_mut_ptr(), reply) {
                0 => Created::Channel(Peer::new(out.assume_init())),
                code => Created::Refused(code),
            }
        }
    }
}

extern "C" fn construct<P: Plugin>() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(root::<P>)
}

fn root<P: Plugin>() -> RootRef {
    Root { manifest: manifest::<P>, create: create::<P> }.leak_into_prefix()
}

unsafe extern "C" fn manifest<P: Plugin>() -> Bytes {
    Bytes::of(P::MANIFEST)
}

unsafe extern "C" fn create<P: Plugin>(body: Bytes, host: Channel, out: *mut Channel, reply: Reply) -> i32 {
    let reply = ReplyOnce::new(reply);
    // SAFETY: the body is borrowed until we return; the host keeps the contract, as we do
    let created = guarded(|| unsafe { P::create(body.get(), Peer::new(host), reply) });
    match created.unwrap_or(Err(PANICKED)) {
        Ok(channel) => {
            // SAFETY: `out` points to room for one channel, by contract
            unsafe { out.write(channel) };
            0
        }
        Err(code) => code,
    }
}
