//! Two processes that the tests need as real ones: `shim …` is what `motey shim` runs; `host STATE_DIR NODE NAME PROGRAM ARGUMENT…`
//! makes and starts an instance, says so, and waits to be killed.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::process::ExitCode;

use motey_plugin_api::{CreateRequest, HostInfo, InstanceRef};
use motey_plugin_process::client::Engine;
use motey_plugin_process::convert::Settings;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(|verb| verb.to_str()) {
        Some("shim") => motey_process_shim::main(args),
        Some("host") => host(args.filter_map(|text| text.into_string().ok()).collect()),
        _ => ExitCode::from(2),
    }
}

fn host(args: Vec<String>) -> ExitCode {
    let [state_dir, node, name, image, command @ ..] = args.as_slice() else { return ExitCode::from(2) };
    let motey_exe = std::env::current_exe().unwrap_or_default();
    let info = HostInfo { motey_exe, state_dir: state_dir.into(), node: node.clone(), ..HostInfo::default() };
    let request = CreateRequest {
        name: name.clone(),
        labels: [("motey.node".to_owned(), node.clone())].into(),
        image: image.clone(),
        command: command.to_vec(),
        environment: Default::default(),
        working_dir: None,
        stop_signal: None,
        stop_grace_ms: 1000,
        mounts: Vec::new(),
        ports: Vec::new(),
        devices: Vec::new(),
    };
    let started = Engine::new(&info, Settings::default()).and_then(|engine| {
        engine.create(request).and_then(|_| engine.start(&InstanceRef { name: name.clone() }))
    });
    match started {
        Ok(_) => println!("started"),
        Err(error) => println!("{error}"),
    }
    let _ = std::io::stdout().flush();
    let _ = std::io::stdin().read(&mut [0]);
    ExitCode::SUCCESS
}
