//! One node: `motey run` in directories of its own, started, killed and started again.

use std::{
    env,
    fs::{self, File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    artifacts, difference,
    http::Http,
    mock::MockFiles,
    process::{self, Process},
    snapshot::Snapshot,
    wait::{SOON, wait_for, wait_until},
};

/// So much of the log is printed when a test fails.
const LAST_LINES: usize = 200;

const PREFIX: &str = "motey-node-";

/// A running node. Dropped, it is killed, and so is everything that it started.
#[derive(Debug)]
pub struct NodeUnderTest {
    place: TempDir,
    port: u16,
    variables: Vec<(String, String)>,
    host: Option<Child>,
}

/// What a node is started with.
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    plugins: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    config: String,
    variables: Vec<(String, String)>,
}

impl Builder {
    /// By their ids.
    pub fn plugins(mut self, ids: &[&str]) -> Self {
        self.plugins.extend(ids.iter().map(|id| (*id).to_owned()));
        self
    }

    /// A file beside the plugins, whatever it is.
    pub fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.push((name.to_owned(), bytes.to_owned()));
        self
    }

    /// More TOML: whole sections other than `general`, `logger`, `webserver` and `plugins`.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// A variable of the host's environment, which is otherwise empty but for `PATH`.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the directories and starts the node; returns when it is ready.
    #[track_caller]
    pub fn start(self) -> NodeUnderTest {
        let mut node = self.prepare();
        node.start();
        node
    }

    /// Makes everything and starts nothing.
    #[track_caller]
    pub fn prepare(self) -> NodeUnderTest {
        let place = tempfile::Builder::new().prefix(PREFIX).tempdir().expect("a temporary directory");
        let node = NodeUnderTest { place, port: free_port(), variables: self.variables, host: None };
        let plugins = node.root().join("plugins");
        fs::create_dir(&plugins).expect("a directory for plugins");
        for id in &self.plugins {
            put_in(&artifacts::plugin(id), &plugins);
        }
        for (name, bytes) in &self.files {
            fs::write(plugins.join(name), bytes).expect("a file among the plugins");
        }
        let config = format!(
            "[general]\nnode_name = \"under-test\"\nstate_dir = {state:?}\nrun_dir = {run:?}\n\
             [logger]\nlevel = \"debug\"\n\
             [webserver]\nport = {port}\n\
             [plugins]\ndirectories = [{plugins:?}]\ntrust = \"any\"\n\
             {more}",
            state = node.state_dir(),
            run = node.run_dir(),
            port = node.port,
            more = self.config,
        );
        fs::write(node.config_file(), config).expect("a configuration file");
        node
    }
}

impl NodeUnderTest {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A text that this node's processes have and no others: its own directory. Put it into the environment of a
    /// blueprint's programs, and [`Self::processes`] sees them whatever they do.
    pub fn mark(&self) -> String {
        self.root().display().to_string()
    }

    /// A service's name that no other test has, and nothing else on the machine: its instances' names begin with it.
    pub fn unique(&self, name: &str) -> String {
        let random = self.root().file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        format!("{name}-{}", random.trim_start_matches(PREFIX))
    }

    pub fn root(&self) -> &Path {
        self.place.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.root().join("state")
    }

    pub fn run_dir(&self) -> PathBuf {
        self.root().join("run")
    }

    pub fn config_file(&self) -> PathBuf {
        self.root().join("motey.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.run_dir().join("motey.sock")
    }

    pub fn database(&self) -> PathBuf {
        self.state_dir().join("motey.db")
    }

    /// Over the Unix socket, where no token is asked for.
    pub fn http(&self) -> Http {
        Http::unix(self.socket())
    }

    pub fn tcp_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Over TCP, with the node's token.
    #[track_caller]
    pub fn tcp(&self) -> Http {
        let token =
            fs::read_to_string(self.state_dir().join("token")).expect("a token, made at the first start");
        Http::tcp(self.tcp_address()).with("Authorization", &format!("Bearer {}", token.trim()))
    }

    pub fn mock(&self) -> MockFiles {
        MockFiles::new(&self.state_dir().join("mock"))
    }

    /// The number of the host's process.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.host.as_ref().expect("the host runs").id()
    }

    /// What the host logged so far, over all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Starts the host and returns when it is ready.
    #[track_caller]
    pub fn start(&mut self) {
        self.launch();
        self.wait_ready();
    }

    /// Starts the host and returns at once.
    #[track_caller]
    pub fn launch(&mut self) {
        self.launch_as(&artifacts::motey(), Stdio::null());
    }

    /// Starts `program run` in place of `motey run`, and returns the writing end of its standard input, if it has one.
    #[track_caller]
    pub(crate) fn launch_as(&mut self, program: &Path, input: Stdio) -> Option<ChildStdin> {
        assert!(self.host.is_none(), "the host runs already");
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).expect("a log file");
        let path = env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        let host = Command::new(program)
            .arg("run")
            .arg("--config")
            .arg(self.config_file())
            .env_clear()
            .env("PATH", path)
            .env("RUST_BACKTRACE", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(input)
            .stdout(log.try_clone().expect("a second handle to the log"))
            .stderr(log)
            .spawn();
        self.host.insert(host.expect("the host starts")).stdin.take()
    }

