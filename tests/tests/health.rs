//! Health checks of real programs: one that answers and then does not, and one that never does.

use motey_tests::{NodeUnderTest, SOON, wait_for};
use serde_json::Value;

/// Serves HTTP on the port it is given: 200, and 500 as long as there is the file. Needs nothing but perl.
const SERVER: &str = r#"
use IO::Socket::INET;
my ($port, $sick) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1) or die $!;
while (my $client = $server->accept()) {
    <$client>;
    my $status = -e $sick ? '500 Sick' : '200 OK';
    print $client "HTTP/1.1 $status\r\nContent-Length: 0\r\n\r\n";
    close $client;
}
"#;

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A server on `port` that is sick as long as there is `sick`.
fn blueprint(node: &NodeUnderTest, name: &str, port: u16, sick: &str, restart: &str) -> String {
    let (server, mark) = (node.root().join("server.pl"), node.mark());
    std::fs::write(&server, SERVER).expect("a file");
    format!(
        "service_name: {name}\nimages:\n  - name: perl\n    key: web\n    engine: process\n    restart: {restart}\n    \
         health: {{ http: {{ port: {port}, path: /ready }}, interval: 1s, retries: 2, start: 0s }}\n    \
         parameters: {{ command: [{server:?}, \"{port}\", {sick:?}], environment: {{ MARK: {mark:?} }} }}\n"
    )
}

fn restarts(service: &Value) -> u64 {
    service["images"][0]["instances"][0]["restarts"].as_u64().unwrap_or(0)
}

#[test]
fn a_server_that_answers_500_is_started_again_and_a_bad_update_is_taken_back() {
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    let name = node.unique("health");
    let (sick, port) = (node.root().join("sick"), free_port());
    let path = sick.to_str().expect("UTF-8");
    let good = blueprint(&node, &name, port, path, "always");
    let service = node.http().deploy(&good).expect(201).json();
    let id = service["id"].as_str().expect("an id").to_owned();
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!((restarts(&service), &service["images"][0]["health"]["start"]), (0, &Value::from("0s")));

    std::fs::write(&sick, "").expect("a file");
    wait_for(SOON, || match node.service(&id) {
        service if service["reason"] == "restart.backoff" => Ok(()),
        service => Err(format!("it is to be started again; it is {service:#}")),
    });
    std::fs::remove_file(&sick).expect("it is there");
    let service = node.wait_state(&id, "RUNNING");
    assert!(restarts(&service) >= 1, "{service:#}");
    let told = node.http().get(&format!("/v1/service/{id}/why")).expect(200).json().to_string();
    assert!(
        told.contains("did not pass its check 2 times in a row: GET /ready was answered by 500"),
        "{told}"
    );

    // one that is sick whenever there is the file that it is
    let bad = blueprint(&node, &name, port, "/", "never");
    node.http().update(&id, &bad).expect(202);
    wait_for(SOON, || match node.service(&id) {
        service if service["revision"] == 3 => Ok(()),
        service => Err(format!("the update is taken back; it is {service:#}")),
    });
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!(service["images"][0]["parameters"]["command"][2], path, "{service:#}");
}
