//! Calls that may take as long as they show that they go on, such as fetching an image: whatever comes over their stream is
//! a sign of life, and only silence ends them.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use motey_core::id::EngineName;
use motey_plugin_host::{Plugin, stream_pair};
use motey_plugin_ops as ops;

use super::{Body, Engines, locked};

/// How long a fetch may show no sign of life: what asks a far registry, or unpacks a large layer, is quiet for a while.
const SILENCE: Duration = Duration::from_secs(120);

/// The answer of a call.
type Answer = Result<Vec<u8>, ops::Error>;

impl Engines {
    /// Makes a call that has no deadline but for silence. `done` is called exactly once, on a thread of the call's own.
    pub(super) fn ask_at_length(
        &self,
        engine: &EngineName,
        op: &'static str,
        body: Body,
        done: impl FnOnce(Answer) + Send + 'static,
    ) {
        let asked = self.plugin(engine).and_then(|plugin| Ok((plugin, body?)));
        let done = Arc::new(Mutex::new(Some(done)));
        let answer = {
            let done = Arc::clone(&done);
            move |answer| {
                if let Some(done) = locked(&done).take() {
                    done(answer);
                }
            }
        };
        let watch = move || answer(asked.and_then(|(plugin, body)| attend(&plugin, op, &body, SILENCE)));
        if let Err(error) = thread::Builder::new().name("engine-fetch".into()).spawn(watch)
            && let Some(done) = locked(&done).take()
        {
            done(Err(ops::Error::busy(format!("there is no thread to be had for {op}: {error}"))));
        }
    }
}

/// Makes the call, and waits for its answer while it goes on.
fn attend(plugin: &Arc<Plugin>, op: &str, body: &[u8], silence: Duration) -> Answer {
    let failed = |error: std::io::Error| ops::Error::failed(format!("no stream can be opened: {error}"));
    let (ours, theirs) = stream_pair().map_err(failed)?;
    let end = ours.try_clone().map_err(failed)?;
    let (answer, answered) = sync_channel(1);
    let call = plugin.call(op, body, Some(theirs), None, move |ended| {
        let _nobody_waits = answer.send(ended);
        // a plugin may leave its own end open
        let _gone_already = end.shutdown(Shutdown::Both);
    });
    wait(ours, &answered, silence).unwrap_or_else(|| {
        plugin.cancel(call);
        let text = format!("no sign of life for {} s", silence.as_secs());
        Err(ops::Error::timed_out(text).hint("look at the engine's own log"))
    })
}

/// `None`: there was silence.
fn wait(mut progress: UnixStream, answered: &Receiver<Answer>, silence: Duration) -> Option<Answer> {
    let mut line = [0; 4096];
    progress.set_read_timeout(Some(silence)).ok()?;
    loop {
        match progress.read(&mut line) {
            Ok(0) => return answered.recv_timeout(silence).ok(),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[test]
    fn what_it_tells_is_read_until_it_answers() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let (answer, answered) = sync_channel(1);
        let works = thread::spawn(move || {
            // more than a socket takes by itself
            (0..1_000).for_each(|_| theirs.write_all(&[b'x'; 1_000]).expect("somebody reads"));
            answer.send(Ok(b"{}".to_vec())).expect("somebody waits");
        });
        assert_eq!(wait(ours, &answered, Duration::from_secs(20)), Some(Ok(b"{}".to_vec())));
        works.join().expect("no panic");
    }

    #[test]
    fn silence_ends_it_before_and_after_its_stream_has_ended() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (answer, answered) = sync_channel(1);
        assert_eq!(wait(ours.try_clone().expect("a handle"), &answered, SOON), None);
        drop(theirs);
        assert_eq!(wait(ours, &answered, SOON), None);
        drop(answer);
    }
}
