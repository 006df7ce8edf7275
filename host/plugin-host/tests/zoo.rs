//! Files that must not get in, each refused with its reason, with the host alive and the healthy plugin at work.

mod nest;

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Mutex,
    time::Duration,
};

use motey_plugin_host::{
    PluginInfo, PluginManager, State, Trust, code,
    ops::{Category, op},
};
use nest::{Nest, SOON, echo, eventually};
use object::{
    Endianness, elf,
    read::elf::{FileHeader, SectionHeader},
};
use serde_json::json;

#[cfg(target_pointer_width = "64")]
type Native = elf::FileHeader64<Endianness>;
#[cfg(target_pointer_width = "32")]
type Native = elf::FileHeader32<Endianness>;

const MANIFEST: &str = ".motey.manifest";

/// The echo plugin's bytes, to be spoilt.
struct Spoilt(Vec<u8>);

impl Spoilt {
    fn new() -> Self {
        Self(fs::read(echo()).unwrap())
    }

    /// Every occurrence; the lengths are equal, so that the file stays well-formed.
    fn replace(mut self, from: &str, to: &str) -> Self {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        assert_eq!(from.len(), to.len());
        let places: Vec<_> = memchr_all(&self.0, from);
        assert!(!places.is_empty(), "nothing to replace");
        for at in places {
            self.0[at..at + to.len()].copy_from_slice(to);
        }
        self
    }

    fn set(mut self, at: usize, byte: u8) -> Self {
        assert_ne!(self.0[at], byte);
        self.0[at] = byte;
        self
    }

    fn cut(mut self, length: usize) -> Self {
        self.0.truncate(length);
        self
    }

    /// Where the manifest lies in the file, and its header in the section table.
    fn manifest(&self) -> (std::ops::Range<usize>, usize) {
        let header = Native::parse(&*self.0).unwrap();
        let endian = header.endian().unwrap();
        let sections = header.sections(endian, &*self.0).unwrap();
        let (index, section) = sections.section_by_name(endian, MANIFEST.as_bytes()).unwrap();
        let (offset, size) = section.file_range(endian).unwrap();
        let entry = header.e_shoff(endian) as usize + index.0 * usize::from(header.e_shentsize(endian));
        (offset as usize..(offset + size) as usize, entry)
    }

    /// In the manifest alone, which section and code share.
    fn in_manifest(mut self, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len());
        let (range, _) = self.manifest();
        let at = memchr_all(&self.0[range.clone()], from.as_bytes())[0];
        self.0[range][at..at + to.len()].copy_from_slice(to.as_bytes());
        self
    }

    /// Leads the section to another manifest than the one that the code returns.
    fn with_another_section(mut self) -> Self {
        const SECTION_OFFSET: usize = if cfg!(target_pointer_width = "64") { 24 } else { 16 };
        let (range, entry) = self.manifest();
        let other = String::from_utf8(self.0[range].to_vec()).unwrap().replace("\"echo\"", "\"ohce\"");
        while !self.0.len().is_multiple_of(16) {
            self.0.push(0);
        }
        let at = self.0.len().to_ne_bytes();
        self.0.extend(other.bytes());
        self.0[entry + SECTION_OFFSET..][..at.len()].copy_from_slice(&at);
        self
    }

    fn write(self, path: &Path) {
        fs::write(path, self.0).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
}

fn memchr_all(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    haystack
        .windows(needle.len())
        .enumerate()
        .filter(|(_, window)| *window == needle)
        .map(|(at, _)| at)
        .collect()
}

fn found(manager: &PluginManager, file: &str) -> PluginInfo {
    let of_file = |info: &PluginInfo| info.path.file_name().is_some_and(|name| name == file);
    manager.plugins().into_iter().find(of_file).unwrap_or_else(|| panic!("{file} is not listed"))
}

fn assert_became(manager: &PluginManager, file: &str, state: State, code: &str) {
    let info = found(manager, file);
    let reason = info.reason.unwrap_or_else(|| panic!("{file} is {:?} without a reason", info.state));
    assert_eq!((info.state, reason.code), (state, code), "{file}: {reason}");
    assert!(reason.text.len() < 1000, "{file}: {reason}");
}

