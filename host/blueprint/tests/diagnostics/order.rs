//! Jobs that do not end, and images that would come after each other.

use insta::assert_snapshot;

use crate::{json, yaml};

#[test]
fn a_job_is_not_started_for_ever() {
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: a, run: job, restart: always}
  - {name: b, run: jbo}
  - {name: c, run: job, restart: sometimes}
"), @r#"
    value 3:34 images[0].restart: a job that has done its work is not started again: write `on-failure` or `never`, or leave `restart` out
    value 4:20 images[1].run: "jbo" is not possible (did you mean `job`?): write `service` or `job`
    value 5:34 images[2].restart: "sometimes" is not possible: write `always`, `on-failure` or `never`
    "#);
}

#[test]
fn what_comes_first() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - {name: a, depends_on: b}
  - {name: b, depends_on: [a, A, a, {}]}
  - {name: c, depends_on: {a: running, B: started, b: }}
"#), @r#"
    type 3:27 images[0].depends_on: must be a list of image keys, or a map such as `{ db: healthy }`, is b
    value 4:31 images[1].depends_on[1]: "A" is not a valid image key: 1 to 40 of a-z, 0-9 and -
    duplicate 4:34 images[1].depends_on[2]: the image `a` is here twice: keep one
    type 4:37 images[1].depends_on[3]: must be an image's key or a list of them, is a map
    value 5:31 images[2].depends_on.a: "running" is not possible: write `started`, `healthy` or `completed`
    value 5:40 images[2].depends_on.B: "B" is not a valid image key: 1 to 40 of a-z, 0-9 and -
    type 5:52 images[2].depends_on.b: must be text, is empty
    "#);
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: web, depends_on: {bd: healthy, db: completed, once: completed}}
  - {name: db, depends_on: [db, nothing-like-it]}
  - {name: once, run: job}
"), @r"
    unknown 3:34 images[0].depends_on.bd: the service has no image `bd`: did you mean `db`?
    value 3:47 images[0].depends_on.db: `db` never completes, it runs for ever: give it `run: job`, or wait until it is `started` or `healthy`
    value 4:29 images[1].depends_on[0]: an image cannot come after itself: name another one, or drop it
    unknown 4:33 images[1].depends_on[1]: the service has no image `nothing-like-it`: name the `key` of another image
    ");
}

#[test]
fn images_in_a_ring() {
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: z, depends_on: [a]}
  - {name: a, depends_on: [b]}
  - {name: b, depends_on: {free: started, c: healthy}}
  - {name: c, depends_on: [a, b]}
  - {name: free}
  - {name: e, depends_on: [f]}
  - {name: f, depends_on: [e]}
"), @r"
    value 4:28 images[1].depends_on[0]: `a` comes after `b` after `c` after `a`: none of them could be the first, drop one of these
    value 8:28 images[5].depends_on[0]: `e` comes after `f` after `e`: none of them could be the first, drop one of these
    ");
    let image = |n: usize| format!("  - {{name: i{n}, depends_on: [i{}]}}\n", (n + 1) % 20);
    let ring: String = (0..20).map(image).collect();
    assert_snapshot!(yaml(&format!("service_name: x\nimages:\n{ring}")), @"value 3:29 images[0].depends_on[0]: `i0` comes after `i1` after `i2` after `i3` after `i4` after `i5` after `i6` after `i7` after `i8` after …: none of them could be the first, drop one of these");
}

#[test]
fn what_is_on_every_node_has_no_neighbours() {
    assert_snapshot!(json(r#"
{"service_name": "x", "images": [
  {"name": "agent", "replicas": "every-node", "near": "web"},
  {"name": "web", "apart": ["agent", "web"]}
]}"#), @r"
    unsupported 2:55 images[0].near: `agent` has a slot on every node: this version cannot place others by it, or it by others
    unsupported 3:29 images[1].apart[0]: `agent` has a slot on every node: this version cannot place others by it, or it by others
    ");
}
