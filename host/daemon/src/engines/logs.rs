//! An instance's output: opens the stream of the boundary, and tells a refusal from a stream that is only quiet.

use std::time::Duration;

use motey_core::instance::Instance;
use motey_core::step::{EngineError, EngineErrorKind};
use motey_plugin_host::stream_pair;
use motey_plugin_ops as ops;
use rustix::net::RecvFlags;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::convert::engine_error;
use super::{Engines, QUICK, write};

/// How long a stream may be silent before it is taken for a quiet one.
const SILENCE: Duration = Duration::from_secs(1);

/// Which part of an instance's output is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogsWish {
    /// Stay, and send what comes.
    pub follow: bool,
    /// Only so many of the last lines.
    pub tail: Option<u32>,
    /// Only lines younger than so many milliseconds.
    pub since_ms: Option<u64>,
}

impl Engines {
    /// An instance's output, as a stream of lines.
    pub async fn logs(&self, instance: Option<Instance>, wish: LogsWish) -> Result<UnixStream, EngineError> {
        let instance = instance.ok_or_else(|| EngineError {
            kind: EngineErrorKind::NotFound,
            message: "no engine shows this instance; it may not be made yet".into(),
        })?;
        let plugin = self.plugin(&instance.engine).map_err(engine_error)?;
        let (ours, theirs) = stream_pair().map_err(io_error)?;
        let LogsWish { follow, tail, since_ms } = wish;
        let request = ops::LogsRequest { name: instance.handle, follow, tail, since_ms };
        let (end, ended) = oneshot::channel();
        let body = write(&request).map_err(engine_error)?;
        plugin.call(ops::op::LOGS, &body, Some(theirs), None, move |ended| {
            let _nobody_waits = end.send(ended);
        });
        ours.set_nonblocking(true).map_err(io_error)?;
        let stream = UnixStream::from_std(ours).map_err(io_error)?;
        first_sign(&stream, ended).await?;
        Ok(stream)
    }
}

fn io_error(error: std::io::Error) -> EngineError {
    EngineError { kind: EngineErrorKind::Failed, message: format!("the stream cannot be opened: {error}") }
}

/// Waits for the first sign of a stream: output, silence, or the refusal that came instead.
async fn first_sign(
    stream: &UnixStream,
    ended: oneshot::Receiver<Result<Vec<u8>, ops::Error>>,
) -> Result<(), EngineError> {
    let ended = async { ended.await.unwrap_or(Ok(Vec::new())).map(drop).map_err(engine_error) };
    tokio::pin!(ended);
    tokio::select! {
        biased;
        ended = &mut ended => return ended,
        _ = stream.readable() => {}
        () = tokio::time::sleep(SILENCE) => return Ok(()),
    }
    let hung_up = matches!(rustix::net::recv(stream, &mut [0_u8; 1][..], RecvFlags::PEEK), Ok((_, 0)));
    if !hung_up {
        return Ok(());
    }
    tokio::time::timeout(QUICK, ended).await.unwrap_or(Ok(()))
}
