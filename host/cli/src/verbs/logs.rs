//! `motey service logs`: what a service's instances wrote, passed on as it comes.

use std::io::{self, Write};

use http_body_util::BodyExt;

use super::find;
use crate::args::Logs;
use crate::client::{ClientError, with_query};
use crate::exit::Failure;
use crate::session::Session;

/// Prints until the output ends; what is followed ends with Ctrl-C, with its instances, or with the daemon.
pub async fn print(session: &mut Session, args: &Logs) -> Result<(), Failure> {
    let id = find::id(session, &args.named.service).await?;
    let path = with_query(
        &format!("/v1/service/{id}/logs"),
        &[
            ("image", args.image.clone()),
            ("slot", args.slot.clone()),
            ("follow", args.follow.then(|| "true".to_owned())),
            ("tail", args.tail.map(|lines| lines.to_string())),
            ("since", args.since.map(|since| format!("{}ms", since.as_millis()))),
        ],
    );
    let mut body = session.client.stream(&path).await?;
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Err(_) if args.follow => return Err(Failure::NodeLeft),
            frame => frame.map_err(|source| ClientError::Broken { what: format!("GET {path}"), source })?,
        };
        if let Some(bytes) = frame.data_ref() {
            write(session, bytes)?;
        }
    }
    if args.follow { why_it_ended(session).await } else { Ok(()) }
}

/// A node that goes down ends the output in order, as instances do that end.
async fn why_it_ended(session: &Session) -> Result<(), Failure> {
    match session.client.get("/readyz").await {
        Ok(_) => {
            session.say("the output has ended: nothing that was followed runs any more");
            Ok(())
        }
        Err(_) => Err(Failure::NodeLeft),
    }
}

/// At once, so that whoever follows sees it.
fn write(session: &mut Session, bytes: &[u8]) -> io::Result<()> {
    session.out.write_all(bytes)?;
    session.out.flush()
}
