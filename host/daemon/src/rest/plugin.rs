//! `/v1/plugins`: every file that was found, what became of it, and why.

use motey_plugin_host::PluginInfo;
use serde::Serialize;

use super::links::{self, Links};
use super::{Call, Outcome, error};

/// A plugin. What its manifest would say is null where the file has none that can be read.
#[derive(Debug, Serialize)]
struct Plugin {
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
    author: Option<String>,
    website: Option<String>,
    description: Option<String>,
    abi: Option<u32>,
    category: Option<&'static str>,
    features: Vec<String>,
    path: String,
    state: &'static str,
    /// For people.
    state_message: Option<String>,
    /// For programs.
    reason: Option<&'static str>,
    calls: u64,
    failures: u64,
    _links: Links,
}

/// `GET /v1/plugins`
pub(super) async fn list(call: Call) -> Outcome {
    call.query.end("")?;
    let all = call.api.node.plugins().plugins();
    Ok(error::ok(&all.into_iter().map(Plugin::new).collect::<Vec<_>>()))
}

impl Plugin {
    fn new(info: PluginInfo) -> Self {
        let PluginInfo { manifest, path, state, reason, calls, failures } = info;
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let manifest = manifest.as_ref();
        Self {
            id: manifest.map(|manifest| manifest.id.clone()),
            name: manifest.map(|manifest| manifest.name.clone()),
            version: manifest.map(|manifest| manifest.version.clone()),
            author: manifest.and_then(|manifest| text(&manifest.author)),
            website: manifest.and_then(|manifest| text(&manifest.website)),
            description: manifest.and_then(|manifest| text(&manifest.description)),
            abi: manifest.map(|manifest| manifest.abi),
            category: manifest.map(|manifest| manifest.category.as_str()),
            features: manifest.into_iter().flat_map(|manifest| manifest.features.iter().cloned()).collect(),
            path: path.display().to_string(),
            state: state.as_str(),
            state_message: reason.as_ref().map(|reason| reason.text.clone()),
            reason: reason.map(|reason| reason.code),
            calls,
            failures,
            _links: Links::default().to("collection", links::PLUGINS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_plugin_host::{Reason, State, code};
    use motey_plugin_ops::{Category, Manifest};

    fn info(manifest: Option<Manifest>, state: State, reason: Option<Reason>) -> PluginInfo {
        PluginInfo { manifest, path: "/plugins/x.so".into(), state, reason, calls: 7, failures: 1 }
    }

    #[test]
    fn a_plugin_as_clients_see_it() {
        let manifest = Manifest {
            id: "process".into(),
            name: "Processes".into(),
            version: "0.1.0".into(),
            author: String::new(),
            website: String::new(),
            description: "Runs programs".into(),
            abi: 0,
            category: Category::Val,
            features: ["command".to_owned()].into(),
        };
        let view = Plugin::new(info(Some(manifest), State::Active, None));
        insta::assert_snapshot!(serde_json::to_string_pretty(&view).expect("JSON"), @r#"
        {
          "id": "process",
          "name": "Processes",
          "version": "0.1.0",
          "author": null,
          "website": null,
          "description": "Runs programs",
          "abi": 0,
          "category": "val",
          "features": [
            "command"
          ],
          "path": "/plugins/x.so",
          "state": "active",
          "state_message": null,
          "reason": null,
          "calls": 7,
          "failures": 1,
          "_links": {
            "collection": {
              "href": "/v1/plugins"
            }
          }
        }
        "#);
    }

    #[test]
    fn a_refused_file_is_listed_with_its_reason() {
        let reason = Reason { code: code::ELF_TRUNCATED, text: "it ends in the middle".into() };
        let view = Plugin::new(info(None, State::Rejected, Some(reason)));
        let json = serde_json::to_value(&view).expect("JSON");
        assert_eq!((&json["state"], &json["reason"]), (&"rejected".into(), &"elf.truncated".into()));
        assert_eq!((&json["id"], &json["state_message"]), (&().into(), &"it ends in the middle".into()));
    }
}
