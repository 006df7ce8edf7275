//! Which service is meant: an id, or a name that only one service has.

use serde_json::Value;
use uuid::Uuid;

use crate::api::{Event, Service};
use crate::exit::Failure;
use crate::output;
use crate::session::Session;

/// Every service, as the daemon says it.
pub async fn services(session: &Session) -> Result<Value, Failure> {
    Ok(session.client.get("/v1/service").await?)
}

/// The id of the service that is called so.
///
/// An id is taken at its word: the daemon answers for it also when it is in no list any more.
pub async fn id(session: &Session, text: &str) -> Result<String, Failure> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id.to_string());
    }
    let services: Vec<Service> = output::read("GET /v1/service", &services(session).await?)?;
    only(&services, text)
}

/// The id of the service that is called so, or else of the one that was last told of under that name: what is removed
/// has a story still.
pub async fn remembered(session: &Session, text: &str) -> Result<String, Failure> {
    match id(session, text).await {
        Err(unknown @ Failure::NotFound { .. }) => {
            let path = "/v1/events?limit=1000";
            let events: Vec<Event> = output::read(path, &session.client.get(path).await?)?;
            let last = events.into_iter().rev().find(|event| event.service_name.as_deref() == Some(text));
            last.map(|event| event.service).ok_or(unknown)
        }
        found => found,
    }
}

/// The id of the only one that is called so.
pub fn only(services: &[Service], name: &str) -> Result<String, Failure> {
    let named: Vec<&Service> = services.iter().filter(|service| service.service_name == name).collect();
    match named.as_slice() {
        [] => Err(Failure::NotFound { kind: "service", name: name.to_owned() }),
        [service] => Ok(service.id.clone()),
        several => {
            let ids = several.iter().map(|service| format!("{}  {}", service.id, service.state)).collect();
            Err(Failure::Ambiguous { name: name.to_owned(), ids })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(id: &str, name: &str) -> Service {
        Service { id: id.into(), service_name: name.into(), state: "RUNNING".into(), ..Service::default() }
    }

    #[test]
    fn a_name_of_two_services_is_told_with_their_ids() {
        let services = [service("1", "a"), service("2", "b"), service("3", "b")];
        assert_eq!(only(&services, "a").expect("one"), "1");
        insta::assert_snapshot!(only(&services, "b").expect_err("two"), @r#"
        2 services are called "b"; give one of their ids instead:
          2  RUNNING
          3  RUNNING
        "#);
        insta::assert_snapshot!(only(&services, "c").expect_err("none"), @r#"no service is called "c"; `motey service list` shows them all"#);
    }
}
