//! Makes a running plugin of a loaded one. The constructor runs on a thread of its own, since it is foreign code that
//! may never return.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use motey_plugin_abi::{Created, PANICKED, Peer, Reply, RootRef, serve};
use motey_plugin_ops::{CreateBody, Error, Manifest};

use crate::{
    calls::{Arrivals, CALLS, Outcome},
    host_end::{HostEnd, Listener},
    plugin::Plugin,
    reason::{Reason, code},
};

/// A constructor is cheap by contract; this is for a machine under load.
pub(crate) const CREATE_WITHIN: Duration = Duration::from_secs(10);

static OWNERS: AtomicUsize = AtomicUsize::new(1);

/// What a plugin is created from.
pub(crate) struct Seed {
    pub(crate) root: RootRef,
    pub(crate) manifest: Manifest,
    pub(crate) body: CreateBody,
    pub(crate) listener: Arc<dyn Listener>,
}

/// Blocks until the plugin is created or refused, `within` this time.
pub(crate) fn create(path: &Path, seed: Seed, within: Duration) -> Result<Plugin, Reason> {
    let failed = |text: String| Reason::new(code::CREATE_FAILED, text);
    let id = seed.manifest.id.clone();
    let body = serde_json::to_vec(&seed.body)
        .map_err(|e| failed(format!("the configuration of plugin `{id}` cannot be written: {e}")))?;
    let owner = OWNERS.fetch_add(1, Ordering::Relaxed);
    let closed = Arc::new(AtomicBool::new(false));
    let end = HostEnd { plugin: id.clone(), listener: seed.listener, closed: Arc::clone(&closed) };
    let until = Instant::now() + within;

    let result =
        construct(owner, seed.root, body, end, until).map_err(failed).and_then(|(created, answer)| {
            match (created, answer) {
                (Some(Created::Channel(peer)), Some(Ok(()))) => Ok(peer),
                (created, answer) => Err(refusal(&id, created, answer, within)),
            }
        });
    match result {
        Ok(peer) => Ok(Plugin::new(owner, seed.manifest, path.to_path_buf(), peer, closed)),
        Err(reason) => {
            closed.store(true, Ordering::Release);
            CALLS.abandon(owner);
            Err(reason)
        }
    }
}

type Parts = (Option<Created>, Option<Result<(), Error>>);

/// Both halves of a constructor's answer, as far as they came in time.
fn construct(
    owner: usize,
    root: RootRef,
    body: Vec<u8>,
    end: HostEnd,
    until: Instant,
) -> Result<Parts, String> {
    let (answer, answered) = mpsc::sync_channel(1);
    let done = move |_: usize, outcome| {
        let result = match outcome {
            Outcome::Answered { code: 0, .. } => Ok(()),
            Outcome::Answered { code, body } => Err(Error::from_wire(code, &body)),
            Outcome::Missed | Outcome::Abandoned => return,
        };
        let _ = answer.send(result);
    };
    let number = CALLS
        .open(owner, Some(until), Box::new(done))
        .map_err(|(_, e)| format!("no thread for deadlines: {e}"))?;
    let (made, making) = mpsc::sync_channel(1);
    let run = move || {
        let created = root.create_channel(&body, serve(end), Reply::numbered::<Arrivals>(number));
        if let Err(mpsc::SendError(Created::Channel(late))) = made.send(created) {
            late.close(Duration::ZERO);
        }
    };
    thread::Builder::new()
        .name("plugin-create".into())
        .spawn(run)
        .map_err(|e| format!("no thread for it: {e}"))?;
    let left = || until.saturating_duration_since(Instant::now());
    let created = making.recv_timeout(left()).ok();
    Ok((created, answered.recv_timeout(left()).ok()))
}

fn refusal(
    id: &str,
    created: Option<Created>,
    answer: Option<Result<(), Error>>,
    within: Duration,
) -> Reason {
    let words = |answer: Option<Result<(), Error>>| match answer {
        Some(Err(error)) => error.to_string(),
        Some(Ok(())) | None => "without a word".to_owned(),
    };
    match created {
        Some(Created::Refused(PANICKED)) => Reason::new(
            code::CREATE_PANICKED,
            format!("plugin `{id}` panicked in its constructor: {}", words(answer)),
        ),
        Some(Created::Refused(_)) => {
            Reason::new(code::CREATE_FAILED, format!("plugin `{id}` refuses to start: {}", words(answer)))
        }
        Some(Created::Channel(peer)) => {
            close(peer);
            match answer {
                None => timed_out(id, within),
                answer => {
                    Reason::new(code::CREATE_FAILED, format!("plugin `{id}` failed: {}", words(answer)))
                }
            }
        }
        None => timed_out(id, within),
    }
}

fn timed_out(id: &str, within: Duration) -> Reason {
    let text = format!("plugin `{id}` did not finish its constructor within {} ms", within.as_millis());
    Reason::new(code::CREATE_TIMED_OUT, text)
}

/// It broke the contract already: whether it closes is not waited for.
fn close(peer: Peer) {
    let close = move || peer.close(Duration::ZERO);
    if let Err(e) = thread::Builder::new().name("plugin-close".into()).spawn(close) {
        log::error!("a plugin that failed to start could not be closed: {e}");
    }
}
