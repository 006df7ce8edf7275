//! The operations' names. Each carries its major number: a change that an old peer would misread is a new name.

/// `{}` → [`Fingerprint`](crate::Fingerprint): is the engine there, and what can it do.
pub const FINGERPRINT: &str = "val.fingerprint/1";
/// [`PullRequest`](crate::PullRequest) → `{}`: the image is there when it answers. Progress is JSON lines on the stream; a
/// fetch that tells nothing for two minutes is cancelled.
pub const PULL: &str = "val.pull/1";
/// Is this image there already.
pub const HAS_IMAGE: &str = "val.has_image/1";
/// Removes an image from the engine's store.
pub const REMOVE_IMAGE: &str = "val.remove_image/1";
/// Lists the engine's images.
pub const LIST_IMAGES: &str = "val.list_images/1";
/// [`CreateRequest`](crate::CreateRequest) → [`Instance`](crate::Instance).
pub const CREATE: &str = "val.create/1";
/// [`InstanceRef`](crate::InstanceRef) → [`Instance`](crate::Instance).
pub const START: &str = "val.start/1";
/// [`StopRequest`](crate::StopRequest) → [`Instance`](crate::Instance); answers when it has stopped.
pub const STOP: &str = "val.stop/1";
/// [`InstanceRef`](crate::InstanceRef) → `{}`; what is gone already is destroyed.
pub const DESTROY: &str = "val.destroy/1";
/// [`InstanceRef`](crate::InstanceRef) → [`Instance`](crate::Instance).
pub const INSPECT: &str = "val.inspect/1";
/// `{}` → [`ListAnswer`](crate::ListAnswer): every instance that carries Motey's labels.
pub const LIST: &str = "val.list/1";
/// [`LogsRequest`](crate::LogsRequest) → `{}`; the lines go over the stream.
pub const LOGS: &str = "val.logs/1";
/// [`InstanceRef`](crate::InstanceRef) → [`Stats`](crate::Stats).
pub const STATS: &str = "val.stats/1";
/// Runs a program inside an instance; its input and output are the stream.
pub const EXEC: &str = "val.exec/1";
/// Tells a running `exec` the size of its terminal.
pub const EXEC_RESIZE: &str = "val.exec.resize/1";
/// Writes an image to the stream.
pub const EXPORT_IMAGE: &str = "val.export_image/1";
/// Reads an image from the stream.
pub const IMPORT_IMAGE: &str = "val.import_image/1";
/// Puts a small file into an instance.
pub const COPY_IN: &str = "val.copy_in/1";
/// `{}`; stays open until cancelled, its news comes by [`host::INSTANCE`].
pub const EVENTS: &str = "val.events/1";
/// `{}`; stays open until cancelled, its news comes by [`host::CAPABILITIES`].
pub const WATCH: &str = "capability.watch/1";
/// `{}` → `{}`: some thread of the plugin still takes up work.
pub const PING: &str = "ping/1";

/// What a plugin says to its host.
pub mod host {
    /// [`LogRecord`](crate::LogRecord) → `{}`.
    pub const LOG: &str = "log/1";
    /// [`CapabilitiesNews`](crate::CapabilitiesNews) → `{}`.
    pub const CAPABILITIES: &str = "capabilities/1";
    /// [`Instance`](crate::Instance) → `{}`: this is how it is now.
    pub const INSTANCE: &str = "instance/1";
}
