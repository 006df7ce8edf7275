//! What a deployment costs at the least: warp, a YAML parser, one INSERT in WAL/FULL, 201. Usage: DATABASE PORT.
//!
//! Nothing is checked, placed, run or remembered in memory: it is the ruler that the node is measured with.

#![forbid(unsafe_code)]

use std::{
    env,
    net::Ipv4Addr,
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, params};
use serde_yaml::Value;
use tokio::net::TcpListener;
use warp::{Filter, http::StatusCode, hyper::body::Bytes};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, database, port] = arguments.as_slice() else { panic!("usage: bench-prototype DATABASE PORT") };
    let port: u16 = port.parse().expect("a port");
    let database = Arc::new(Mutex::new(open(Path::new(database)).expect("a database")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(serve(database, port));
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database
        .execute("CREATE TABLE IF NOT EXISTS record (name TEXT NOT NULL, body BLOB NOT NULL) STRICT", [])?;
    Ok(database)
}

fn store(database: &Mutex<Connection>, body: &[u8]) -> StatusCode {
    let blueprint: Value = serde_yaml::from_slice(body).expect("YAML");
    let database = database.lock().unwrap_or_else(PoisonError::into_inner);
    let sql = "INSERT INTO record (name, body) VALUES (?1, ?2)";
    let mut insert = database.prepare_cached(sql).expect("a statement");
    insert.execute(params![blueprint["service_name"].as_str(), body]).expect("room on the disk");
    StatusCode::CREATED
}

async fn serve(database: Arc<Mutex<Connection>>, port: u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
    let deploy = warp::path!("v1" / "service").and(warp::post()).and(warp::body::bytes());
    let deploy = deploy.map(move |body: Bytes| store(&database, &body));
    if let Some(socket) = env::var_os("NOTIFY_SOCKET") {
        let notifier = UnixDatagram::unbound().expect("a socket");
        notifier.send_to(b"READY=1", socket).expect("who started this listens");
    }
    warp::serve(deploy).incoming(listener).run().await;
}
