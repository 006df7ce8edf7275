//! `motey apply`: a blueprint becomes a service, or the next revision of one. Its mistakes are told here, before the daemon is asked.

use uuid::Uuid;

use super::blueprint::{self, Text};
use super::find;
use super::watch::{self, Goal};
use crate::api::Service;
use crate::args::Apply;
use crate::client::ClientError;
use crate::exit::Failure;
use crate::output;
use crate::session::Session;

/// What is there already.
enum Found {
    Nothing,
    /// Made of the same bytes.
    Same(Service),
    /// Made of others.
    Other(Service),
}

/// Deploys what is new, leaves what is the same, updates what is another.
pub async fn apply(session: &mut Session, args: &Apply) -> Result<(), Failure> {
    let text = Text::read(&args.file)?;
    let name = blueprint::check(&text)?.name.to_string();
    let found = match args.id {
        Some(id) => of_id(session, id, &text).await?,
        None => of_name(session, &name, &text).await?,
    };
    let (service, done) = match found {
        Found::Same(service) if args.must_fit && waits(&service) => {
            let message = watch::message(&service);
            return Err(Failure::Waits { id: service.id, message });
        }
        Found::Same(service) => (service, "unchanged"),
        Found::Other(service) if args.must_fit => {
            return Err(Failure::FitUnknown { name, id: service.id });
        }
        Found::Other(service) => (update(session, &service.id, &text).await?, "updated"),
        Found::Nothing => (deploy(session, args, &text).await?, "accepted"),
    };
    let Service { id, desired, revision, .. } = service;
    if desired == "running" {
        session.say(&format!("{name}: {done} ({id})"));
    } else {
        session.say(&format!("{name}: {done}, and {desired}; `motey service start {id}` starts it"));
    }
    printed(session, &id)?;
    if args.wait.no_wait || desired != "running" {
        return Ok(());
    }
    watch::until(session, &id, Goal::Proven { revision }, args.wait).await
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

/// The service of that name: the one that is made of these bytes, or else the only one.
async fn of_name(session: &Session, name: &str, text: &Text) -> Result<Found, Failure> {
    let services: Vec<Service> = output::read("GET /v1/service", &find::services(session).await?)?;
    let living = |service: &Service| service.service_name == name && service.desired != "absent";
    let services: Vec<Service> = services.into_iter().filter(living).collect();
    for service in &services {
        if is_made_of(session, &service.id, text).await? {
            return Ok(Found::Same(service.clone()));
        }
    }
    if services.is_empty() {
        return Ok(Found::Nothing);
    }
    let only = find::only(&services, name)?;
    Ok(services.into_iter().find(|service| service.id == only).map_or(Found::Nothing, Found::Other))
}

async fn of_id(session: &Session, id: Uuid, text: &Text) -> Result<Found, Failure> {
    let path = format!("/v1/service/{id}");
    let service: Service = match session.client.get(&path).await {
        Err(error) if error.status() == Some(404) => return Ok(Found::Nothing),
        answer => output::read(&path, &answer?)?,
    };
    let same = is_made_of(session, &service.id, text).await?;
    Ok(if same { Found::Same(service) } else { Found::Other(service) })
}

async fn is_made_of(session: &Session, id: &str, text: &Text) -> Result<bool, Failure> {
    Ok(session.client.bytes(&format!("/v1/service/{id}/blueprint")).await? == text.bytes)
}

/// Sends it under an id of our own: should the connection break, sending it again is the same request.
async fn deploy(session: &Session, args: &Apply, text: &Text) -> Result<Service, Failure> {
    let id = args.id.unwrap_or_else(Uuid::now_v7);
    let reject = if args.must_fit { "&unplaceable=reject" } else { "" };
    let path = format!("/v1/service?id={id}{reject}");
    let answer = match session.client.post(&path, Some(text.sent())).await {
        Err(ClientError::Broken { .. }) => session.client.post(&path, Some(text.sent())).await,
        answer => answer,
    };
    Ok(output::read(&path, &answer.map_err(|error| blueprint::refused(error, text))?)?)
}

/// The same bytes again are the same request here, too.
async fn update(session: &Session, id: &str, text: &Text) -> Result<Service, Failure> {
    let path = format!("/v1/service/{id}");
    let answer = match session.client.put(&path, Some(text.sent())).await {
        Err(ClientError::Broken { .. }) => session.client.put(&path, Some(text.sent())).await,
        answer => answer,
    };
    Ok(output::read(&path, &answer.map_err(|error| blueprint::refused(error, text))?)?)
}
