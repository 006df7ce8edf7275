//! The plugin's constructor as the boundary sees it.

use std::marker::PhantomData;

use motey_plugin_abi::{Channel, PANICKED, Peer, Plugin, ReplyOnce, serve};
use motey_plugin_ops::{CreateBody, Error};

use crate::{
    Host,
    calls::give,
    logging,
    served::{Served, Service, caught},
};

/// Who the plugin is, as [`plugin!`](crate::plugin) rendered it.
pub trait Identity: 'static {
    const ID: &'static str;
    const MANIFEST: &'static [u8];
}

/// A service with an identity is a plugin.
pub struct Entry<S, I>(PhantomData<(S, I)>);

impl<S: Service, I: Identity> Plugin for Entry<S, I> {
    const MANIFEST: &'static [u8] = I::MANIFEST;

    fn create(body: &[u8], host: Peer, reply: ReplyOnce) -> Result<Channel, i32> {
        match create::<S>(I::ID, body, host) {
            Ok(served) => {
                reply.answer(0, b"{}");
                Ok(serve(served))
            }
            Err((code, error)) => {
                give(reply, &Err(error));
                Err(code)
            }
        }
    }
}

/// The error goes with the code that `create` returns for it.
fn create<S: Service>(id: &'static str, body: &[u8], peer: Peer) -> Result<Served<S>, (i32, Error)> {
    let body: CreateBody = serde_json::from_slice(body)
        .map_err(|e| with_code(Error::invalid(format!("the body of create cannot be read: {e}"))))?;
    let host = Host::new(body.host, peer);
    logging::forward_to(&host, body.log_level);
    let service = match caught("new", || S::new(body.config, host.clone())) {
        Ok(service) => service.map_err(with_code),
        Err(panic) => Err((PANICKED, panic)),
    };
    // a refused plugin has no more to say
    service.inspect_err(|_| host.close()).map(|service| Served::new(id, service, host))
}

fn with_code(error: Error) -> (i32, Error) {
    (error.code.number(), error)
}
