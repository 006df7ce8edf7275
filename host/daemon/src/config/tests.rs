//! The configuration as users write it: files in a real directory, variables, flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::*;

fn variables(named: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    named.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("conf.d")).expect("conf.d");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

fn load(directory: &Path, environment: &[(&str, &str)]) -> Result<Config, ConfigMistakes> {
    Config::load_below(directory, None, variables(environment), &[])
}

/// The mistakes of one file, with its directory's name left out.
fn mistakes(text: &str, environment: &[(&str, &str)]) -> String {
    let directory = directory(&[("motey.toml", text)]);
    let told = load(directory.path(), environment).expect_err("mistakes").to_string();
    told.replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn nothing_configured_is_the_default() {
    let directory = tempfile::tempdir().expect("a directory");
    let config =
        load(directory.path(), &[("MOTEY_SOCKET", "/x"), ("MOTEY_REQUIRE_ENGINES", "1"), ("PATH", "/bin")])
            .expect("variables without __ are not configuration");
    let as_json = |config: &Config| serde_json::to_value(config).expect("json");
    assert_eq!(as_json(&config), as_json(&Config::default()));
    insta::assert_yaml_snapshot!(Config::default(), @r"
    general:
      node_name: ~
      state_dir: /var/lib/motey
      run_dir: /run/motey
    logger:
      level: info
    webserver:
      address: 127.0.0.1
      port: 5023
      auth: token
      body_limit: 1 MiB
    database:
      path: ~
    plugins:
      directories:
        - /usr/lib/motey/plugins
        - /var/lib/motey/plugins
      disabled: []
      trust: root
      config: {}
    node:
      labels: {}
      reserved: {}
      restart_attempts: 10
      restart_delay: 1s
    ");
}

#[test]
fn files_then_variables_then_flags() {
    let directory = directory(&[
        ("motey.toml", "[webserver]\nport = 1\nbody_limit = \"512 KiB\"\n[node.labels]\nline = \"7\""),
        ("conf.d/20-b.toml", "[webserver]\nport = 3"),
        ("conf.d/10-a.toml", "[webserver]\nport = 2\n[node.labels]\nhall = \"B\""),
        ("conf.d/notes.txt", "not read"),
    ]);
    let environment = [
        ("MOTEY_LOGGER__LEVEL", "debug"),
        ("MOTEY_GENERAL__RUN_DIR", "/env"),
        ("MOTEY_NODE__LABELS__LINE", "8"),
    ];
    let flag = Flag { name: "--run-dir".into(), key: "general.run_dir".into(), value: "/flag".into() };
    let config = Config::load_below(directory.path(), None, variables(&environment), &[flag]).expect("valid");
    assert_eq!(config.webserver.port, 3, "the last file by name");
    assert_eq!(config.webserver.body_limit, Size(512 << 10));
    assert_eq!(config.logger.level, log::LevelFilter::Debug);
    assert_eq!(config.socket(), Path::new("/flag/motey.sock"));
    assert_eq!(
        config.node.labels,
        BTreeMap::from([("hall".into(), "B".into()), ("line".into(), "8".into())])
    );
}

#[test]
fn a_named_file_is_read_alone_and_must_exist() {
    let directory =
        directory(&[("motey.toml", "[webserver]\nport = 1"), ("other.toml", "[logger]\nlevel = \"warn\"")]);
    let file = directory.path().join("other.toml");
    let config = Config::load_below(directory.path(), Some(&file), [], &[]).expect("valid");
    assert_eq!((config.webserver.port, config.logger.level), (5023, log::LevelFilter::Warn));
    let missing = directory.path().join("missing.toml");
    let told =
        Config::load_below(directory.path(), Some(&missing), [], &[]).expect_err("missing").to_string();
    assert!(told.contains("missing.toml: cannot be read: No such file"), "{told}");
}

#[test]
fn every_mistake_is_told_at_once_with_its_origin_and_key() {
    let text = r#"
        webservr = 1
        [general]
        state_dir = "state"
        node_nam = "a"
        [webserver]
        address = "0.0.0.0"
        port = "5023"
        auth = "none"
        body_limit = "1 GiB"
        [logger]
        level = "loud"
        [plugins]
        directories = ["/a", "b"]
        [node]
        restart_delay = "2h"
        labels = { line = 7 }
        [mqtt]
        keepalive = 60
        [zeromq]
        security = "none"
        [registries."ghcr.io"]
        user = "x"
        [plugins.config]
        process = 7
    "#;
    let environment =
        [("MOTEY_WEBSERVER__BODYLIMIT", "1"), ("MOTEY_DATABASE__PATH", "x.db"), ("MOTEY__X__Y", "1")];
    insta::assert_snapshot!(mistakes(text, &environment), @r#"
    the configuration has 18 mistakes
      motey.toml: general.state_dir: expected an absolute path, found "state"
      motey.toml: general.node_nam: unknown key; did you mean "node_name"?
      motey.toml: logger.level: expected "off", "error", "warn", "info", "debug" or "trace", found "loud"
      motey.toml: webserver.port: expected a port number, 0 to 65535, found "5023"
      motey.toml: webserver.body_limit: expected a size from "1 KiB" to "1 MiB", found "1 GiB"
      motey.toml: webserver.address: 0.0.0.0 is not a loopback address; this version has no TLS, so a token and every answer would cross the network readable: use "127.0.0.1" or "::1"
      motey.toml: webserver.auth: "none" is allowed on a loopback address only: use "token"
      MOTEY_WEBSERVER__BODYLIMIT: webserver.bodylimit: unknown key; did you mean "body_limit"?
      MOTEY_DATABASE__PATH: database.path: expected an absolute path, found "x.db"
      motey.toml: plugins.directories: expected a list of absolute paths, found ["/a", "b"]
      motey.toml: plugins.config.process: expected a section, found 7
      motey.toml: node.labels.line: expected a text, found 7
      motey.toml: node.restart_delay: expected a duration from "10ms" to "60s", found "2h"
      motey.toml: mqtt.keepalive: expected a duration such as "500ms" or "1s", found 60
      motey.toml: zeromq.security: expected "curve" or "plain", found "none"
      motey.toml: registries.ghcr.io.user: unknown key
      MOTEY__X__Y: _x: unknown key
      motey.toml: webservr: unknown key; did you mean "webserver"?
    "#);
}

#[test]
fn the_largest_body_is_the_largest_blueprint() {
    assert_eq!(Webserver::default().body_limit, Size(motey_blueprint::MAX_BYTES as u64));
    let told = mistakes("[webserver]\nbody_limit = \"1025 KiB\"", &[]);
    assert!(told.contains(r#"from "1 KiB" to "1 MiB""#), "{told}");
}

#[test]
fn a_value_that_is_overridden_is_judged_where_it_stands_at_last() {
    let told = mistakes("[webserver]\nport = 80", &[("MOTEY_WEBSERVER__PORT", "http")]);
    insta::assert_snapshot!(told, @r#"
    the configuration has 1 mistake
      MOTEY_WEBSERVER__PORT: webserver.port: expected a port number, 0 to 65535, found "http"
    "#);
}

#[test]
fn a_file_that_is_not_toml_is_told_with_its_place_and_the_rest_is_still_checked() {
    let told = mistakes("[webserver\nport = 80", &[("MOTEY_LOGGER__LEVEL", "loud")]);
    insta::assert_snapshot!(told, @r#"
    the configuration has 2 mistakes
      motey.toml: is not valid TOML: TOML parse error at line 1, column 11
          |
        1 | [webserver
          |           ^
        unclosed table, expected `]`
      MOTEY_LOGGER__LEVEL: logger.level: expected "off", "error", "warn", "info", "debug" or "trace", found "loud"
    "#);
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    let value = OsString::from_vec(vec![0xff]);
    let told = Config::load_below(Path::new("/nowhere"), None, [("MOTEY_LOGGER__LEVEL".into(), value)], &[]);
    insta::assert_snapshot!(told.expect_err("not UTF-8"), @r"
    the configuration has 1 mistake
      MOTEY_LOGGER__LEVEL: logger.level: the value is not UTF-8
    ");
}

#[test]
fn a_run_dir_whose_socket_would_be_too_long_is_refused() {
    let long = format!("/{}", "x".repeat(100));
    let told =
        Config::load_below(Path::new("/nowhere"), None, variables(&[("MOTEY_GENERAL__RUN_DIR", &long)]), &[]);
    let told = told.expect_err("too long").to_string();
    assert!(
        told.contains("MOTEY_GENERAL__RUN_DIR: general.run_dir:") && told.contains("107 bytes"),
        "{told}"
    );
}

#[test]
fn what_has_no_effect_yet_is_said() {
    let text = r#"
        [mqtt]
        brokers = ["mqtt://10.0.0.1"]
        keepalive = "60s"
        [registries."ghcr.io"]
        username = "x"
        [webserver]
        tls_cert = "/cert"
    "#;
    let directory = directory(&[("motey.toml", text)]);
    let config = load(directory.path(), &[("MOTEY_PLUGINS__ISOLATION", "all")]).expect("valid");
    let told: Vec<String> = config
        .notices()
        .iter()
        .map(|n| n.to_string().replace(&directory.path().display().to_string(), ""))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    /motey.toml: webserver.tls_cert has no effect yet: only loopback is served, without TLS
    MOTEY_PLUGINS__ISOLATION: plugins.isolation has no effect yet: every plugin runs in the host
    /motey.toml: [mqtt] has no effect yet: this version runs one node by itself
    /motey.toml: [registries] has no effect yet: no engine of this version pulls images
    ");
}

#[test]
fn plugins_get_their_own_table_as_it_is() {
    let text = "[plugins.config.process]\nlog_size = \"4 MiB\"\nlist = [1, 2.5]\n[plugins.config.process.deep]\nyes = true";
    let directory = directory(&[("motey.toml", text)]);
    let environment =
        [("MOTEY_PLUGINS__CONFIG__MOCK__DELAY", "5"), ("MOTEY_PLUGINS__CONFIG__MOCK__NAME", "x")];
    let config = load(directory.path(), &environment).expect("valid");
    let process = serde_json::json!({"log_size": "4 MiB", "list": [1, 2.5], "deep": {"yes": true}});
    assert_eq!(config.plugins.config["process"], process);
    assert_eq!(config.plugins.config["mock"], serde_json::json!({"delay": 5, "name": "x"}));
}

#[test]
fn a_setting_says_where_it_comes_from() {
    let directory = directory(&[(
        "motey.toml",
        "[node]\nlabels = { line = \"7\" }\nreserved = { memory = \"256 MB\", cpu = 0.5 }",
    )]);
    let config = load(directory.path(), &[("MOTEY_WEBSERVER__PORT", "0")]).expect("valid");
    let settings = config.settings();
    let of = |key: &str| settings.iter().find(|(path, ..)| path == key).expect("listed");
    assert_eq!(of("webserver.port"), &("webserver.port".into(), 0.into(), Some("MOTEY_WEBSERVER__PORT")));
    assert!(of("node.labels.line").2.is_some_and(|origin| origin.ends_with("motey.toml")));
    assert_eq!(
        (&of("node.reserved.memory").1, &of("node.reserved.cpu").1),
        (&"256 MB".into(), &"500m".into())
    );
    assert_eq!(of("database.path"), &("database.path".into(), "/var/lib/motey/motey.db".into(), None));
}

#[test]
fn what_is_reserved_is_written_as_in_blueprints() {
    let text = "[node.reserved]\ncpu = 1\nmemory = \"1 GB\"\ndisk = 4096\nseats = \"3\"";
    let directory = directory(&[("motey.toml", text)]);
    let config = load(directory.path(), &[("MOTEY_NODE__RESERVED__CPU", "1500m")]).expect("valid");
    let reserved = [("cpu", 1500), ("disk", 4096), ("memory", 1_000_000_000), ("seats", 3)];
    assert_eq!(config.node.reserved, reserved.map(|(name, amount)| (name.to_owned(), amount)).into());
    let text = "[node.reserved]\ncpu = -1\nmemory = \"1 gb\"\ndisk = \"much\"\nseats = 0.5\nlight = true";
    insta::assert_snapshot!(mistakes(text, &[]), @r#"
    the configuration has 5 mistakes
      motey.toml: node.reserved.light: expected an amount such as 2 or "256 MB", found true
      motey.toml: node.reserved.cpu: "-1" is not an amount of cpu such as `0.5` (cores) or `500m` (thousandths)
      motey.toml: node.reserved.disk: "much" is not a number of bytes such as `512 MB` (10⁶) or `512 MiB` (2²⁰)
      motey.toml: node.reserved.memory: the unit "gb" is ambiguous: write GB (10⁹) or GiB (2³⁰)
      motey.toml: node.reserved.seats: "0.5" is not a whole number such as `3`
    "#);
}

/// Lines that begin with `#` and no space are settings that are commented out.
#[test]
fn the_packaged_file_is_valid_and_shows_the_defaults() {
    let shipped = include_str!("../../../../packaging/motey.toml");
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let uncommented: Vec<String> = shipped.lines().map(uncomment).collect();
    let as_json = |text: &str| {
        let directory = directory(&[("motey.toml", text)]);
        let config = load(directory.path(), &[]).expect("valid");
        assert!(config.notices().is_empty(), "it shows nothing that has no effect");
        serde_json::to_value(&config).expect("json")
    };
    let default = serde_json::to_value(Config::default()).expect("json");
    assert_eq!(as_json(shipped), default, "as shipped nothing is set");
    let mut all = as_json(&uncommented.join("\n"));
    for (section, key) in
        [("general", "node_name"), ("database", "path"), ("node", "labels"), ("node", "reserved")]
    {
        assert_ne!(all[section][key], default[section][key], "{section}.{key} is an example");
        all[section][key] = default[section][key].clone();
    }
    all["plugins"]["config"] = default["plugins"]["config"].clone();
    assert_eq!(all, default, "what is commented out is the default");
}

#[test]
fn every_setting_is_documented() {
    let page = include_str!("../../../../docs/configuration.md");
    for (path, ..) in Config::default().settings() {
        let (section, key) = path.split_once('.').expect("a section and a key");
        let at = page
            .find(&format!("## `[{section}]`"))
            .unwrap_or_else(|| panic!("[{section}] is not documented"));
        let rest = &page[at + 2..];
        let chapter = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
        assert!(chapter.contains(&format!("| `{key}` |")), "{path} is not documented");
    }
}