#[test]
fn a_file_that_is_no_whole_plugin_for_this_machine_never_runs() {
    let nest = Nest::with_echo();
    let length = Spoilt::new().0.len();
    let other_machine = if cfg!(target_arch = "aarch64") { elf::EM_X86_64 } else { elf::EM_AARCH64 };
    fs::write(nest.path("text.so"), "INPUT(libecho.so)\n").unwrap();
    fs::write(nest.path("empty.so"), "").unwrap();
    Spoilt::new().cut(4).write(&nest.path("magic-only.so"));
    Spoilt::new().cut(length / 2).write(&nest.path("half.so"));
    Spoilt::new().cut(length - 1).write(&nest.path("short.so"));
    Spoilt::new().set(18, other_machine.0 as u8).write(&nest.path("machine.so"));
    let (class, order) = (Spoilt::new().0[4] ^ 3, Spoilt::new().0[5] ^ 3);
    Spoilt::new().set(4, class).write(&nest.path("class.so"));
    Spoilt::new().set(5, order).write(&nest.path("order.so"));
    Spoilt::new().set(16, 1).write(&nest.path("object.so"));
    Spoilt::new().replace(MANIFEST, ".motey.manifesX").write(&nest.path("nameless.so"));
    Spoilt::new().in_manifest("{", "[").write(&nest.path("json.so"));
    Spoilt::new().in_manifest("\"abi\":0", "\"abi\":7").write(&nest.path("abi.so"));
    Spoilt::new().in_manifest("\"val\"", "\"vax\"").write(&nest.path("category.so"));
    Spoilt::new().in_manifest("\"echo\"", "\"ECHO\"").write(&nest.path("id.so"));
    fs::create_dir(nest.path("directory.so")).unwrap();
    symlink(echo(), nest.path("link.so")).unwrap();

    let manager = nest.manager(Trust::Any, &[]);
    manager.start(|_| {});
    for (file, code) in [
        ("text.so", code::ELF_MAGIC),
        ("empty.so", code::FILE_EMPTY),
        ("magic-only.so", code::ELF_TRUNCATED),
        ("half.so", code::ELF_TRUNCATED),
        ("short.so", code::ELF_TRUNCATED),
        ("machine.so", code::ELF_MACHINE),
        ("class.so", code::ELF_CLASS),
        ("order.so", code::ELF_ENDIANNESS),
        ("object.so", code::ELF_TYPE),
        ("nameless.so", code::MANIFEST_MISSING),
        ("json.so", code::MANIFEST_INVALID),
        ("abi.so", code::ABI_VERSION),
        ("category.so", code::MANIFEST_CATEGORY),
        ("id.so", code::MANIFEST_INVALID),
        ("directory.so", code::PLACE_NOT_A_FILE),
        ("link.so", code::PLACE_SYMLINK),
    ] {
        assert_became(&manager, file, State::Rejected, code);
    }
    assert_healthy(&manager);
}

#[test]
fn a_plugin_that_cannot_be_loaded_or_created_is_out() {
    let nest = Nest::with_echo();
    Spoilt::new().with_another_section().write(&nest.path("liar.so"));
    Spoilt::new()
        .in_manifest("\"echo\"", "\"sym1\"")
        .replace("_1as_0lib_1header", "_1as_0lib_1hXader")
        .write(&nest.path("symbol.so"));
    Spoilt::new()
        .in_manifest("\"echo\"", "\"nee1\"")
        .replace("libc.so.6", "libx.so.6")
        .write(&nest.path("needs.so"));
    for id in ["pani", "refu", "hang"] {
        Spoilt::new().in_manifest("\"echo\"", &format!("\"{id}\"")).write(&nest.path(&format!("{id}.so")));
    }
    let mode = |mode: &str| json!({"mode": mode});
    let configs = [("pani", mode("panic")), ("refu", mode("refuse")), ("hang", mode("hang"))];
    let manager = nest.manager(Trust::Any, &configs).create_within(Duration::from_millis(500));
    manager.start(|_| {});
    for (file, code) in [
        ("liar.so", code::MANIFEST_MISMATCH),
        ("symbol.so", code::LOAD_SYMBOL),
        ("needs.so", code::LOAD_FAILED),
        ("pani.so", code::CREATE_PANICKED),
        ("refu.so", code::CREATE_FAILED),
        ("hang.so", code::CREATE_TIMED_OUT),
    ] {
        assert_became(&manager, file, State::Failed, code);
    }
    let text = |file| found(&manager, file).reason.unwrap().text;
    assert!(text("pani.so").contains("on purpose"), "{}", text("pani.so"));
    assert!(text("refu.so").contains("`mode` must not be `refuse`; remove it"), "{}", text("refu.so"));
    assert!(text("needs.so").contains("libx.so.6"), "{}", text("needs.so"));
    assert!(manager.get("pani").is_none() && !manager.activate("pani"));
    assert_healthy(&manager);
}

