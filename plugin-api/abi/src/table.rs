//! The C-describable types. Their fields are the boundary; nothing here decides anything.

use core::ffi::c_void;

use abi_stable::StableAbi;

/// Borrowed until the call that it was passed to returns; the receiver copies.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Bytes {
    ptr: *const u8,
    len: usize,
}

impl Bytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// # Safety
    /// The bytes came through the boundary and the call they came with has not returned yet.
    pub(crate) unsafe fn get<'a>(self) -> &'a [u8] {
        if self.len == 0 || self.ptr.is_null() {
            return &[];
        }
        // SAFETY: the boundary's contract, passed on to our caller
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

/// Where an answer goes: `done` is never null and is called exactly once, with 0 or an error's code.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Reply {
    pub(crate) ctx: *mut c_void,
    pub(crate) done: unsafe extern "C" fn(ctx: *mut c_void, code: i32, body: Bytes),
}

/// One side of the boundary as the other sees it: the same table in both directions.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Channel {
    pub(crate) ctx: *mut c_void,
    pub(crate) send:
        unsafe extern "C" fn(ctx: *mut c_void, id: u64, op: Bytes, body: Bytes, stream: i32, reply: Reply),
    pub(crate) cancel: unsafe extern "C" fn(ctx: *mut c_void, id: u64),
    pub(crate) close: unsafe extern "C" fn(ctx: *mut c_void, grace_ms: u64),
}
