//! One call, from the script's rule to the journal's line; and the deaths that nobody calls for.
//!
//! Deliberately no knowledge of the boundary: requests come in typed, errors go out typed.

use std::{
    fs::{self, DirBuilder},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::DirBuilderExt,
    },
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use motey_plugin_api::{Error, Instance};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::{read, retry_on_intr, write},
    process::{Signal, getpid, kill_process},
};

use crate::{
    clock,
    config::Config,
    instances::Instances,
    journal::{self, Called, Lines},
    script::{Op, Rule, ScriptFile, Subject, When},
};

/// How soon news that the host was too busy for is offered again.
const RETRY: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Engine {
    state: Mutex<State>,
    /// Rung when there is news, or a death earlier than any before.
    bell: OwnedFd,
    closed: Mutex<bool>,
    closing: Condvar,
}

#[derive(Debug)]
pub struct State {
    pub instances: Instances,
    script: ScriptFile,
    calls: Lines,
    /// Who died and has not been told of.
    news: Vec<String>,
}

impl Engine {
    pub fn open(config: &Config, state_dir: &Path) -> Result<Self, Error> {
        let dir = config.state.clone().unwrap_or_else(|| state_dir.join("mock"));
        private_dir(&dir)?;
        let script = config.script.clone().unwrap_or_else(|| dir.join("script.json"));
        let state = State {
            instances: Instances::open(dir.join("instances.jsonl"))?,
            script: ScriptFile::open(script)?,
            calls: Lines::append_to(dir.join("calls.jsonl"))?,
            news: Vec::new(),
        };
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::failed(format!("no eventfd to be had: {error}")))?;
        Ok(Self { state: Mutex::new(state), bell, closed: Mutex::new(false), closing: Condvar::new() })
    }

    /// A call about the instance `name`.
    pub fn call<T>(
        &self,
        op: Op,
        name: &str,
        act: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let subject = self.lock().instances.subject(name);
        self.call_about(op, &subject, act)
    }

    /// Finds the rule for a call, carries both out in the rule's order, and writes the one line about it.
    pub fn call_about<T>(
        &self,
        op: Op,
        subject: &Subject,
        act: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let called = Called::now(op, subject);
        let rule = self.begin(&called)?;
        if let Some(rule) = rule.as_ref().filter(|rule| rule.when == When::Before) {
            self.wait(rule.delay_ms);
            if rule.cuts_short() {
                self.lock().calls.push(&called.ended(rule.outcome(), None))?;
                return Err(self.suffer(rule));
            }
        }
        let rule = rule.filter(|rule| rule.when == When::After);
        let answer = self.carry_out(&called, rule.as_ref(), act);
        if let Some(rule) = rule {
            self.wait(rule.delay_ms);
            if rule.cuts_short() {
                return Err(self.suffer(&rule));
            }
        }
        answer
    }

    /// Tells of deaths as they happen, and returns once `cancel` is readable.
    pub fn tell_deaths(
        &self,
        cancel: BorrowedFd<'_>,
        mut tell: impl FnMut(&Instance) -> bool,
    ) -> Result<(), Error> {
        loop {
            let mut wait = self.until_next_death()?;
            if !self.tell_news(&mut tell) {
                wait = Some(wait.map_or(RETRY, |wait| wait.min(RETRY)));
            }
            if self.sleep(cancel, wait)? {
                return Ok(());
            }
        }
    }

    /// Ends every wait of the script.
    pub fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.closing.notify_all();
    }

    fn begin(&self, called: &Called<'_>) -> Result<Option<Rule>, Error> {
        let mut state = self.lock();
        self.settle(&mut state)?;
        Ok(state.script.current()?.rule(called.op(), called.about()))
    }

    fn carry_out<T>(
        &self,
        called: &Called<'_>,
        rule: Option<&Rule>,
        act: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.lock();
        let before = state.instances.next_death();
        let answer = act(&mut state);
        if state.instances.next_death() != before {
            self.ring();
        }
        let outcome = answer.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok");
        let then = rule.filter(|rule| rule.cuts_short()).map(Rule::outcome);
        state.calls.push(&called.ended(outcome, then))?;
        answer
    }

    /// What a rule does to the caller. Does not return where the rule says so.
    fn suffer(&self, rule: &Rule) -> Error {
        if rule.exit_host {
            // cannot fail: every process may signal itself
            let _ = kill_process(getpid(), Signal::KILL);
            thread::park();
        }
        if rule.hang {
            self.wait_for_close();
            return Error::closed("the plugin was closed while the script let this call hang");
        }
        match &rule.error {
            Some(error) if !rule.panic => error.to_error(),
            _ => panic!("the script wants a panic"),
        }
    }

    fn wait(&self, ms: u64) {
        if ms == 0 {
            return;
        }
        let until = Instant::now() + Duration::from_millis(ms);
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        while !*closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            closed = self.closing.wait_timeout(closed, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait_for_close(&self) {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.closing.wait_while(closed, |closed| !*closed));
    }

    fn settle(&self, state: &mut State) -> Result<(), Error> {
        let died = state.instances.settle(clock::boot_ms())?;
        if !died.is_empty() {
            state.news.extend(died);
            self.ring();
        }
        Ok(())
    }

    fn until_next_death(&self) -> Result<Option<Duration>, Error> {
        let mut state = self.lock();
        self.settle(&mut state)?;
        let now = clock::boot_ms();
        Ok(state.instances.next_death().map(|at| Duration::from_millis(at.saturating_sub(now))))
    }

    /// False when the host was too busy to take all of it. An instance that is gone by now is no news.
    fn tell_news(&self, tell: &mut impl FnMut(&Instance) -> bool) -> bool {
        let news = std::mem::take(&mut self.lock().news);
        let mut left = Vec::new();
        for name in news {
            let Ok(instance) = self.lock().instances.inspect(&name) else { continue };
            if !tell(&instance) {
                left.push(name);
            }
        }
        let all = left.is_empty();
        self.lock().news.extend(left);
        all
    }

    /// True when it was `cancel` that ended the sleep.
    fn sleep(&self, cancel: BorrowedFd<'_>, wait: Option<Duration>) -> Result<bool, Error> {
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut ends =
            [PollFd::from_borrowed_fd(cancel, PollFlags::IN), PollFd::new(&self.bell, PollFlags::IN)];
        retry_on_intr(|| poll(&mut ends, wait.as_ref()))
            .map_err(|error| Error::failed(format!("cannot wait for the next death: {error}")))?;
        if !ends[1].revents().is_empty() {
            let _ = read(self.bell.as_fd(), &mut [0; 8]);
        }
        Ok(!ends[0].revents().is_empty())
    }

    /// A full counter is a bell that is ringing.
    fn ring(&self) {
        let _ = write(self.bell.as_fd(), &1_u64.to_ne_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Starts an instance and draws its death.
    pub fn start(&mut self, name: &str) -> Result<Instance, Error> {
        let death = match self.instances.is_running(name) {
            true => None,
            false => self.script.current()?.death(&self.instances.subject(name)),
        };
        self.instances.start(name, death)
    }
}

fn private_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| fs::metadata(dir).map(drop))
        .map_err(|error| journal::unwritable(dir, &error))
}