#[test]
fn of_one_id_the_newest_version_runs() {
    let nest = Nest::with_echo();
    fs::copy(echo(), nest.path("a-copy.so")).unwrap();
    let version = |version: &str| Spoilt::new().in_manifest("\"0.1.0\"", version);
    version("\"0.3.0\"").write(&nest.path("c-newest.so"));
    version("\"0.2.9\"").write(&nest.path("d-newer.so"));
    Spoilt::new().in_manifest("\"echo\"", "\"twin\"").write(&nest.path("twin-1.so"));
    Spoilt::new().in_manifest("\"echo\"", "\"twin\"").write(&nest.path("twin-2.so"));

    let manager = nest.manager(Trust::Any, &[]);
    manager.start(|_| {});
    assert_eq!(found(&manager, "c-newest.so").state, State::Active);
    for file in ["a-copy.so", "echo.so", "d-newer.so"] {
        assert_became(&manager, file, State::Shadowed, code::VERSION_SHADOWED);
        let text = found(&manager, file).reason.unwrap().text;
        assert!(text.contains(file) && text.contains("c-newest.so (version 0.3.0)"), "{text}");
    }
    assert_eq!(found(&manager, "twin-1.so").state, State::Active);
    assert_became(&manager, "twin-2.so", State::Shadowed, code::VERSION_SHADOWED);
    assert_eq!(manager.by_category(Category::Val).len(), 2);
    assert!(manager.by_category(Category::Capability).is_empty());
}

#[test]
fn where_the_newest_fails_the_next_that_works_runs() {
    let nest = Nest::with_echo();
    let version = |version: &str| Spoilt::new().in_manifest("\"0.1.0\"", version);
    version("\"0.5.0\"").replace("libc.so.6", "libx.so.6").write(&nest.path("e.so"));
    version("\"0.4.0\"").replace("_1as_0lib_1header", "_1as_0lib_1hXader").write(&nest.path("d.so"));
    version("\"0.3.0\"").write(&nest.path("c.so"));
    version("\"0.2.0\"").write(&nest.path("b.so"));
    let config = json!({"mode": "refuse-first", "mark": nest.path("mark")});

    let manager = nest.manager(Trust::Any, &[("echo", config)]);
    manager.start(|_| {});
    assert_became(&manager, "e.so", State::Failed, code::LOAD_FAILED);
    assert_became(&manager, "d.so", State::Failed, code::LOAD_SYMBOL);
    assert_became(&manager, "c.so", State::Failed, code::CREATE_FAILED);
    assert_eq!(found(&manager, "b.so").state, State::Active);
    assert_became(&manager, "echo.so", State::Shadowed, code::VERSION_SHADOWED);
    assert!(found(&manager, "echo.so").reason.unwrap().text.contains("b.so"));
    manager.get("echo").unwrap().call_wait(op::PING, b"{}", None, SOON).unwrap();
    // closed and opened again it is still that one
    manager.deactivate("echo", SOON);
    assert!(manager.activate("echo"));
    assert_eq!(found(&manager, "b.so").state, State::Active);
}

