//! Hypermedia: the `_links` of every object, by relation. The only place where paths of answers are put together.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

/// The links of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Links(BTreeMap<&'static str, Link>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Link {
    href: String,
    /// GET when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    /// `href` has a part in braces that is to be filled in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    templated: bool,
}

impl Links {
    /// Links of an object that is found at `href`.
    pub(super) fn of(href: impl Display) -> Self {
        Self::default().to("self", href)
    }

    #[must_use]
    pub(super) fn to(self, rel: &'static str, href: impl Display) -> Self {
        self.with(rel, href.to_string(), None)
    }

    /// Something to do rather than to read.
    #[must_use]
    pub(super) fn act(self, rel: &'static str, method: &'static str, href: impl Display) -> Self {
        self.with(rel, href.to_string(), Some(method))
    }

    fn with(mut self, rel: &'static str, href: String, method: Option<&'static str>) -> Self {
        let templated = href.contains('{');
        self.0.insert(rel, Link { href, method, templated });
        self
    }
}

pub(super) const SERVICES: &str = "/v1/service";
pub(super) const CAPABILITIES: &str = "/v1/capabilities";
pub(super) const NODES: &str = "/v1/nodes";
pub(super) const PLUGINS: &str = "/v1/plugins";
pub(super) const EVENTS: &str = "/v1/events";
pub(super) const NODE_STATUS: &str = "/v1/nodestatus";

pub(super) fn service(id: impl Display) -> String {
    format!("{SERVICES}/{id}")
}

pub(super) fn node(id: impl Display) -> String {
    format!("{NODES}/{id}")
}
