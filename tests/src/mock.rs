//! The mock engine's files: the truth about what a node made there, and the script that makes it fail.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The directory of one node's `mock`.
#[derive(Debug, Clone)]
pub struct MockFiles(PathBuf);

/// One line of `calls.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockCall {
    pub op: String,
    pub name: String,
    pub image: String,
    pub fence: String,
    pub outcome: String,
    pub then: Option<String>,
    /// When it came in, in microseconds since boot.
    pub called_us: u64,
}

impl MockFiles {
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Every instance by its name, as the engine holds it: `{request, state, exit, starts, …}`.
    #[track_caller]
    pub fn instances(&self) -> BTreeMap<String, Value> {
        let mut known = BTreeMap::new();
        for mut line in self.lines("instances.jsonl") {
            if let Some(name) = line["gone"].as_str() {
                known.remove(name);
            } else {
                let record = line["put"].take();
                let name = record["request"]["name"].as_str().expect("an instance has a name").to_owned();
                known.insert(name, record);
            }
        }
        known
    }

    /// Every change since the plugin was created, the oldest first: `{"put": {…}}` or `{"gone": "NAME"}`.
    #[track_caller]
    pub fn history(&self) -> Vec<Value> {
        self.lines("instances.jsonl")
    }

    /// The names of those that run.
    #[track_caller]
    pub fn running(&self) -> Vec<String> {
        let running = self.instances().into_iter().filter(|(_, record)| record["state"] == "running");
        running.map(|(name, _)| name).collect()
    }

    #[track_caller]
    pub fn calls(&self) -> Vec<MockCall> {
        self.lines("calls.jsonl").iter().map(MockCall::read).collect()
    }

    /// The calls of one operation.
    #[track_caller]
    pub fn calls_of(&self, op: &str) -> Vec<MockCall> {
        self.calls().into_iter().filter(|call| call.op == op).collect()
    }

    /// Puts a script in place; it holds from the next call on.
    #[track_caller]
    pub fn script(&self, script: &Value) {
        let fresh = self.0.join("script.json.new");
        fs::create_dir_all(&self.0)
            .and_then(|()| fs::write(&fresh, script.to_string()))
            .and_then(|()| fs::rename(&fresh, self.0.join("script.json")))
            .unwrap_or_else(|error| panic!("cannot write the script in {}: {error}", self.0.display()));
    }

    /// Whole lines only: the node may be writing the next one.
    #[track_caller]
    fn lines(&self, file: &str) -> Vec<Value> {
        let text = match fs::read_to_string(self.0.join(file)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => panic!("cannot read {file}: {error}"),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let line =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error}: {line}"));
        whole.lines().map(line).collect()
    }
}

impl MockCall {
    fn read(line: &Value) -> Self {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        Self {
            op: word("op"),
            name: word("name"),
            image: word("image"),
            fence: word("fence"),
            outcome: word("outcome"),
            then: line["then"].as_str().map(str::to_owned),
            called_us: line["called_us"].as_u64().unwrap_or_default(),
        }
    }
}
