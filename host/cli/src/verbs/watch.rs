//! Waits until a service is as it was asked to be, and tells meanwhile what each image is doing.
//!
//! The daemon says what is, this asks it again and again while a person waits; an observed state is no event that it could send.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::{Image, Service};
use crate::args::Wait;
use crate::exit::Failure;
use crate::output;
use crate::paint::Paint;
use crate::session::Session;

const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// RUNNING, or TERMINATED where everything did its work.
    Runs,
    /// The same, and that revision is not taken back any more.
    Proven { revision: u64 },
    /// Nothing of it runs; it is still there.
    Stopped,
    /// Nothing of it is left.
    Gone,
}

/// Waits for the goal.
///
/// # Errors
/// When the service gives up, when it takes too long, when the daemon does not answer, and at Ctrl-C: it goes on
/// without us then.
pub async fn until(session: &Session, id: &str, goal: Goal, wait: Wait) -> Result<(), Failure> {
    let mut watch = Watch { id, goal, last: Service::default(), told: Told::new(session.paint) };
    tokio::select! {
        ended = tokio::time::timeout(wait.timeout, watch.reach(session)) => match ended {
            Ok(reached) => reached,
            Err(_) => Err(too_late(&watch.last, id, wait.timeout)),
        },
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted { id: id.to_owned() }),
    }
}

struct Watch<'w> {
    id: &'w str,
    goal: Goal,
    last: Service,
    told: Told,
}

impl Watch<'_> {
    async fn reach(&mut self, session: &Session) -> Result<(), Failure> {
        let path = format!("/v1/service/{}", self.id);
        let mut pause = PAUSE_FIRST;
        loop {
            let answer = match session.client.get(&path).await {
                Ok(answer) => answer,
                Err(error) if matches!(error.status(), Some(404 | 410)) => return self.gone(),
                Err(error) => return Err(error.into()),
            };
            self.last = output::read(&path, &answer)?;
            self.told.lines(&self.last).iter().for_each(|line| session.say(line));
            if self.is_reached()? {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSE_MOST);
        }
    }

    fn gone(&self) -> Result<(), Failure> {
        match self.goal {
            Goal::Gone => Ok(()),
            Goal::Runs | Goal::Proven { .. } | Goal::Stopped => {
                Err(Failure::Removed { id: self.id.to_owned() })
            }
        }
    }

    fn is_reached(&self) -> Result<bool, Failure> {
        let Service { state, revision: now, proven, .. } = &self.last;
        match (self.goal, state.as_str()) {
            (Goal::Proven { revision }, _) if *now != revision => {
                Err(Failure::Superseded { id: self.id.to_owned(), revision, now: *now })
            }
            (Goal::Proven { .. }, "RUNNING" | "TERMINATED") => Ok(*proven),
            (Goal::Runs, "RUNNING" | "TERMINATED") | (Goal::Stopped | Goal::Gone, "TERMINATED") => Ok(true),
            (Goal::Runs | Goal::Proven { .. }, "ERROR") => {
                Err(Failure::InError { message: message(&self.last) })
            }
            _ => Ok(false),
        }
    }
}

/// What was told of each image, so that only news are told.
struct Told {
    paint: Paint,
    images: BTreeMap<String, String>,
}

impl Told {
    fn new(paint: Paint) -> Self {
        Self { paint, images: BTreeMap::new() }
    }

    fn lines(&mut self, service: &Service) -> Vec<String> {
        let width = service.images.iter().map(|image| image.key.chars().count()).max().unwrap_or(0);
        service.images.iter().filter_map(|image| self.news(image, width)).collect()
    }

    fn news(&mut self, image: &Image, width: usize) -> Option<String> {
        let line = line(image, width, self.paint);
        let before = self.images.insert(image.key.clone(), line.clone());
        (before.as_ref() != Some(&line)).then_some(line)
    }
}

fn line(image: &Image, width: usize, paint: Paint) -> String {
    let slots = image.slots();
    let count = if slots > 1 { format!(" {}/{slots}", image.running) } else { String::new() };
    let message = image.state_message.as_deref().filter(|text| !text.is_empty());
    let message = message.map_or_else(String::new, |text| format!("  {}", output::clean(text)));
    format!(
        "  {:width$}  {}{count}{message}",
        output::clean(&image.key),
        paint.state(&output::clean(&image.state))
    )
}

/// Why it is as it is: the service's words, or those of the images that say something.
pub fn message(service: &Service) -> String {
    let said = |text: &Option<String>| text.as_deref().map(output::clean).filter(|text| !text.is_empty());
    let of_images = || {
        let images = service
            .images
            .iter()
            .filter_map(|image| Some(format!("{}: {}", image.key, said(&image.state_message)?)));
        images.collect::<Vec<_>>().join("; ")
    };
    said(&service.state_message).unwrap_or_else(of_images)
}

fn too_late(last: &Service, id: &str, timeout: Duration) -> Failure {
    let state = if last.state.is_empty() { "unknown".to_owned() } else { last.state.clone() };
    let message = Some(message(last)).filter(|text| !text.is_empty()).map(|text| format!(" ({text})"));
    Failure::TimedOut { after: timeout, state, message: message.unwrap_or_default(), id: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Replicas;

    fn image(key: &str, state: &str, running: u64, replicas: u64, message: &str) -> Image {
        let state_message = Some(message.to_owned()).filter(|text| !text.is_empty());
        Image {
            key: key.into(),
            state: state.into(),
            running,
            replicas: Replicas::Count(replicas),
            state_message,
            ..Image::default()
        }
    }

    #[test]
    fn only_news_are_told_and_aligned() {
        let mut told = Told::new(Paint::off());
        let mut service = Service {
            images: vec![
                image("vision", "INSTANTIATING", 1, 3, "starting"),
                image("db", "RUNNING", 1, 1, ""),
            ],
            ..Service::default()
        };
        assert_eq!(told.lines(&service), ["  vision  INSTANTIATING 1/3  starting", "  db      RUNNING"]);
        assert!(told.lines(&service).is_empty());
        service.images[0] = image("vision", "RUNNING", 3, 3, "");
        assert_eq!(told.lines(&service), ["  vision  RUNNING 3/3"]);
    }

    #[test]
    fn what_an_error_is_about_is_taken_from_the_images_when_the_service_is_silent() {
        let images = vec![image("a", "ERROR", 0, 1, "exited with code 3"), image("b", "RUNNING", 1, 1, "")];
        let service = Service { images, ..Service::default() };
        assert_eq!(message(&service), "a: exited with code 3");
        let service = Service { state_message: Some("all lost".into()), ..service };
        assert_eq!(message(&service), "all lost");
    }

    #[test]
    fn too_late_says_how_it_is_and_where_to_look() {
        let service =
            Service { state: "INITIAL".into(), state_message: Some("no gpu".into()), ..Service::default() };
        insta::assert_snapshot!(too_late(&service, "0198", Duration::from_secs(60)), @r"after 60s the service is INITIAL (no gpu); it goes on without this command: `motey service show 0198`");
    }
}
