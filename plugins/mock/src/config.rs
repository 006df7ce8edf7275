//! `[plugins.config.mock]`.

use std::path::PathBuf;

use motey_plugin_api::Error;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the instances, the journal and the script are; `mock` in the node's state directory when absent.
    pub state: Option<PathBuf>,
    /// The script's file; `script.json` among the state when absent.
    pub script: Option<PathBuf>,
}

impl Config {
    pub fn read(config: Value) -> Result<Self, Error> {
        if config.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(config).map_err(|error| {
            Error::invalid(format!("the configuration of `mock` is wrong: {error}"))
                .hint("[plugins.config.mock] knows `state` and `script`")
        })
    }
}
