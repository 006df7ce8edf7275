//! The calling half: the other side's channel, and the way back for its answers.

use core::{ffi::c_void, ptr::without_provenance_mut, time::Duration};
use std::os::fd::{IntoRawFd, OwnedFd};

use crate::{
    serve::guarded,
    table::{Bytes, Channel, Reply},
};

/// Where the answers to one side's calls arrive. A call is known by a number and not by a pointer, so that an answer
/// that comes late, or a second time, finds nothing and does no harm.
pub trait Answers: 'static {
    /// Called on any thread of the other side; must not block.
    fn arrived(number: usize, code: i32, body: &[u8]);
}

impl Reply {
    /// A reply that arrives at `A` under `number`.
    pub fn numbered<A: Answers>(number: usize) -> Self {
        Self { ctx: without_provenance_mut(number), done: arrived::<A> }
    }
}

unsafe extern "C" fn arrived<A: Answers>(ctx: *mut c_void, code: i32, body: Bytes) {
    // SAFETY: the body is borrowed until we return
    guarded(|| A::arrived(ctx.addr(), code, unsafe { body.get() }));
}

/// The other side. It never goes away; after its `close` it answers `closed`.
#[derive(Clone, Copy)]
pub struct Peer(Channel);

// SAFETY: by contract a channel may be called from any thread
unsafe impl Send for Peer {}
// SAFETY: by contract a channel may be called from several threads at once
unsafe impl Sync for Peer {}

impl Peer {
    /// # Safety
    /// The channel came through the boundary from a side that keeps the contract.
    pub(crate) unsafe fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// Never blocks. The stream is the callee's from here on.
    pub fn send(&self, id: u64, op: &str, body: &[u8], stream: Option<OwnedFd>, reply: Reply) {
        let stream = stream.map_or(-1, IntoRawFd::into_raw_fd);
        // SAFETY: see `new`; the bytes outlive the call
        unsafe { (self.0.send)(self.0.ctx, id, Bytes::of(op.as_bytes()), Bytes::of(body), stream, reply) }
    }

    /// A wish; the answer still comes.
    pub fn cancel(&self, id: u64) {
        // SAFETY: see `new`
        unsafe { (self.0.cancel)(self.0.ctx, id) }
    }

    /// Blocks, up to the grace. Afterwards every reply has been called.
    pub fn close(&self, grace: Duration) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: see `new`
        unsafe { (self.0.close)(self.0.ctx, grace_ms) }
    }
}
