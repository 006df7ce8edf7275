//! Who is let in over TCP.

use super::client::Reply;
use super::fixture::Fixture;

async fn ask(fixture: &Fixture, request: &str) -> Reply {
    let mut connection = fixture.connect().await;
    connection.send(request.as_bytes()).await;
    connection.receive().await
}

async fn get(fixture: &Fixture, path: &str, headers: &str) -> Reply {
    ask(fixture, &format!("GET {path} HTTP/1.1\r\n{headers}\r\n")).await
}

#[tokio::test]
async fn tcp_wants_the_token_and_the_unix_socket_does_not() {
    let fixture = Fixture::start().await;
    let token = &fixture.token;
    let host = "Host: 127.0.0.1:5023\r\n";
    let reply = get(&fixture, "/v1", &format!("{host}Authorization: Bearer {token}\r\n")).await;
    assert_eq!(reply.status, 200);
    for wrong in [
        String::new(),
        "Authorization: Bearer\r\n".into(),
        "Authorization: Bearer x\r\n".into(),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: Bearer {token}x\r\n"),
    ] {
        for path in ["/v1", "/v1/service", "/nowhere"] {
            let reply = get(&fixture, path, &format!("{host}{wrong}")).await;
            assert_eq!(reply.problem(), (401, "unauthorized".into()), "{wrong}");
            assert!(reply.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
        }
    }
    for open in ["/healthz", "/readyz"] {
        assert_eq!(get(&fixture, open, host).await.status, 200, "{open}");
    }
    assert_eq!(fixture.get("/v1").await.status, 200);
}

#[tokio::test]
async fn foreign_names_and_foreign_pages_are_turned_away() {
    let fixture = Fixture::start().await;
    let bearer = format!("Authorization: Bearer {}\r\n", fixture.token);
    for host in ["evil.example", "evil.example:5023", "10.1.2.3", "localhost.evil.example"] {
        for path in ["/v1", "/healthz"] {
            let reply = get(&fixture, path, &format!("Host: {host}\r\n{bearer}")).await;
            assert_eq!(reply.problem(), (421, "foreign-host".into()), "{host}");
        }
    }
    assert_eq!(get(&fixture, "/v1", &bearer).await.problem(), (421, "foreign-host".into()));
    for origin in ["http://evil.example", "https://localhost:5023", "http://localhost:8080", "null"] {
        let headers = format!("Host: localhost:5023\r\nOrigin: {origin}\r\n{bearer}");
        let reply = get(&fixture, "/v1", &headers).await;
        assert_eq!(reply.problem(), (403, "foreign-origin".into()), "{origin}");
    }
    for own in ["localhost:5023", "127.0.0.1:5023", "[::1]:5023"] {
        let reply = get(&fixture, "/v1", &format!("Host: {own}\r\nOrigin: http://{own}\r\n{bearer}")).await;
        assert_eq!(reply.status, 200, "{own}");
        assert!(!reply.head.to_lowercase().contains("access-control"));
    }
}

#[tokio::test]
async fn a_target_in_absolute_form_cannot_smuggle_a_name() {
    let fixture = Fixture::start().await;
    let bearer = format!("Authorization: Bearer {}\r\n", fixture.token);
    let line = "GET http://evil.example/v1 HTTP/1.1\r\nHost: localhost\r\n";
    let reply = ask(&fixture, &format!("{line}{bearer}\r\n")).await;
    assert_eq!(reply.problem(), (421, "foreign-host".into()));
    let line = "GET http://evil.example/v1 HTTP/1.1\r\nHost: evil.example\r\n";
    let reply = ask(&fixture, &format!("{line}{bearer}\r\n")).await;
    assert_eq!(reply.problem(), (421, "foreign-host".into()));
}
