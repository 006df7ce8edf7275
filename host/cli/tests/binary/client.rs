//! The binary against a server over a real socket: what it asks, what it shows, what it ends with.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::stub::{self, Answer, Asked, Stub, motey, ran, text};
use serde_json::{Value, json};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const BLUEPRINT: &str =
    "service_name: quality\nimages:\n  - name: /bin/sleep\n    key: vision\n    engine: process\n";

fn service(state: &str, message: Option<&str>) -> Value {
    json!({
        "id": ID, "service_name": "quality", "desired": "running", "state": state, "state_message": message,
        "reason": null, "revision": 1, "proven": true, "durability": "1 of 1 holder",
        "images": [{"key": "vision", "name": "/bin/sleep", "state": state, "state_message": message,
                    "replicas": 1, "running": u8::from(state == "RUNNING"), "instances": []}],
    })
}

/// A daemon that takes one service and lets it go through `states`, the last one for ever.
fn daemon(states: &'static [&'static str]) -> Stub {
    let mut blueprint: Option<Vec<u8>> = None;
    let mut looks = 0;
    Stub::serve(move |Asked { method, path, body, .. }| match (method.as_str(), path.split('?').next()) {
        ("GET", Some("/v1/service")) => match &blueprint {
            Some(_) => stub::json(200, &json!([service(states[states.len() - 1], None)])),
            None => stub::json(200, &json!([])),
        },
        ("POST", Some("/v1/service")) => {
            blueprint = Some(body.clone());
            stub::json(201, &service("INITIAL", None))
        }
        ("PUT", Some(_)) => {
            blueprint = Some(body.clone());
            stub::json(202, &service("INSTANTIATING", None))
        }
        ("GET", Some(path)) if path.ends_with("/blueprint") => {
            let text = String::from_utf8(blueprint.clone().unwrap_or_default()).expect("text");
            Answer::Whole(200, "application/yaml", text)
        }
        _ => {
            looks += 1;
            let state = states[(looks - 1).min(states.len() - 1)];
            stub::json(200, &service(state, Some("slowly").filter(|_| state == "INSTANTIATING")))
        }
    })
}

#[test]
fn apply_deploys_once_and_tells_how_it_goes() {
    let daemon = daemon(&["INITIAL", "INSTANTIATING", "RUNNING"]);
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, out, err) = ran(daemon.motey(&["apply", "-f", text(&file)]));
    assert_eq!((code, out.as_str()), (0, format!("{ID}\n").as_str()), "{err}");
    assert_eq!(
        err,
        format!(
            "quality: accepted ({ID})\n  vision  INITIAL\n  vision  INSTANTIATING  slowly\n  vision  RUNNING\n"
        )
    );
    let posted: Vec<Asked> = daemon.asked().into_iter().filter(|asked| asked.method == "POST").collect();
    assert!(posted[0].path.starts_with("/v1/service?id=0"), "an id of its own: {}", posted[0].path);
    assert!(posted[0].headers.contains(&("content-type".into(), "application/yaml".into())));
    assert_eq!(posted[0].body, BLUEPRINT.as_bytes(), "byte for byte");

    let (code, _, err) = ran(daemon.motey(&["apply", "-f", text(&file)]));
    assert_eq!((code, err.lines().next()), (0, Some(format!("quality: unchanged ({ID})").as_str())));
    assert_eq!(
        daemon.asked().iter().filter(|asked| asked.method == "POST").count(),
        1,
        "nothing is posted twice"
    );

    let other = BLUEPRINT.replace("vision", "sight");
    let file = daemon.file("other.yaml", &other);
    let (code, out, err) = ran(daemon.motey(&["apply", "-f", text(&file)]));
    assert_eq!((code, out.as_str()), (0, format!("{ID}\n").as_str()), "{err}");
    assert_eq!(err.lines().next(), Some(format!("quality: updated ({ID})").as_str()));
    let put: Vec<Asked> = daemon.asked().into_iter().filter(|asked| asked.method == "PUT").collect();
    assert_eq!((put.len(), put[0].path.as_str()), (1, format!("/v1/service/{ID}").as_str()));
    assert_eq!(put[0].body, other.as_bytes(), "byte for byte");
    assert!(put[0].headers.contains(&("content-type".into(), "application/yaml".into())));
}