#[test]
fn no_plugin_waits_for_another() {
    let nest = Nest::with_echo();
    Spoilt::new().in_manifest("\"echo\"", "\"hang\"").write(&nest.path("hang.so"));
    let configs = [("hang", json!({"mode": "hang"}))];
    let manager = nest.manager(Trust::Any, &configs).create_within(Duration::from_secs(3));
    let told = Mutex::new(Vec::new());
    manager.start(|plugin| {
        plugin.call_wait(op::PING, b"{}", None, SOON).unwrap();
        told.lock().unwrap().push((plugin.id().to_owned(), found(&manager, "hang.so").state));
    });
    assert_eq!(
        told.into_inner().unwrap(),
        [("echo".to_owned(), State::Loaded)],
        "used while the other hangs"
    );
    assert_became(&manager, "hang.so", State::Failed, code::CREATE_TIMED_OUT);
}

#[test]
fn what_the_configuration_names_and_is_not_there_is_remarked() {
    let nest = Nest::with_echo();
    let manager = nest.manager(Trust::Any, &[("echo", json!({})), ("ehco", json!({}))]);
    manager.start(|_| {});
    assert_eq!(
        manager.remarks(),
        [
            "plugins.disabled: no plugin with the id `unwanted` was found",
            "[plugins.config.ehco]: no plugin with the id `ehco` was found",
        ]
    );
    let empty = Nest::empty();
    let manager = empty.manager(Trust::Any, &[]);
    manager.start(|_| {});
    let remarks = manager.remarks().join("\n");
    assert!(remarks.contains(&format!("{} holds no *.so", empty.place.path().display())), "{remarks}");
}

#[test]
fn what_is_disabled_is_listed_and_not_run() {
    let nest = Nest::empty();
    Spoilt::new()
        .in_manifest("\"echo\",\"name\":\"Echo\"", "\"unwanted\",\"name\":\"\"")
        .write(&nest.path("x.so"));
    let manager = nest.manager(Trust::Any, &[]);
    manager.start(|_| {});
    assert_became(&manager, "x.so", State::Disabled, code::DISABLED);
    assert_eq!(found(&manager, "x.so").manifest.unwrap().id, "unwanted");
    assert!(manager.get("unwanted").is_none());
}

#[test]
fn the_steps_are_steps() {
    let nest = Nest::with_echo();
    let manager = nest.manager(Trust::Any, &[]);
    assert!(manager.plugins().is_empty());
    manager.discover();
    assert_eq!(found(&manager, "echo.so").state, State::Discovered);
    manager.load_all();
    assert_eq!(found(&manager, "echo.so").state, State::Loaded);
    assert!(!nest.heard.said("created"));
    manager.activate_all(|_| {});
    eventually("its log", || nest.heard.said("created"));
    // what comes later is found, and does not push out what runs
    Spoilt::new().in_manifest("\"0.1.0\"", "\"9.0.0\"").write(&nest.path("later.so"));
    manager.start(|_| {});
    assert_became(&manager, "later.so", State::Shadowed, code::VERSION_SHADOWED);
    assert_healthy(&manager);
}

#[test]
fn a_file_that_others_may_write_is_not_trusted() {
    let nest = Nest::with_echo();
    fs::set_permissions(nest.path("echo.so"), Permissions::from_mode(0o775)).unwrap();
    let manager = nest.manager(Trust::Root, &[]);
    manager.start(|_| {});
    assert_became(&manager, "echo.so", State::Rejected, code::TRUST_WRITABLE);
}

/// What the documentation shows is what is built here, and it works.
#[test]
fn the_documented_plugin_is_a_plugin() {
    let page = include_str!("../../../docs/writing-a-plugin.md");
    assert!(page.contains(include_str!("bell/lib.rs")), "the page shows another one");
    let nest = Nest::empty();
    fs::copy(echo().with_file_name("libbell.so"), nest.path("bell.so")).unwrap();
    let manager = nest.manager(Trust::Any, &[]);
    manager.start(|plugin| {
        plugin.call(op::WATCH, b"{}", None, None, |_| {});
    });
    eventually("the bell", || nest.heard.capabilities.lock().unwrap().iter().any(|it| it.name == "bell"));
    manager.close_all(SOON);
}

fn assert_healthy(manager: &PluginManager) {
    assert_eq!(found(manager, "echo.so").state, State::Active);
    manager.get("echo").unwrap().call_wait(op::PING, b"{}", None, SOON).unwrap();
}
