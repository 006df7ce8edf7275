//! The receiving half: what a side implements, and how the other side's calls reach it.

use core::{ffi::c_void, time::Duration};
use std::{
    os::fd::{FromRawFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::table::{Bytes, Channel, Reply};

const INVALID: i32 = 4;
const FAILED: i32 = 7;

/// What one side offers to the other. No method may block, except `close`. A panic does not cross: it costs the call.
pub trait Endpoint: Send + Sync + 'static {
    fn send(&self, call: Call<'_>);
    /// A wish. The call's answer still comes, exactly once.
    fn cancel(&self, id: u64);
    /// Blocks, up to the grace, until every call is answered.
    fn close(&self, grace: Duration);
}

/// A call that arrived.
pub struct Call<'a> {
    /// The caller's number, for `cancel`.
    pub id: u64,
    pub op: &'a str,
    pub body: &'a [u8],
    pub stream: Option<OwnedFd>,
    pub reply: ReplyOnce,
}

/// The duty to answer. Dropped unanswered it answers `failed` itself.
pub struct ReplyOnce(Option<Reply>);

// SAFETY: by contract `done` may be called from any thread
unsafe impl Send for ReplyOnce {}
// SAFETY: there is no method on a shared reference
unsafe impl Sync for ReplyOnce {}

impl ReplyOnce {
    pub(crate) fn new(reply: Reply) -> Self {
        Self(Some(reply))
    }

    /// 0 and the answer's body, or an error's code and its body.
    pub fn answer(mut self, code: i32, body: &[u8]) {
        self.consume(code, body);
    }

    fn consume(&mut self, code: i32, body: &[u8]) {
        if let Some(reply) = self.0.take() {
            // SAFETY: taken, so this is the one call; `done` is never null by contract
            unsafe { (reply.done)(reply.ctx, code, Bytes::of(body)) }
        }
    }
}

impl Drop for ReplyOnce {
    fn drop(&mut self) {
        self.consume(FAILED, br#"{"message":"the call was dropped without an answer"}"#);
    }
}

/// Makes a channel to `endpoint`. The endpoint is never freed: the other side may call it at any time, even after
/// `close`.
pub fn serve<E: Endpoint>(endpoint: E) -> Channel {
    let ctx: *const E = Box::leak(Box::new(endpoint));
    Channel { ctx: ctx.cast_mut().cast(), send: send::<E>, cancel: cancel::<E>, close: close::<E> }
}

unsafe extern "C" fn send<E: Endpoint>(
    ctx: *mut c_void,
    id: u64,
    op: Bytes,
    body: Bytes,
    stream: i32,
    reply: Reply,
) {
    let reply = ReplyOnce::new(reply);
    // SAFETY: a stream that is not negative is passed to us as our own
    let stream = (stream >= 0).then(|| unsafe { OwnedFd::from_raw_fd(stream) });
    guarded(|| {
        // SAFETY: `ctx` is what `serve` leaked; the bytes are borrowed until we return
        let (endpoint, op, body) = unsafe { (&*ctx.cast::<E>(), op.get(), body.get()) };
        match str::from_utf8(op) {
            Ok(op) => endpoint.send(Call { id, op, body, stream, reply }),
            Err(_) => reply.answer(INVALID, br#"{"message":"the operation's name is not UTF-8"}"#),
        }
    });
}

unsafe extern "C" fn cancel<E: Endpoint>(ctx: *mut c_void, id: u64) {
    // SAFETY: `ctx` is what `serve` leaked
    guarded(|| unsafe { &*ctx.cast::<E>() }.cancel(id));
}

unsafe extern "C" fn close<E: Endpoint>(ctx: *mut c_void, grace_ms: u64) {
    // SAFETY: `ctx` is what `serve` leaked
    guarded(|| unsafe { &*ctx.cast::<E>() }.close(Duration::from_millis(grace_ms)));
}

/// Keeps a panic on this side. Its payload is forgotten, since dropping it may panic again; the panic hook has
/// said what there is to say.
pub(crate) fn guarded<T>(entry: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(entry)).map_err(core::mem::forget).ok()
}