#[test]
fn apply_updates_the_service_that_is_meant() {
    let twin = ID.replace("8057", "8058");
    let mut second = service("RUNNING", None);
    second["id"] = twin.as_str().into();
    second["desired"] = "stopped".into();
    let (both, one) = (json!([service("RUNNING", None), second]), second);
    let daemon = Stub::serve(move |Asked { method, path, .. }| match method.as_str() {
        "GET" if path == "/v1/service" => stub::json(200, &both),
        "GET" if path.ends_with("/blueprint") => Answer::Whole(200, "application/yaml", "old".into()),
        "GET" if path.ends_with("8059") => stub::problem(404, "unknown-service", "no service has that id"),
        "POST" => stub::json(201, &one),
        _ => stub::json(202, &one),
    });
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, _, err) = ran(daemon.motey(&["apply", "-f", text(&file)]));
    assert_eq!(code, 1);
    assert!(err.contains("2 services are called") && err.contains(ID) && err.contains(&twin), "{err}");

    let (code, out, err) = ran(daemon.motey(&["apply", "--id", &twin, "-f", text(&file)]));
    assert_eq!((code, out), (0, format!("{twin}\n")), "{err}");
    assert_eq!(err, format!("quality: updated, and stopped; `motey service start {twin}` starts it\n"));

    let (code, _, err) = ran(daemon.motey(&["apply", "--must-fit", "--id", &twin, "-f", text(&file)]));
    assert_eq!(code, 2);
    assert!(err.contains("without --must-fit"), "{err}");

    let new = ID.replace("8057", "8059");
    let (code, _, err) = ran(daemon.motey(&["apply", "--id", &new, "-f", text(&file)]));
    assert_eq!(code, 0, "{err}");
    let changes: Vec<String> = daemon.lines().into_iter().filter(|line| !line.starts_with("GET")).collect();
    assert_eq!(changes, [format!("PUT /v1/service/{twin}"), format!("POST /v1/service?id={new}")]);
}

#[test]
fn a_node_is_told_what_to_take_on() {
    const NODE: &str = "01890a5d-ac96-774b-bcce-000000000001";
    let node = json!({"id": NODE, "name": "cell-7"});
    let daemon = Stub::serve(move |asked| match asked.method.as_str() {
        "GET" => stub::json(200, &json!([node])),
        _ if asked.path.ends_with("/forget") => stub::problem(404, "unknown-node", "no other node"),
        _ => stub::json(202, &node),
    });
    for (args, told) in [
        (&["cordon"] as &[&str], "cell-7: takes on nothing new\n"),
        (&["uncordon", "cell-7"], "cell-7: takes on whatever fits\n"),
        (&["drain", NODE], "cell-7: takes on nothing new; what it runs goes elsewhere where it can\n"),
    ] {
        let ended = ran(daemon.motey(&[&["node"], args].concat()));
        assert_eq!(ended, (0, String::new(), told.to_owned()));
        let path = format!("POST /v1/nodes/{NODE}/{}", args[0]);
        assert_eq!(daemon.lines().last(), Some(&path));
    }
    let (code, _, err) = ran(daemon.motey(&["node", "drain", "cell-8"]));
    assert_eq!((code, err.contains("no node is called \"cell-8\"")), (3, true), "{err}");
    let gone = "01890a5d-ac96-774b-bcce-000000000002";
    let ended = ran(daemon.motey(&["node", "forget", gone]));
    assert_eq!(ended, (3, String::new(), "error: no other node\n".to_owned()));
    assert_eq!(daemon.lines().last(), Some(&format!("POST /v1/nodes/{gone}/forget")));
}

#[test]
fn apply_sends_the_same_request_again_when_the_connection_breaks() {
    let mut posts = 0;
    let daemon = Stub::serve(move |asked| match asked.method.as_str() {
        "POST" if posts == 0 => {
            posts += 1;
            Answer::Nothing
        }
        "POST" => stub::json(201, &service("RUNNING", None)),
        _ => stub::json(200, &json!([])),
    });
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, _, err) = ran(daemon.motey(&["apply", "--no-wait", "-f", text(&file)]));
    assert_eq!(code, 0, "{err}");
    let posted: Vec<String> = daemon.lines().into_iter().filter(|line| line.starts_with("POST")).collect();
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[0], posted[1], "the same id");
}

