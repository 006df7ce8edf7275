//! `motey status`: one look at the node: what it is, how loaded it is, how its services and plugins are.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{find, node, plugin};
use crate::api::{Node, Plugin, Service};
use crate::args::{Format, Shown};
use crate::client::ClientError;
use crate::exit::Failure;
use crate::output;
use crate::session::Session;

const PATH: &str = "/v1/nodestatus";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Load {
    cpu: Cpu,
    memory: Room,
    disk: Room,
    uptime_seconds: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cpu {
    cores: u64,
    percent: f64,
    load: Vec<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Room {
    total: u64,
    used: u64,
    percent: f64,
}

/// As JSON it is the four answers that it is made of.
pub async fn show(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let status = json!({
        "nodes": session.client.get(node::PATH).await?,
        "nodestatus": session.client.get(PATH).await?,
        "services": find::services(session).await?,
        "plugins": session.client.get(plugin::PATH).await?,
    });
    match shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, shown.output, &status),
        Format::Name => {
            Ok(writeln!(session.out, "{}", output::clean(&output::cell(&status["nodes"][0]["name"])))?)
        }
        Format::Table | Format::Wide => describe(&mut session.out, &status),
    }
}

fn describe(out: &mut dyn Write, status: &Value) -> Result<(), Failure> {
    let load: Load = output::read(PATH, &status["nodestatus"])?;
    let (name, version, engines) = own_node(status)?;
    output::fields(
        out,
        &[
            ("node", name),
            ("version", version),
            ("engines", engines),
            ("machine up", uptime(load.uptime_seconds)),
            ("cpu", cpu(&load.cpu)),
            ("memory", room(&load.memory)),
            ("disk", room(&load.disk)),
            ("services", services(status)?),
            ("plugins", plugins(status)?),
        ],
    )?;
    Ok(())
}

fn own_node(status: &Value) -> Result<(String, String, String), ClientError> {
    let nodes: Vec<Node> = output::read(node::PATH, &status["nodes"])?;
    let own = nodes.into_iter().next().unwrap_or_default();
    let engines = own.engines.iter().map(|engine| match (engine.up, &engine.message) {
        (true, _) => engine.name.clone(),
        (false, Some(message)) => format!("{} (down: {message})", engine.name),
        (false, None) => format!("{} (down)", engine.name),
    });
    let engines = engines.collect::<Vec<_>>().join(", ");
    Ok((format!("{} ({})", own.name, own.id), own.version, engines))
}

fn services(status: &Value) -> Result<String, ClientError> {
    let services: Vec<Service> = output::read("GET /v1/service", &status["services"])?;
    Ok(counted(services.iter().map(|service| service.state.as_str())))
}

fn plugins(status: &Value) -> Result<String, ClientError> {
    let plugins: Vec<Plugin> = output::read(plugin::PATH, &status["plugins"])?;
    Ok(counted(plugins.iter().map(|plugin| plugin.state.as_str())))
}

/// `3: 2 RUNNING, 1 ERROR`
fn counted<'s>(states: impl Iterator<Item = &'s str>) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    states.for_each(|state| *counts.entry(state).or_default() += 1);
    let total: usize = counts.values().sum();
    let parts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if total == 0 { "none".to_owned() } else { format!("{total}: {}", parts.join(", ")) }
}

fn cpu(cpu: &Cpu) -> String {
    let load: Vec<String> = cpu.load.iter().map(|load| format!("{load:.2}")).collect();
    format!("{:.1} % of {} cores, load {}", cpu.percent, cpu.cores, load.join(" "))
}

fn room(room: &Room) -> String {
    format!("{} of {} used ({:.1} %)", output::bytes(room.used), output::bytes(room.total), room.percent)
}

fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    if days > 0 { format!("{days} d {hours} h") } else { format!("{hours} h {minutes} min") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_at_a_glance() {
        let status = json!({
            "nodes": [{"id": "n1", "name": "line-7", "version": "0.1.0", "engines": [
                {"name": "process", "up": true}, {"name": "docker", "up": false, "message": "no socket"},
            ]}],
            "nodestatus": {"cpu": {"cores": 4, "percent": 12.5, "load": [0.5, 0.25, 0.1]},
                "memory": {"total": 1_073_741_824_u64, "used": 536_870_912, "percent": 50.0},
                "disk": {"total": 0, "used": 0, "percent": 0.0}, "uptime_seconds": 93_600},
            "services": [{"state": "RUNNING"}, {"state": "ERROR"}, {"state": "RUNNING"}],
            "plugins": [],
        });
        let mut out = Vec::new();
        describe(&mut out, &status).expect("written");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        node:        line-7 (n1)
        version:     0.1.0
        engines:     process, docker (down: no socket)
        machine up:  1 d 2 h
        cpu:         12.5 % of 4 cores, load 0.50 0.25 0.10
        memory:      512.0 MiB of 1.0 GiB used (50.0 %)
        disk:        0 B of 0 B used (0.0 %)
        services:    3: 1 ERROR, 2 RUNNING
        plugins:     none
        ");
    }
}
