//! Needs and neighbours that cannot be.

use insta::assert_snapshot;

use crate::{json, yaml};

/// The mistakes in the needs of an image, listed from line 5 on.
fn needs(lines: &str) -> String {
    yaml(&format!("service_name: x\nimages:\n  - name: a\n    capabilities:\n{lines}"))
}

#[test]
fn comparisons() {
    assert_snapshot!(needs(r#"
      - { capability: memory, size: { ge: 512m } }
      - { capability: memory, size: 512 MB }
      - { capability: cpu, size: { gt: 0.0001 } }
      - { capability: camera, width: { ge: 1920px, above: 3, lt: [] } }
      - { capability: camera, width: {} }
      - { capability: camera, width: { range: [1] }, height: { range: [3, 2] } }
      - { capability: camera, width: { range: 3 }, height: { in: [] } }
      - { capability: camera, vendor: { in: [a, {}] } }
      - { capability: camera, widht: 1920 }
      - { capability: camera, angle: { gt: -010, lt: 99999999999999999999 } }
      - { capability: camera, bus: { eq: "${x}" } }
"#), @r#"
    value 6:43 images[0].capabilities[0].size.ge: the unit "m" is ambiguous: write MB (10⁶) or MiB (2²⁰)
    type 7:37 images[0].capabilities[1].size: must be a map with comparisons such as `{ ge: 512 MB }`, is 512 MB
    value 8:40 images[0].capabilities[2].size.gt: "0.0001" is not a whole number of millicores
    value 9:44 images[0].capabilities[3].width.ge: "1920px" is not a whole number such as `3`, or one of bytes such as `512 MB`
    unknown 9:52 images[0].capabilities[3].width.above: the key "above" is not known: in a comparison there may be `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `range`, `in`, `matches` or `version`
    type 9:66 images[0].capabilities[3].width.lt: must be text, is a list
    value 10:38 images[0].capabilities[4].width: compares with nothing: write a comparison such as `{ ge: 512 MB }`
    value 11:47 images[0].capabilities[5].width.range: must be two numbers, the least and the most: `[1 GB, 4 GB]`
    value 11:71 images[0].capabilities[5].height.range: "3" is more than "2": write the least first
    type 12:47 images[0].capabilities[6].width.range: must be a list, is 3
    value 12:66 images[0].capabilities[6].height.in: names no value: write those that will do
    type 13:49 images[0].capabilities[7].vendor.in[1]: must be text, is a map
    unknown 14:31 images[0].capabilities[8].widht: the key "widht" is not known: in an entry of `capabilities` there may be `capability`, `type`, `amount`, `label`, `is`, `any`, `all`, `not`, `size` or `version`
    value 15:44 images[0].capabilities[9].angle.gt: "010" could be read as octal: write `10`
    value 15:54 images[0].capabilities[9].angle.lt: "99999999999999999999" is too large
    value 16:43 images[0].capabilities[10].bus.eq: "${x}": `${` is reserved, nothing is replaced yet: write `$${` for the characters `${`
    "#);
}

#[test]
fn versions_and_patterns() {
    assert_snapshot!(needs(&format!(r#"
      - {{ capability: docker, version: ">= 2.4, < " }}
      - {{ capability: docker, version: latest }}
      - {{ capability: docker, version: "> 2 4" }}
      - {{ capability: docker, version: [2] }}
      - {{ capability: kernel, release: {{ version: ">=" }} }}
      - {{ capability: camera, model: {{ matches: [] }} }}
      - {{ capability: camera, model: {{ matches: {} }} }}
"#, "x".repeat(257))), @r#"
    value 6:40 images[0].capabilities[0].version: ">= 2.4, < " is not a range of versions such as `>= 2.4, < 3`
    value 7:40 images[0].capabilities[1].version: "latest" is not a range of versions such as `>= 2.4, < 3`
    value 8:40 images[0].capabilities[2].version: "> 2 4" is not a range of versions such as `>= 2.4, < 3`
    type 9:40 images[0].capabilities[3].version: must be text, is a list
    value 10:51 images[0].capabilities[4].release.version: ">=" is not a range of versions such as `>= 2.4, < 3`
    type 11:49 images[0].capabilities[5].model.matches: must be text, is a list
    limit 12:49 images[0].capabilities[6].model.matches: has more than 256 characters: shorten it with `*`
    "#);
}

#[test]
fn what_does_not_go_together() {
    assert_snapshot!(needs(r#"
      - { capability: memory, amount: 1 GB, not: true }
      - { capability: gpu, not: 1 }
      - { capability: gpu, label: line }
      - { capability: gpu, is: 7 }
      - { label: line, amount: 3, width: { ge: 3 } }
      - { label: line, is: [] }
      - { any: [zigbee], type: hardware }
      - { any: [], all: [] }
      - { all: zigbee }
      - { not: true }
      - { is: 7 }
"#), @r#"
    value 6:39 images[0].capabilities[0].amount: `amount` takes something, and `not` wants nothing to be there: drop one of them
    type 7:33 images[0].capabilities[1].not: must be `true` or `false`, is 1
    value 8:35 images[0].capabilities[2].label: "label" says nothing beside `capability`: make it an entry of its own
    value 9:32 images[0].capabilities[3].is: `is` compares a `label`; a property is compared as in `width: { eq: 1920 }`
    value 10:32 images[0].capabilities[4].amount: "amount" says nothing beside `label`: make it an entry of its own
    value 10:42 images[0].capabilities[4].width: "width" says nothing beside `label`: make it an entry of its own
    value 11:28 images[0].capabilities[5].is: names no value: write those that will do
    value 12:32 images[0].capabilities[6].type: "type" says nothing beside `any`: make it an entry of its own
    value 13:16 images[0].capabilities[7].any: asks for nothing: name what is needed, or leave it out
    value 13:25 images[0].capabilities[7].all: "all" says nothing beside `any`: make it an entry of its own
    type 14:16 images[0].capabilities[8].all: must be a list, is zigbee
    missing 15:9 images[0].capabilities[9].capability: `capability` is missing: add it
    missing 16:9 images[0].capabilities[10].capability: `capability` is missing: add it
    value 16:15 images[0].capabilities[10].is: `is` compares a `label`; a property is compared as in `width: { eq: 1920 }`
    "#);
}

#[test]
fn duplicates_and_bounds() {
    assert_snapshot!(needs("
      - { capability: camera, width: { ge: 1920 } }
      - { capability: camera, width: { ge: 1080 } }
      - { capability: camera, width: { ge: 1920 } }
      - any: [zigbee, zwave, zigbee]
"), @r#"
    duplicate 8:9 images[0].capabilities[2]: the capability "camera" is here twice: keep one
    duplicate 9:30 images[0].capabilities[3].any[2]: the capability "zigbee" is here twice: keep one
    "#);
    let deep = format!("      - {}zigbee{}\n", "{ any: [".repeat(8), "] }".repeat(8));
    assert_snapshot!(needs(&deep), @"limit 5:72 images[0].capabilities[0].any[0].any[0].any[0].any[0].any[0].any[0].any[0].any: needs stand inside each other more than 8 deep: flatten them");
    let many: String = (0..257).map(|n| format!("      - cap-{n}\n")).collect();
    assert_snapshot!(needs(&many), @"limit 5:7 images[0].capabilities: 257 capabilities are named here and 256 are allowed: ask for fewer");
}

#[test]
fn json_has_its_own_types() {
    assert_snapshot!(json(r#"
{"service_name": "x", "images": [{"name": "a", "capabilities": [
  {"capability": "gpu", "not": "true"},
  {"capability": "memory", "size": {"ge": null}},
  {"label": 7, "is": 7}
]}]}"#), @r#"
    type 2:32 images[0].capabilities[0].not: must be `true` or `false`, is the text "true"
    type 3:43 images[0].capabilities[1].size.ge: must be text, is empty
    type 4:13 images[0].capabilities[2].label: must be text, is 7: put it in double quotes
    "#);
}

#[test]
fn neighbours() {
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: web, near: [wbe, log, log], apart: log}
  - {name: log, near: log, apart: [A, {}]}
  - {name: db, near: {db: true}, apart: db}
  - {name: batch, apart: [nothing-like-it]}
"), @r#"
    duplicate 3:34 images[0].near[2]: the image `log` is here twice: keep one
    value 4:36 images[1].apart[0]: "A" is not a valid image key: 1 to 40 of a-z, 0-9 and -
    type 4:39 images[1].apart[1]: must be an image's key or a list of them, is a map
    type 5:22 images[2].near: must be an image's key or a list of them, is a map
    "#);
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: web, near: [wbe, log], apart: log}
  - {name: log, near: log}
  - {name: batch, apart: [nothing-like-it]}
"), @r"
    unknown 3:24 images[0].near[0]: the service has no image `wbe`: did you mean `web`?
    value 3:29 images[0].near[1]: it cannot be near this image and apart from it: drop one of them
    value 4:23 images[1].near: an image is near itself already: `apart` could name it
    unknown 5:27 images[2].apart[0]: the service has no image `nothing-like-it`: name the `key` of another image
    ");
}
