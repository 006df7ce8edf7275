//! Images that share a node, and images that must not.

use motey_core::project::State;
use motey_core::spec::{ImageSpec, Neighbours};
use motey_core::step::Request;

use crate::blueprint::{deploy, image, image_key, service, times};
use crate::node::Lab;

fn apart(from: &str, image: ImageSpec) -> ImageSpec {
    ImageSpec { neighbours: Neighbours { apart: [image_key(from)].into(), ..Neighbours::default() }, ..image }
}

fn near(to: &str, image: ImageSpec) -> ImageSpec {
    ImageSpec { neighbours: Neighbours { near: [image_key(to)].into(), ..Neighbours::default() }, ..image }
}

#[test]
fn images_that_keep_apart_are_not_on_one_node() {
    let mut lab = Lab::new();
    lab.ask(deploy(service(1), [image("web"), apart("web", image("batch"))]));
    lab.rest();
    let status = lab.status(service(1));
    let states: Vec<State> = status.images.iter().map(|image| image.state).collect();
    assert_eq!(states, [State::Running, State::Initial]);
    let why = status.images[1].reason.as_ref().map(|reason| reason.text.as_str());
    assert_eq!(why, Some("batch keeps apart from web-0, which is on fog-1"));
    lab.ask(Request::Scale { id: service(1), image: image_key("web"), count: 0 });
    lab.rest();
    assert_eq!(lab.status(service(1)).images[1].running, 1, "the place is its own now");
}

#[test]
fn slots_of_one_image_keep_apart_from_each_other() {
    let mut lab = Lab::new();
    lab.ask(deploy(service(1), [apart("web", times(2, image("web")))]));
    lab.rest();
    assert_eq!(lab.status(service(1)).images[0].running, 1);
}

#[test]
fn images_that_are_near_are_on_one_node() {
    let mut lab = Lab::new();
    lab.ask(deploy(service(1), [times(2, image("web")), near("web", image("log"))]));
    lab.rest();
    assert_eq!(lab.status(service(1)).state, State::Running);
}