    /// Returns when `/readyz` says so. A host that ends instead is a failure at once.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        wait_until(SOON, "the node is ready", || {
            if let Some(status) = self.ended() {
                panic!("the host ended instead of becoming ready: {status}");
            }
            self.http().send("GET", "/readyz", None, b"").is_ok_and(|answer| answer.status == 200)
        });
    }

    /// Returns when a VAL has been asked what it can do; readiness does not wait for that.
    #[track_caller]
    pub fn wait_engine(&self, name: &str) {
        wait_for(SOON, || {
            let nodes = self.http().get("/v1/nodes").expect(200).json();
            let engines = nodes[0]["engines"].as_array().cloned().unwrap_or_default();
            match engines.iter().any(|engine| engine["name"] == name && engine["up"] == true) {
                true => Ok(()),
                false => Err(format!("the engine {name} is up; there is {engines:?}")),
            }
        });
    }

    /// The host's exit, once it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.host.as_mut().and_then(|host| host.try_wait().expect("a child can be asked for its exit"))
    }

    /// Waits until the host has ended by itself or by a script's `exit_host`.
    #[track_caller]
    pub fn wait_ended(&mut self) -> ExitStatus {
        let status = wait_for(SOON, || self.ended().ok_or_else(|| "the host ends".to_owned()));
        self.host = None;
        status
    }

    /// What a power cut is to the host alone: its instances live on.
    #[track_caller]
    pub fn kill9(&mut self) {
        let mut host = self.host.take().expect("the host runs");
        host.kill().expect("a child can be killed");
        host.wait().expect("a killed child ends");
    }

    /// Asks the host to end, as systemd does.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_ended()
    }

    /// `stop` and `start`.
    #[track_caller]
    pub fn restart(&mut self) {
        let status = self.stop();
        assert!(status.success(), "the host did not end well: {status}");
        self.start();
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        // a child that was not waited for keeps its number
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("the host runs");
        kill_process(pid, signal).expect("a child can be signalled");
    }

    /// Everything that runs on account of this node, the host apart.
    pub fn processes(&self) -> Vec<Process> {
        let host = self.host.as_ref().map(|host| host.id().cast_signed());
        process::marked(&[&self.mark()]).into_iter().filter(|it| Some(it.pid) != host).collect()
    }

    /// The programs of its `process` instances, without their supervisors.
    pub fn programs(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|it| it.instance().is_some()).collect()
    }

    /// All that this node can leave behind. `marks`: more texts to know its things by, such as a service's name.
    #[track_caller]
    pub fn snapshot(&self, marks: &[&str]) -> Snapshot {
        let own = self.mark();
        let marks: Vec<&str> = marks.iter().copied().chain([own.as_str()]).collect();
        Snapshot::take(&marks, &[&self.state_dir(), &self.run_dir()], &self.database())
    }

    /// Waits until everything is as it was.
    #[track_caller]
    pub fn wait_as_before(&self, before: &Snapshot, marks: &[&str]) {
        wait_for(SOON, || match difference(before, &self.snapshot(marks)) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("everything as before:\n{}", left.join("\n"))),
        });
    }

    /// The service as it is now, `null` when it is gone.
    #[track_caller]
    pub fn service(&self, id: &str) -> Value {
        let answer = self.http().get(&format!("/v1/service/{id}"));
        match answer.status {
            404 => Value::Null,
            200 | 410 => answer.json(),
            status => panic!("unexpected answer {status}: {}", answer.text()),
        }
    }

    /// Waits until the service is in a state, and returns it.
    #[track_caller]
    pub fn wait_state(&self, id: &str, state: &str) -> Value {
        wait_for(SOON, || match self.service(id) {
            service if service["state"] == state => Ok(service),
            other => Err(format!("the service {id} is {state}; it is {other:#}")),
        })
    }

    /// What can be learned of a node that does not do what it should: its answers, and where its threads are.
    #[track_caller]
    pub fn how_it_is(&self) -> String {
        let ask = |path: &str| match self.http().send("GET", path, None, b"") {
            Ok(answer) => format!("GET {path}: {} {}", answer.status, answer.text()),
            Err(error) => format!("GET {path}: {error}"),
        };
        let answers = ["/v1/plugins", "/v1/nodes", "/v1/service"].map(ask).join("\n");
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let threads: Vec<String> = tasks
            .map(|task| {
                let file = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
                format!("{} {} {}", file("comm").trim(), file("wchan"), file("syscall").trim())
            })
            .collect();
        format!("{answers}\nits threads:\n{}", threads.join("\n"))
    }

    fn log_file(&self) -> PathBuf {
        self.root().join("host.log")
    }

    fn print_log(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        eprintln!("--- the log of {} (its last {} lines) ---", self.mark(), last.len());
        eprintln!("{}\n--- end of the log ---", last.join("\n"));
    }
}

impl Drop for NodeUnderTest {
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            let _ = host.kill();
            let _ = host.wait();
        }
        process::end_all(&[&self.mark()]);
        if thread::panicking() {
            self.print_log();
        }
        if env::var_os("MOTEY_KEEP").is_some() {
            self.place.disable_cleanup(true);
            eprintln!("kept: {}", self.mark());
        }
    }
}

/// A hard link where the file systems allow one: it costs nothing and shares its pages.
#[track_caller]
fn put_in(file: &Path, directory: &Path) {
    let place = directory.join(file.file_name().expect("a plugin has a file name"));
    if fs::hard_link(file, &place).is_err() {
        fs::copy(file, &place).expect("a plugin can be copied");
        // closed before the host maps it
        File::open(&place)
            .and_then(|copy| copy.set_permissions(fs::Permissions::from_mode(0o755)))
            .expect("a mode");
    }
}

/// A loopback port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("a bound address").port()
}
