//! `motey service list | show | blueprint`, and the rows they show. Nothing is changed here.

use std::io::Write;

use super::find;
use crate::api::{Image, Instance, Port, Service};
use crate::args::{Format, Named, One, Shown};
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

/// All services.
pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let answer = find::services(session).await?;
    output::list::<Service>(&mut session.out, shown.output, "GET /v1/service", &answer)
}

/// One service: what it is, its images, their instances.
pub async fn show(session: &mut Session, args: &One) -> Result<(), Failure> {
    let path = format!("/v1/service/{}", find::id(session, &args.named.service).await?);
    let answer = session.client.get(&path).await?;
    match args.shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, args.shown.output, &answer),
        Format::Name => {
            let service: Service = output::read(&path, &answer)?;
            Ok(writeln!(session.out, "{}", output::clean(&service.service_name))?)
        }
        format => {
            let service: Service = output::read(&path, &answer)?;
            Ok(describe(&mut session.out, &service, format == Format::Wide)?)
        }
    }
}

fn describe(out: &mut dyn Write, service: &Service, wide: bool) -> std::io::Result<()> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    output::fields(
        out,
        &[
            ("name", service.service_name.clone()),
            ("id", service.id.clone()),
            ("wanted", service.desired.clone()),
            ("state", service.state.clone()),
            ("because", text(&service.state_message)),
            ("reason", text(&service.reason)),
            ("revision", service.revision.to_string()),
            ("durability", service.durability.clone()),
        ],
    )?;
    writeln!(out)?;
    output::table(out, &service.images, wide)?;
    let instances: Vec<Instance> = service.images.iter().flat_map(|image| image.instances.clone()).collect();
    if instances.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    output::table(out, &instances, wide)
}

/// The blueprint, byte for byte as it was sent.
pub async fn blueprint(session: &mut Session, named: &Named) -> Result<(), Failure> {
    let id = find::id(session, &named.service).await?;
    let bytes = session.client.bytes(&format!("/v1/service/{id}/blueprint")).await?;
    session.out.write_all(&bytes)?;
    Ok(session.out.flush()?)
}

impl Row for Service {
    const HEAD: &'static [&'static str] = &["NAME", "STATE", "RUNNING", "ID", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["WANTED", "REVISION", "REASON", "IMAGES"];

    fn cells(&self) -> Vec<String> {
        let (running, slots) =
            self.images.iter().fold((0, 0), |sum, image| (sum.0 + image.running, sum.1 + image.slots()));
        vec![
            self.service_name.clone(),
            self.state.clone(),
            format!("{running}/{slots}"),
            self.id.clone(),
            self.state_message.clone().unwrap_or_default(),
        ]
    }

    fn more(&self) -> Vec<String> {
        let images: Vec<&str> = self.images.iter().map(|image| image.key.as_str()).collect();
        let reason = self.reason.clone().unwrap_or_default();
        vec![self.desired.clone(), self.revision.to_string(), reason, images.join(",")]
    }

    fn name(&self) -> String {
        self.service_name.clone()
    }
}

impl Row for Image {
    const HEAD: &'static [&'static str] = &["IMAGE", "STATE", "RUNNING", "ENGINE", "NAME", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["REASON", "NODE", "PORTS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.clone(),
            self.state.clone(),
            format!("{}/{}", self.running, self.slots()),
            self.engine.clone().unwrap_or_default(),
            self.name.clone(),
            self.state_message.clone().unwrap_or_default(),
        ]
    }

    fn more(&self) -> Vec<String> {
        let port = |(name, port): (&String, &Port)| format!("{name}:{}/{}", port.host, port.protocol);
        let ports: Vec<String> = self.parameters.ports.iter().map(port).collect();
        vec![self.reason.clone().unwrap_or_default(), self.node.clone().unwrap_or_default(), ports.join(" ")]
    }

    fn name(&self) -> String {
        self.key.clone()
    }
}

impl Row for Instance {
    const HEAD: &'static [&'static str] = &["SLOT", "STATE", "RESTARTS", "INSTANCE", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["ENGINE", "NODE", "FENCE", "REASON"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.slot.clone(),
            self.state.clone(),
            self.restarts.to_string(),
            self.name.clone().unwrap_or_default(),
            self.state_message.clone().unwrap_or_default(),
        ]
    }

    fn more(&self) -> Vec<String> {
        [&self.engine, &self.node, &self.fence, &self.reason]
            .map(|value| value.clone().unwrap_or_default())
            .into()
    }

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.slot.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_described_with_its_images_and_instances() {
        let service: Service = serde_json::from_value(serde_json::json!({
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "service_name": "quality", "desired": "running",
            "state": "INSTANTIATING", "state_message": "vision is starting", "reason": null, "revision": 1,
            "durability": "1 of 1 holder", "_links": {},
            "images": [{
                "key": "vision", "name": "/bin/vision", "engine": "process", "node": "n1", "state": "INSTANTIATING",
                "state_message": "starting", "reason": null, "replicas": 2, "running": 1,
                "instances": [
                    {"slot": "vision/0", "name": "quality-vision-0-3f9a81c04e", "state": "RUNNING", "restarts": 0},
                    {"slot": "vision/1", "name": null, "state": "INSTANTIATING", "state_message": "starting",
                     "restarts": 2},
                ],
            }],
        }))
        .expect("a service");
        let mut out = Vec::new();
        describe(&mut out, &service, false).expect("written");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        name:        quality
        id:          01890a5d-ac96-774b-bcce-b302099a8057
        wanted:      running
        state:       INSTANTIATING
        because:     vision is starting
        revision:    1
        durability:  1 of 1 holder

        IMAGE   STATE          RUNNING  ENGINE   NAME         MESSAGE
        vision  INSTANTIATING  1/2      process  /bin/vision  starting

        SLOT      STATE          RESTARTS  INSTANCE                     MESSAGE
        vision/0  RUNNING        0         quality-vision-0-3f9a81c04e  -
        vision/1  INSTANTIATING  2         -                            starting
        ");
    }
}