#[test]
fn apply_ends_as_the_service_does() {
    for (states, args, code, told) in [
        (&["ERROR"] as &'static [&'static str], &["--timeout", "30s"] as &[&str], 1, "in ERROR"),
        (&["INSTANTIATING"], &["--timeout", "300ms"], 6, "after 300ms the service is INSTANTIATING (slowly)"),
        (&["TERMINATED"], &[], 0, "TERMINATED"),
    ] {
        let daemon = daemon(states);
        let file = daemon.file("quality.yaml", BLUEPRINT);
        let (ended, _, err) = ran(daemon.motey(&[&["apply", "-f", text(&file)], args].concat()));
        assert_eq!(ended, code, "{err}");
        assert!(err.contains(told), "{err}");
    }
}

#[test]
fn what_no_node_can_run_is_refused_on_demand() {
    let daemon = Stub::serve(|asked| match asked.method.as_str() {
        "POST" => stub::problem(409, "unplaceable", "nothing offers the capability gpu"),
        _ => stub::json(200, &json!([])),
    });
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, _, err) = ran(daemon.motey(&["apply", "--must-fit", "-f", text(&file)]));
    assert_eq!((code, err.as_str()), (4, "error: nothing offers the capability gpu\n"));
    assert!(daemon.lines()[1].ends_with("&unplaceable=reject"), "{:?}", daemon.lines());
}

#[test]
fn what_waits_already_does_not_fit_either() {
    let mut waiting = service("INITIAL", Some("nothing offers the capability gpu"));
    waiting["images"][0]["reason"] = "waiting.capability".into();
    let daemon = Stub::serve(move |asked| match asked.path.ends_with("/blueprint") {
        true => Answer::Whole(200, "application/yaml", BLUEPRINT.to_owned()),
        false => stub::json(200, &json!([waiting])),
    });
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, out, err) = ran(daemon.motey(&["apply", "--must-fit", "-f", text(&file)]));
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    assert!(err.contains("nothing offers the capability gpu") && err.contains("motey service rm"), "{err}");
    let posted = daemon.lines().iter().any(|line| line.starts_with("POST"));
    assert!(!posted, "{:?}", daemon.lines());
}

#[test]
fn a_token_that_the_daemon_does_not_know_is_named_by_its_file() {
    let (daemon, url) = Stub::serve_tcp(|_| stub::problem(401, "unauthorized", "no valid token"));
    let token = daemon.file("of-another-node", "0123456789abcdef\n");
    let (code, _, err) = ran(motey(&["ps", "--url", &url, "--token-file", text(&token)]));
    assert_eq!(code, 1);
    assert!(err.contains("of-another-node is not that daemon's") && !err.contains("--token-file"), "{err}");
}

#[test]
fn a_blueprints_mistakes_are_shown_as_a_compiler_does_it_and_nothing_is_sent() {
    let daemon = daemon(&["RUNNING"]);
    let file = daemon.file("bad.yaml", "service_name: bad\nimages:\n  - nam: x\n    replicas: many\n");
    let (code, _, err) = ran(daemon.motey(&["apply", "-f", text(&file)]));
    assert_eq!(code, 1);
    let name = text(&file);
    assert!(
        err.starts_with(&format!("{name}:3:"))
            && err.contains(&format!("\n{name}:4:15: images[0].replicas: ")),
        "{err}"
    );
    assert!(err.contains("    4 |     replicas: many\n      |               ^\n"), "{err}");
    assert!(daemon.lines().is_empty());
    let mut offline = motey(&["blueprint", "validate", name]);
    offline.env("MOTEY_SOCKET", "/nowhere");
    assert_eq!(ran(offline).2, err, "the same without a daemon");
}

