//! Every blueprint that we show anywhere is one that this version reads.

use std::path::{Path, PathBuf};

use motey_blueprint::{Blueprint, parse};
use motey_core::spec::{Format, Ready, Replicas, Run};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> Blueprint {
    let path = repository().join("examples/blueprints").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse(Format::Yaml, &bytes).unwrap_or_else(|refused| panic!("{name}:\n{refused}"))
}

#[test]
fn every_example_is_read() {
    let files = std::fs::read_dir(repository().join("examples/blueprints")).expect("the examples");
    let names: Vec<_> =
        files.map(|file| file.expect("a file").file_name().into_string().expect("UTF-8")).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names.iter().filter(|name| name.ends_with(".yaml")) {
        assert!(!read(name).spec.images.is_empty(), "{name}");
    }
}

#[test]
fn the_examples_show_what_their_names_say() {
    assert_eq!(read("hello.yaml").spec.images[0].engines[0].as_str(), "process");
    assert_eq!(read("two-images.yaml").spec.images.len(), 2);
    assert_eq!(read("replicas.yaml").spec.images[0].replicas, Replicas::Count(3));
    assert_eq!(read("every-node.yaml").spec.images[0].replicas, Replicas::EveryNode);
    assert_eq!(read("job.yaml").spec.images[0].run, Run::Job);
    let in_order = read("in-order.yaml").spec;
    let after: Vec<_> =
        in_order.images.iter().flat_map(|image| &image.after).map(|(_, ready)| *ready).collect();
    assert_eq!(after, [Ready::Healthy, Ready::Completed]);
    let ports = read("ports.yaml").spec;
    assert_eq!(ports.images[1].uses[0].endpoint(), "broker:21883");
    let thesis = read("thesis-2017.yaml");
    assert_eq!(thesis.name.as_str(), "quality-control");
    assert_eq!(thesis.spec.images[0].key.as_str(), "collector");
}

/// Blocks marked `yaml` or `json` in the reference are whole blueprints.
#[test]
fn every_blueprint_in_the_reference_is_read() {
    let text = std::fs::read_to_string(repository().join("docs/blueprint.md")).expect("the reference");
    let mut read = 0;
    for (format, mark) in [(Format::Yaml, "```yaml\n"), (Format::Json, "```json\n")] {
        for block in text.split(mark).skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            parse(format, block.as_bytes()).unwrap_or_else(|refused| panic!("{block}\n{refused}"));
            read += 1;
        }
    }
    assert!(read >= 3, "{read} blocks");
}
