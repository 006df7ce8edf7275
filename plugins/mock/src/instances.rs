//! The mock's instances, kept in `instances.jsonl` so that they outlive the host: the engine that is not there.
//!
//! The file is a log of what became of each instance; the last line about a name holds. It is written anew, short,
//! when the plugin is created. Memory follows the file, never the other way round.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use motey_plugin_api::{CreateRequest, Error, Exit, Instance, InstanceState, Stats, StopRequest};
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    journal::{self, Lines},
    script::Subject,
    signal,
};

#[derive(Debug)]
pub struct Instances {
    log: Lines,
    known: BTreeMap<String, Record>,
    /// Pending deaths by time, so that looking for a due one costs nothing.
    deaths: BTreeSet<(u64, String)>,
}

/// One instance as it stands in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    request: CreateRequest,
    state: InstanceState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<Exit>,
    /// How often it was started.
    starts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    death: Option<Death>,
}

/// The end that the script has for an instance, fixed when it starts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Death {
    /// Milliseconds since boot.
    at: u64,
    exit: Exit,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<R> {
    Put(R),
    Gone(String),
}

impl Instances {
    pub fn open(path: PathBuf) -> Result<Self, Error> {
        let known = read(&path)?;
        compact(&path, &known).map_err(|error| journal::unwritable(&path, &error))?;
        let deaths = known.values().filter_map(Record::pending).collect();
        Ok(Self { log: Lines::append_to(path)?, known, deaths })
    }

    /// Names the call's subject for the script and the journal.
    pub fn subject(&self, name: &str) -> Subject {
        match self.known.get(name) {
            Some(record) => subject_of(&record.request),
            None => Subject { name: name.to_owned(), ..Subject::default() },
        }
    }

    pub fn create(&mut self, request: CreateRequest) -> Result<Instance, Error> {
        if self.known.contains_key(&request.name) {
            return Err(Error::conflict(format!("the instance `{}` exists already", request.name)));
        }
        let state = InstanceState::Created;
        self.put(Record { request, state, exit: None, starts: 0, started_at: None, death: None })
    }

    /// `death`: what the script has for it, in milliseconds from now. A running instance is left as it is.
    pub fn start(&mut self, name: &str, death: Option<(u64, Exit)>) -> Result<Instance, Error> {
        let mut record = self.get(name)?.clone();
        if record.state == InstanceState::Running {
            return Ok(record.instance());
        }
        record.state = InstanceState::Running;
        record.exit = None;
        record.starts += 1;
        record.started_at = Some(clock::wall_ms());
        record.death = death.map(|(after, exit)| Death { at: clock::boot_ms().saturating_add(after), exit });
        self.put(record)
    }

    pub fn is_running(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|record| record.state == InstanceState::Running)
    }

    /// Ends it by the signal asked for, at once: a mock never needs its grace.
    pub fn stop(&mut self, request: &StopRequest) -> Result<Instance, Error> {
        let record = self.get(&request.name)?;
        let signal = signal::number(request.signal.as_deref().or(record.request.stop_signal.as_deref()))?;
        if record.state != InstanceState::Running {
            return Ok(record.instance());
        }
        let exit = Exit { code: None, signal: Some(signal), oom: false };
        let record = record.clone().exited(exit);
        self.put(record)
    }

    /// What is gone already is destroyed; what runs is ended first.
    pub fn destroy(&mut self, name: &str) -> Result<(), Error> {
        let Entry::Occupied(known) = self.known.entry(name.to_owned()) else { return Ok(()) };
        self.log.push(&Line::<Record>::Gone(name.to_owned()))?;
        if let Some(death) = known.remove().pending() {
            self.deaths.remove(&death);
        }
        Ok(())
    }

    pub fn inspect(&self, name: &str) -> Result<Instance, Error> {
        self.get(name).map(Record::instance)
    }

    pub fn list(&self) -> Vec<Instance> {
        self.known.values().map(Record::instance).collect()
    }

    /// A running one uses a little, the others nothing.
    pub fn stats(&self, name: &str) -> Result<Stats, Error> {
        let record = self.get(name)?;
        let tasks = u32::from(record.state == InstanceState::Running);
        let cpu_ns = u64::from(record.starts) * 1_000_000;
        Ok(Stats { cpu_ns, memory_bytes: u64::from(tasks) << 20, tasks })
    }

    /// Carries out the deaths that are due and names who died.
    pub fn settle(&mut self, now: u64) -> Result<Vec<String>, Error> {
        let mut died = Vec::new();
        while let Some((_, name)) = self.deaths.first().filter(|(at, _)| *at <= now) {
            let name = name.clone();
            let record = self.get(&name)?.clone();
            let exit =
                record.death.map_or(Exit { code: Some(0), signal: None, oom: false }, |death| death.exit);
            self.put(record.exited(exit))?;
            died.push(name);
        }
        Ok(died)
    }

    /// When the next instance dies, in milliseconds since boot.
    pub fn next_death(&self) -> Option<u64> {
        self.deaths.first().map(|(at, _)| *at)
    }

    fn get(&self, name: &str) -> Result<&Record, Error> {
        self.known.get(name).ok_or_else(|| Error::not_found(format!("there is no instance `{name}`")))
    }

    fn put(&mut self, record: Record) -> Result<Instance, Error> {
        let name = record.request.name.clone();
        let instance = record.instance();
        self.log.push(&Line::Put(&record))?;
        self.deaths.extend(record.pending());
        if let Some(death) = self.known.insert(name, record).as_ref().and_then(Record::pending) {
            self.deaths.remove(&death);
        }
        Ok(instance)
    }
}

impl Record {
    fn exited(self, exit: Exit) -> Self {
        Self { state: InstanceState::Exited, exit: Some(exit), death: None, ..self }
    }

    fn pending(&self) -> Option<(u64, String)> {
        self.death.map(|death| (death.at, self.request.name.clone()))
    }

    fn instance(&self) -> Instance {
        Instance {
            name: self.request.name.clone(),
            labels: self.request.labels.clone(),
            state: self.state,
            exit: self.exit,
            message: None,
            pid: None,
            started_at: self.started_at,
        }
    }
}

pub fn subject_of(request: &CreateRequest) -> Subject {
    let fence = request.labels.get("motey.fence").cloned().unwrap_or_default();
    Subject { name: request.name.clone(), image: request.image.clone(), fence }
}

/// A last line that a full disk cut short is dropped: its call was never answered.
fn read(path: &Path) -> Result<BTreeMap<String, Record>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::failed(format!("cannot read {}: {error}", path.display()))),
    };
    let mut known = BTreeMap::new();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (number, line) in whole.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_str::<Line<Record>>(line) {
            Ok(Line::Put(record)) => drop(known.insert(record.request.name.clone(), record)),
            Ok(Line::Gone(name)) => drop(known.remove(&name)),
            Err(error) => {
                let place = format!("{}:{}", path.display(), number + 1);
                return Err(Error::failed(format!("{place} is no line of the mock's: {error}")));
            }
        }
    }
    Ok(known)
}

fn compact(path: &Path, known: &BTreeMap<String, Record>) -> io::Result<()> {
    let mut text = Vec::new();
    for record in known.values() {
        serde_json::to_writer(&mut text, &Line::Put(record))?;
        text.push(b'\n');
    }
    let fresh = path.with_extension("jsonl.new");
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?.write_all(&text)?;
    fs::rename(&fresh, path)
}