#[test]
fn mistakes_that_only_the_daemon_finds_are_shown_the_same_way() {
    let daemon = Stub::serve(|asked| match asked.method.as_str() {
        "POST" => {
            let mistake = json!({"path": "images[0].engine", "line": 5, "column": 13, "message": "not in this version"});
            let body =
                json!({"type": "urn:motey:problem:blueprint", "detail": "one mistake", "errors": [mistake]});
            Answer::Whole(400, "application/problem+json", body.to_string())
        }
        _ => stub::json(200, &json!([])),
    });
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, _, err) = ran(daemon.motey(&["apply", "-f", text(&file)]));
    let place = format!("{}:5:13: images[0].engine: not in this version\n", text(&file));
    assert_eq!((code, err), (1, format!("{place}    5 |     engine: process\n      |             ^\n")));
}

#[test]
fn no_daemon_is_told_with_what_to_do_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("missing.sock");
    let (code, out, err) = ran(motey(&["ps", "--socket", text(&missing)]));
    assert_eq!((code, out.as_str()), (5, ""));
    assert!(err.contains("missing.sock: there is no such file\n") && err.contains("`motey run`"), "{err}");

    let left = dir.path().join("left.sock");
    drop(UnixListener::bind(&left).expect("a socket"));
    let (code, _, err) = ran(motey(&["ps", "--socket", text(&left)]));
    assert_eq!(code, 5);
    assert!(err.contains("left.sock: the file is there, but nobody listens\n"), "{err}");

    let (code, _, err) = ran(motey(&["ps", "--url", "http://127.0.0.1:1"]));
    assert_eq!(code, 5);
    assert!(err.contains("no daemon answers at http://127.0.0.1:1: "), "{err}");
}

#[test]
fn the_socket_is_found_through_the_configuration() {
    let daemon = Stub::serve(|_| stub::json(200, &json!([])));
    fs::rename(daemon.dir.path().join("stub.sock"), daemon.dir.path().join("motey.sock")).expect("renamed");
    let file = daemon.file("motey.toml", &format!("[general]\nrun_dir = {:?}", daemon.dir.path()));
    let (code, _, err) = ran(motey(&["service", "list", "--config", text(&file)]));
    assert_eq!(code, 0, "{err}");
}

#[test]
fn the_token_is_shown_over_tcp() {
    let (daemon, url) =
        Stub::serve_tcp(|asked| match asked.headers.iter().any(|(name, _)| name == "authorization") {
            true => stub::json(200, &json!([])),
            false => stub::problem(401, "unauthorized", "this node wants a token"),
        });
    let (code, _, err) = ran(motey(&["ps", "--url", &url]));
    assert_eq!(code, 1);
    assert!(err.contains("wants a token") && err.contains("--token-file"), "{err}");
    let other = daemon.file("motey.toml", "[general]\nnode_name = \"x\"\n");
    let (code, _, err) = ran(motey(&["ps", "--url", &url, "--token-file", text(&other)]));
    assert_eq!(code, 1);
    assert!(err.contains("motey.toml") && err.contains("holds no token"), "{err}");
    let token = daemon.file("token", "s3cret\n");
    let (code, _, err) = ran(motey(&["ps", "--url", &url, "--token-file", text(&token)]));
    assert_eq!(code, 0, "{err}");
    assert!(daemon.asked()[1].headers.contains(&("authorization".into(), "Bearer s3cret".into())));
    let (code, _, err) = ran(motey(&["ps", "--url", &url, "--token-file", "/nowhere/token"]));
    assert_eq!(code, 1);
    assert!(err.contains("/nowhere/token"), "{err}");
}

