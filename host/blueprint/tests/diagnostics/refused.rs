//! What is understood and not built yet: refused by its own name.

use insta::assert_snapshot;

use crate::yaml;

#[test]
fn parameters_are_refused_by_name() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    parameters:
      devices: [/dev/ttyUSB0]
      files: { /etc/app.toml: "a = 3" }
      limits: { memory: 128 MB }
      user: nobody
      hostname: h
      entrypoint: [/bin/sh]
      tmpfs: [/tmp]
      read_only: true
      cap_add: [NET_ADMIN]
      cap_drop: [ALL]
      init: true
      log: { size: 1 MB }
      labels: { a: b }
      pull: always
"#), @r"
    unsupported 5:7 images[0].parameters.devices: `devices` is not built yet: this version cannot hand devices to an instance
    unsupported 6:7 images[0].parameters.files: `files` is not built yet: this version cannot bring files into an instance
    unsupported 7:7 images[0].parameters.limits: `limits` is not built yet: this version cannot limit what an instance uses
    unsupported 8:7 images[0].parameters.user: `user` is not built yet: this version cannot start an instance as another user
    unsupported 9:7 images[0].parameters.hostname: `hostname` is not built yet: this version cannot set a host name
    unsupported 10:7 images[0].parameters.entrypoint: `entrypoint` is not built yet: this version cannot replace an image's entry point: only its `command`
    unsupported 11:7 images[0].parameters.tmpfs: `tmpfs` is not built yet: this version cannot mount memory file systems
    unsupported 12:7 images[0].parameters.read_only: `read_only` is not built yet: this version cannot make an instance's file system read-only
    unsupported 13:7 images[0].parameters.cap_add: `cap_add` is not built yet: this version cannot add kernel capabilities
    unsupported 14:7 images[0].parameters.cap_drop: `cap_drop` is not built yet: this version cannot drop kernel capabilities
    unsupported 15:7 images[0].parameters.init: `init` is not built yet: this version cannot put an init process into an instance
    unsupported 16:7 images[0].parameters.log: `log` is not built yet: this version cannot configure an instance's log
    unsupported 17:7 images[0].parameters.labels: `labels` is not built yet: this version cannot set labels of your own
    unsupported 18:7 images[0].parameters.pull: `pull` is not built yet: this version cannot choose when an image is pulled
    ");
}

#[test]
fn what_is_refused_is_checked_for_shape() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    uses: broker
    health: 3
    run: forever
    on_capability_loss: kep
    parameters: { ports: 80, user: [x], read_only: "yes", labels: , entrypoint: {} }
on_node_loss: never
"#), @r#"
    type 4:11 images[0].uses: must be a list, is broker
    type 5:13 images[0].health: must be a map, is 3
    value 6:10 images[0].run: "forever" is not possible: write `service` or `job`
    value 7:25 images[0].on_capability_loss: "kep" is not possible (did you mean `keep`?): write `keep`, `stop` or `move`
    type 8:26 images[0].parameters.ports: must be a map such as `{ http: { container: 80, host: 8080 } }`, or a list of `8080:80`, is 80
    unsupported 8:30 images[0].parameters.user: `user` is not built yet: this version cannot start an instance as another user
    type 8:36 images[0].parameters.user: must be text, is a list
    unsupported 8:41 images[0].parameters.read_only: `read_only` is not built yet: this version cannot make an instance's file system read-only
    type 8:52 images[0].parameters.read_only: must be `true` or `false`, is the text "yes"
    unsupported 8:59 images[0].parameters.labels: `labels` is not built yet: this version cannot set labels of your own
    type 8:59 images[0].parameters.labels: must be a list or a map, is empty
    unsupported 8:69 images[0].parameters.entrypoint: `entrypoint` is not built yet: this version cannot replace an image's entry point: only its `command`
    type 8:81 images[0].parameters.entrypoint: must be text or a list, is a map
    value 9:15 on_node_loss: "never" is not possible: write `reschedule` or `wait`
    "#);
}

#[test]
fn keywords_of_2017_that_are_not_built() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    engine: docker
    parameters:
      publish_all_ports: true
      mem_limit: 128m
      restart_policy: { Name: always }
      network_mode: host
      privileged: true
      tty: true
      detach: false
      remove: maybe
      image: b
"), @r"
    unsupported 6:7 images[0].parameters.publish_all_ports: `publish_all_ports` is not built yet: this version cannot configure an instance's network
    unsupported 7:7 images[0].parameters.mem_limit: `mem_limit` is not built yet: this version cannot limit what an instance uses (`limits` will)
    unsupported 8:7 images[0].parameters.restart_policy: `restart_policy` is not read: write `restart: always`, `on-failure` or `never` beside `parameters`
    unsupported 9:7 images[0].parameters.network_mode: `network_mode` is not built yet: this version cannot configure an instance's network
    unsupported 10:7 images[0].parameters.privileged: `privileged` is not built yet: this version cannot change an instance's rights and isolation
    unsupported 11:7 images[0].parameters.tty: `tty` is not built yet: this version cannot attach a terminal or an input to an instance
    type 12:15 images[0].parameters.detach: must be `true` (Motey starts everything in the background), is false
    type 13:15 images[0].parameters.remove: must be `true` or `false`, is maybe
    unsupported 14:7 images[0].parameters.image: `image` is not read: write the image as `name` beside `parameters`
    ");
}
