//! `motey config show | check`: this machine's configuration as the daemon would read it. No daemon is asked.

use std::env;
use std::io::{self, Write};

use motey_daemon::config::Config;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::{Global, Shown};
use crate::exit::Failure;
use crate::output::{self, Row};

/// One setting.
#[derive(Deserialize)]
struct Setting {
    key: String,
    value: Value,
    from: String,
}

/// Every setting and where it comes from.
pub fn show(global: &Global, shown: Shown) -> Result<(), Failure> {
    let config = load(global)?;
    let settings = config.settings();
    let told = settings
        .iter()
        .map(|(key, value, from)| json!({"key": key, "value": value, "from": from.unwrap_or("default")}));
    output::list::<Setting>(&mut io::stdout().lock(), shown.output, "config show", &told.collect())
}

/// Nothing but mistakes and notices; silence is consent.
pub fn check(global: &Global) -> Result<(), Failure> {
    for notice in load(global)?.notices() {
        drop(writeln!(io::stderr(), "{notice}"));
    }
    Ok(())
}

fn load(global: &Global) -> Result<Config, Failure> {
    Ok(Config::load(global.config_file().as_deref(), env::vars_os(), &[])?)
}

impl Row for Setting {
    const HEAD: &'static [&'static str] = &["KEY", "VALUE", "FROM"];
    const WIDE: &'static [&'static str] = &[];

    fn cells(&self) -> Vec<String> {
        vec![self.key.clone(), output::cell(&self.value), self.from.clone()]
    }

    fn more(&self) -> Vec<String> {
        Vec::new()
    }

    fn name(&self) -> String {
        self.key.clone()
    }
}