#[test]
fn capabilities_are_added_and_removed_as_they_are_said() {
    let daemon = Stub::serve(|asked| match asked.method.as_str() {
        "PUT" if asked.body.windows(7).any(|part| part == b"\"many!\"") => {
            let mistake =
                json!({"path": "[0].amount", "line": 1, "column": 9, "message": "\"many!\" is no number"});
            let body = json!({"type": "urn:motey:problem:capabilities", "detail": "x", "errors": [mistake]});
            Answer::Whole(400, "application/problem+json", body.to_string())
        }
        "DELETE" => Answer::Whole(304, "application/json", String::new()),
        _ => stub::json(201, &json!([])),
    });
    let line = "capability add camera --exclusive --unit 1-4.2 --binding /dev/video0 --property fps=30 --property on=true --property size=4kB";
    let mut args: Vec<&str> = line.split(' ').collect();
    args.extend(["--property", "serial=\"7\""]);
    let (code, out, err) = ran(daemon.motey(&args));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", "camera: added\n"));
    let sent: Value = serde_json::from_slice(&daemon.asked()[0].body).expect("JSON");
    let expected = json!([{"capability": "camera", "capability_type": "hardware", "unit": "1-4.2", "exclusive": true,
        "binding": "/dev/video0", "properties": {"fps": 30, "on": true, "size": "4kB", "serial": "7"}}]);
    assert_eq!((daemon.lines()[0].as_str(), sent), ("PUT /v1/capabilities", expected));

    let (code, _, err) = ran(daemon.motey(&["capability", "add", "seats", "--amount", "many!"]));
    assert_eq!((code, err.as_str()), (1, "error: \"many!\" is no number\n"));
    let (code, _, err) = ran(daemon.motey(&["capability", "remove", "gps", "--unit", "A1"]));
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("nobody gave gps (A1) to this node"), "{err}");
    let (code, ..) = ran(daemon.motey(&["capability", "add", "x", "--exclusive", "--amount", "1"]));
    assert_eq!(code, 2);
}

#[test]
fn services_are_found_by_name_or_id() {
    let two = json!([service("RUNNING", None), service("ERROR", None)]);
    let daemon = Stub::serve(move |asked| match asked.path.as_str() {
        "/v1/service" => stub::json(200, &two),
        _ => stub::problem(404, "unknown-service", "no service has that id"),
    });
    let (code, _, err) = ran(daemon.motey(&["service", "stop", "nothing"]));
    assert_eq!(
        (code, err.as_str()),
        (3, "error: no service is called \"nothing\"; `motey service list` shows them all\n")
    );
    let (code, _, err) = ran(daemon.motey(&["service", "stop", "quality"]));
    assert_eq!(code, 1);
    assert!(
        err.contains("2 services are called \"quality\"") && err.contains(&format!("  {ID}  ERROR")),
        "{err}"
    );
    let (code, _, err) = ran(daemon.motey(&["service", "show", ID]));
    assert_eq!((code, err.as_str()), (3, "error: no service has that id\n"));
}

#[test]
fn rm_waits_until_nothing_is_left() {
    let mut looks = 0;
    let daemon = Stub::serve(move |asked| match asked.method.as_str() {
        "DELETE" => stub::json(202, &service("STOPPING", None)),
        _ if looks < 2 => {
            looks += 1;
            stub::json(200, &service("STOPPING", None))
        }
        _ => stub::problem(410, "deleted", "the service was deleted"),
    });
    let (code, out, err) = ran(daemon.motey(&["service", "rm", ID]));
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "", format!("  vision  STOPPING\n{ID}: removed\n").as_str())
    );
    assert_eq!(daemon.lines().len(), 4, "{:?}", daemon.lines());
    let (code, ..) = ran(daemon.motey(&["service", "rm", "--no-wait", ID]));
    assert_eq!((code, daemon.lines().len()), (0, 5), "one request, no more");
}

#[test]
fn scaling_the_only_image_needs_no_name() {
    let daemon = daemon(&["RUNNING"]);
    let (code, _, err) = ran(daemon.motey(&["service", "scale", ID, "3", "--no-wait"]));
    assert_eq!(code, 0, "{err}");
    let asked = daemon.asked();
    let scaled = asked.last().expect("asked");
    assert_eq!(scaled.path, format!("/v1/service/{ID}/scale"));
    assert_eq!(
        serde_json::from_slice::<Value>(&scaled.body).expect("json"),
        json!({"image": "vision", "replicas": 3})
    );
}

