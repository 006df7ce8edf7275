//! What is wrong with `health`.

use insta::assert_snapshot;

use crate::yaml;

#[test]
fn a_check_says_what_is_tried_and_how_often() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - { name: a, health: {} }
  - { name: b, health: { tcp: 80, http: { port: 80 } } }
  - { name: c, health: { tcp: 0, interval: 500ms, timeout: 2, retries: 0, start: 2h } }
  - { name: d, health: { http: { path: ready } } }
  - { name: e, health: { http: 80, retires: 3 } }
"#), @r#"
    missing 3:24 images[0].health: says nothing that could be checked: add `tcp: PORT` or `http: { port: PORT, path: /PATH }`
    duplicate 4:41 images[1].health.http: an instance is checked in one way: keep `tcp` or `http`
    value 5:31 images[2].health.tcp: 0 is not a port: write 1 to 65535
    value 5:44 images[2].health.interval: "500ms" is not possible: write 1s to 3600s
    value 5:60 images[2].health.timeout: "2" is not a time with its unit such as `10s`, `500ms`, `2m` or `1h`
    value 5:72 images[2].health.retries: 0 failures in a row are not possible: write 1 to 100
    value 5:82 images[2].health.start: "2h" is not possible: write 0s to 3600s
    missing 6:32 images[3].health.http.port: `port` is missing: add it
    value 6:40 images[3].health.http.path: "ready" is not a path: it begins with `/`, has up to 1024 bytes of ASCII and no spaces: encode others as `%20`
    type 7:32 images[4].health.http: must be a map, is 80
    unknown 7:36 images[4].health.retires: the key "retires" is not known: did you mean `retries`?
    "#);
}
