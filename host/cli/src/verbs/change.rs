//! `motey service stop | start | restart | scale | rm`: asks for it, and waits until it is so unless told not to.

use bytes::Bytes;
use serde_json::json;

use super::find;
use super::watch::{self, Goal};
use crate::api::Service;
use crate::args::{Change, Replicas, Scale, Wait};
use crate::client::Sent;
use crate::exit::Failure;
use crate::output;
use crate::session::Session;

pub async fn stop(session: &mut Session, args: &Change) -> Result<(), Failure> {
    act(session, args, "stop", Goal::Stopped).await
}

pub async fn start(session: &mut Session, args: &Change) -> Result<(), Failure> {
    act(session, args, "start", Goal::Runs).await
}

pub async fn restart(session: &mut Session, args: &Change) -> Result<(), Failure> {
    act(session, args, "restart", Goal::Runs).await
}

async fn act(session: &Session, args: &Change, verb: &str, goal: Goal) -> Result<(), Failure> {
    let id = find::id(session, &args.named.service).await?;
    session.client.post(&format!("/v1/service/{id}/{verb}"), None).await?;
    follow(session, &id, goal, args.wait).await
}

pub async fn remove(session: &mut Session, args: &Change) -> Result<(), Failure> {
    let id = find::id(session, &args.named.service).await?;
    session.client.delete(&format!("/v1/service/{id}")).await?;
    follow(session, &id, Goal::Gone, args.wait).await?;
    let so = if args.wait.no_wait { "is being removed" } else { "removed" };
    session.say(&format!("{}: {so}", args.named.service));
    Ok(())
}

pub async fn scale(session: &mut Session, args: &Scale) -> Result<(), Failure> {
    let id = find::id(session, &args.named.service).await?;
    let path = format!("/v1/service/{id}");
    let service: Service = output::read(&path, &session.client.get(&path).await?)?;
    let image = image_of(&service, &args.replicas)?;
    let body = json!({ "image": image, "replicas": args.replicas.count });
    let sent = Sent { content_type: "application/json", bytes: Bytes::from(body.to_string()) };
    let answer = session.client.post(&format!("{path}/scale"), Some(sent)).await?;
    let scaled: Service = output::read(&path, &answer)?;
    let goal = if scaled.desired == "stopped" { Goal::Stopped } else { Goal::Runs };
    follow(session, &id, goal, args.wait).await
}

/// The image that is named, or the only one.
fn image_of(service: &Service, replicas: &Replicas) -> Result<String, Failure> {
    match (&replicas.image, service.images.as_slice()) {
        (Some(image), _) => Ok(image.clone()),
        (None, [only]) => Ok(only.key.clone()),
        (None, several) => Err(Failure::WhichImage {
            service: service.service_name.clone(),
            images: several.iter().map(|image| image.key.clone()).collect(),
            replicas: replicas.count,
        }),
    }
}

pub(super) async fn follow(session: &Session, id: &str, goal: Goal, wait: Wait) -> Result<(), Failure> {
    if wait.no_wait {
        return Ok(());
    }
    watch::until(session, id, goal, wait).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Image;

    fn service(keys: &[&str]) -> Service {
        let images = keys.iter().map(|key| Image { key: (*key).into(), ..Image::default() }).collect();
        Service { service_name: "quality".into(), images, ..Service::default() }
    }

    #[test]
    fn scaling_needs_an_image_where_there_are_several() {
        let three = Replicas { image: None, count: 3 };
        assert_eq!(image_of(&service(&["vision"]), &three).expect("the only one"), "vision");
        insta::assert_snapshot!(image_of(&service(&["vision", "db"]), &three).expect_err("which?"), @r"the service has several images; say which one: `motey service scale quality vision=3`, `motey service scale quality db=3`");
        let db = Replicas { image: Some("db".into()), count: 3 };
        assert_eq!(image_of(&service(&["vision", "db"]), &db).expect("named"), "db");
    }
}