#[test]
fn ctrl_c_stops_waiting_and_nothing_else() {
    let daemon = daemon(&["INSTANTIATING"]);
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let mut command = daemon.motey(&["apply", "-f", text(&file)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut told = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("INSTANTIATING") {
        line.clear();
        assert_ne!(told.read_line(&mut line).expect("read"), 0, "it ended by itself");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("sent");
    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("read");
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    assert_eq!(rest, format!("no longer waiting; it goes on: `motey service show {ID}`\n"));
    assert!(daemon.lines().iter().all(|line| !line.starts_with("DELETE")));
}

#[test]
fn logs_are_passed_on_and_a_reader_may_leave() {
    let daemon = Stub::serve(|_| Answer::Endless);
    let args = ["service", "logs", ID, "-f", "--tail", "5", "--since", "2m", "--image", "a b"];
    let mut command = daemon.motey(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("read");
    assert_eq!(line, "hello\n");
    drop(lines);
    let ended = child.wait_with_output().expect("ended");
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), b"".as_slice()));
    let path = format!("GET /v1/service/{ID}/logs?image=a%20b&follow=true&tail=5&since=120000ms");
    assert_eq!(daemon.lines(), [path]);
}

#[test]
fn an_answer_of_somebody_else_is_no_riddle() {
    let daemon = Stub::serve(|_| Answer::Whole(502, "text/html", "<h1>Bad gateway</h1>".into()));
    let (code, _, err) = ran(daemon.motey(&["status"]));
    assert_eq!((code, err.as_str()), (1, "error: the answer was 502 Bad Gateway; is that a Motey daemon?\n"));
    let daemon = Stub::serve(|_| Answer::Whole(200, "text/html", "<h1>Hello</h1>".into()));
    let (code, _, err) = ran(daemon.motey(&["ps"]));
    assert_eq!(code, 1);
    assert!(err.starts_with("error: the daemon's answer to GET /v1/service cannot be read: "), "{err}");
    let daemon = Stub::serve(|_| Answer::Nothing);
    assert_eq!(ran(daemon.motey(&["ps"])).0, 5);
}

/// A daemon that plans so and takes nothing else.
fn planner(plan: Value) -> Stub {
    Stub::serve(move |Asked { method, path, .. }| match (method.as_str(), path.as_str()) {
        ("POST", "/v1/plan") => stub::json(200, &plan),
        ("GET", "/v1/nodes") => stub::json(200, &json!([{"id": ID, "name": "line-7"}])),
        _ => stub::problem(404, "no-route", "not asked for"),
    })
}

#[test]
fn a_plan_that_is_complete_says_where_and_ends_with_0() {
    let slot = json!({"image": "vision", "slot": "vision-0", "node": ID, "engine": "process", "nodes": []});
    let daemon = planner(json!({"complete": true, "slots": [slot], "nowhere": []}));
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, out, err) = ran(daemon.motey(&["plan", "-f", text(&file)]));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("vision-0  process on line-7"), "{out}");
    assert_eq!(daemon.lines(), ["POST /v1/plan", "GET /v1/nodes"]);
    assert_eq!(daemon.asked()[0].body, BLUEPRINT.as_bytes(), "byte for byte");
}

#[test]
fn a_plan_that_is_not_ends_with_4_in_every_form() {
    let slot = json!({"image": "vision", "slot": "vision-0", "reason": "waiting.engine",
        "state_message": "no engine is here", "nodes": []});
    let plan = json!({"complete": false, "slots": [slot], "nowhere": [], "later": "keys"});
    let daemon = planner(plan.clone());
    let file = daemon.file("quality.yaml", BLUEPRINT);
    let (code, out, err) = ran(daemon.motey(&["plan", "-f", text(&file), "-o", "json"]));
    assert_eq!((code, err.as_str()), (4, "not all of it would run now: its slot would wait\n"));
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), plan);
    let (code, out, _) = ran(daemon.motey(&["plan", "-f", text(&file)]));
    assert_eq!(code, 4);
    assert!(out.contains("vision-0  waits  no engine is here"), "{out}");
}

#[test]
fn a_wrong_blueprint_is_not_planned() {
    let daemon = planner(json!({}));
    let file = daemon.file("wrong.yaml", "service_nam: x\n");
    let (code, out, err) = ran(daemon.motey(&["plan", "-f", text(&file)]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("wrong.yaml:1:1: "), "{err}");
    assert!(daemon.asked().is_empty());
}
