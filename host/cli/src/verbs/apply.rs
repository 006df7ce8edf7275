//! `motey apply`: a blueprint becomes a service, once. Its mistakes are told here, before the daemon is asked.

use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use super::blueprint::{self, Text};
use super::find;
use super::watch::{self, Goal};
use crate::api::Service;
use crate::args::Apply;
use crate::client::{ClientError, Sent};
use crate::diagnostic;
use crate::exit::Failure;
use crate::output;
use crate::session::Session;

/// Deploys what is new, leaves what is the same, refuses what would be a change.
pub async fn apply(session: &mut Session, args: &Apply) -> Result<(), Failure> {
    let text = Text::read(&args.file)?;
    let name = blueprint::check(&text)?.name.to_string();
    let (id, is_new) = match existing(session, &name, &text).await? {
        Some(service) if service.desired != "running" => {
            session.say(&format!(
                "{name}: unchanged, and {}; `motey service start {}` starts it",
                service.desired, service.id
            ));
            return printed(session, &service.id);
        }
        Some(service) if args.must_fit && waits(&service) => {
            let message = watch::message(&service);
            return Err(Failure::Waits { id: service.id, message });
        }
        Some(service) => (service.id, false),
        None => (deploy(session, args, &text).await?, true),
    };
    session.say(&format!("{name}: {} ({id})", if is_new { "accepted" } else { "unchanged" }));
    printed(session, &id)?;
    if args.wait.no_wait {
        return Ok(());
    }
    watch::until(session, &id, Goal::Runs, args.wait).await
}

/// Some of it has no place.
fn waits(service: &Service) -> bool {
    let waiting = |reason: &Option<String>| reason.as_ref().is_some_and(|code| code.starts_with("waiting."));
    waiting(&service.reason) || service.images.iter().any(|image| waiting(&image.reason))
}

/// The id is the data: a script can go on with it.
fn printed(session: &mut Session, id: &str) -> Result<(), Failure> {
    writeln!(session.out, "{id}")?;
    Ok(session.out.flush()?)
}

/// The service of that name that is made of these bytes.
async fn existing(session: &Session, name: &str, text: &Text) -> Result<Option<Service>, Failure> {
    let services: Vec<Service> = output::read("GET /v1/service", &find::services(session).await?)?;
    let mut other = None;
    for service in
        services.into_iter().filter(|service| service.service_name == name && service.desired != "absent")
    {
        let bytes = session.client.bytes(&format!("/v1/service/{}/blueprint", service.id)).await?;
        if bytes == text.bytes {
            return Ok(Some(service));
        }
        other = Some(service.id);
    }
    match other {
        Some(id) => Err(Failure::OtherBlueprint { name: name.to_owned(), id }),
        None => Ok(None),
    }
}

/// Sends it under an id of our own: should the connection break, sending it again is the same request.
async fn deploy(session: &Session, args: &Apply, text: &Text) -> Result<String, Failure> {
    let reject = if args.must_fit { "&unplaceable=reject" } else { "" };
    let path = format!("/v1/service?id={}{reject}", Uuid::now_v7());
    let sent = Sent { content_type: text.content_type(), bytes: Bytes::clone(&text.bytes) };
    let answer = match session.client.post(&path, Some(sent.clone())).await {
        Err(ClientError::Broken { .. }) => session.client.post(&path, Some(sent)).await,
        answer => answer,
    };
    match answer {
        Ok(answer) => Ok(id_of(&path, &answer)?),
        Err(ClientError::Problem(problem)) if !problem.errors.is_empty() => {
            Err(Failure::Blueprint(diagnostic::render(&text.name, &text.lossy(), &problem.errors)))
        }
        Err(error) => Err(error.into()),
    }
}

fn id_of(path: &str, answer: &Value) -> Result<String, ClientError> {
    let service: Service = output::read(path, answer)?;
    Ok(service.id)
}
