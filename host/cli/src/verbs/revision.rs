//! `motey service revisions | rollback`: what a service was made of, and the way back to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::change::follow;
use super::find;
use super::watch::Goal;
use crate::api::Service;
use crate::args::{One, Rollback};
use crate::client::Sent;
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

/// What a service is made of, or was.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Revision {
    revision: u64,
    at: String,
    current: bool,
    images: Vec<Image>,
    scaled: BTreeMap<String, u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image {
    key: String,
    name: String,
}

/// The last revisions of one service.
pub async fn list(session: &mut Session, args: &One) -> Result<(), Failure> {
    let path = format!("/v1/service/{}/revisions", find::id(session, &args.named.service).await?);
    let answer = session.client.get(&path).await?;
    output::list::<Revision>(&mut session.out, args.shown.output, &path, &answer)
}

/// Updates the service to what it was made of before, and waits until it is so.
pub async fn roll_back(session: &mut Session, args: &Rollback) -> Result<(), Failure> {
    let id = find::id(session, &args.named.service).await?;
    let path = format!("/v1/service/{id}/rollback");
    let sent = args.to.map(|revision| Sent {
        content_type: "application/json",
        bytes: Bytes::from(json!({ "revision": revision }).to_string()),
    });
    let service: Service = output::read(&path, &session.client.post(&path, sent).await?)?;
    session.say(&format!("{}: revision {}", output::clean(&service.service_name), service.revision));
    let goal = if service.desired == "stopped" {
        Goal::Stopped
    } else {
        Goal::Proven { revision: service.revision }
    };
    follow(session, &id, goal, args.wait).await
}

impl Row for Revision {
    const HEAD: &'static [&'static str] = &["REVISION", "AT", "NOW", "IMAGES"];
    const WIDE: &'static [&'static str] = &["SCALED"];

    fn cells(&self) -> Vec<String> {
        let images = self.images.iter().map(|Image { key, name }| format!("{key}={name}"));
        vec![
            self.revision.to_string(),
            self.at.clone(),
            if self.current { "*".to_owned() } else { String::new() },
            images.collect::<Vec<_>>().join(" "),
        ]
    }

    fn more(&self) -> Vec<String> {
        let scaled = self.scaled.iter().map(|(image, count)| format!("{image}={count}"));
        vec![scaled.collect::<Vec<_>>().join(" ")]
    }

    fn name(&self) -> String {
        self.revision.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;

    #[test]
    fn revisions_are_listed_with_what_they_were_made_of() {
        let revisions = json!([
            {"revision": 3, "at": "2026-11-24T10:00:02.000Z", "current": true, "scaled": {"web": 3},
             "images": [{"key": "web", "name": "httpd:2"}, {"key": "db", "name": "sqlite:1"}]},
            {"revision": 2, "at": "2026-11-24T10:00:01.000Z", "current": false,
             "images": [{"key": "web", "name": "httpd:2"}]},
        ]);
        let shown = |format| {
            let mut out = Vec::new();
            output::list::<Revision>(&mut out, format, "", &revisions).expect("shown");
            String::from_utf8(out).expect("text")
        };
        insta::assert_snapshot!(shown(Format::Wide), @"
        REVISION  AT                        NOW  IMAGES                   SCALED
        3         2026-11-24T10:00:02.000Z  *    web=httpd:2 db=sqlite:1  web=3
        2         2026-11-24T10:00:01.000Z  -    web=httpd:2              -
        ");
        assert_eq!(shown(Format::Name), "3\n2\n");
    }
}
