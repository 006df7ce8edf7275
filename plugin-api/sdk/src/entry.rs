//! The plugin's constructor as the boundary sees it.

use std::marker::PhantomData;

use motey_plugin_abi::{Channel, Peer, Plugin, ReplyOnce, serve};
use motey_plugin_ops::{CreateBody, Error};

use crate::{
    Host,
    calls::give,
    logging,
    served::{Served, Service, guarded},
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
            Err(error) => {
                let code = error.code.number();
                give(reply, &Err(error));
                Err(code)
            }
        }
    }
}

fn create<S: Service>(id: &'static str, body: &[u8], peer: Peer) -> Result<Served<S>, Error> {
    let body: CreateBody = serde_json::from_slice(body)
        .map_err(|e| Error::invalid(format!("the body of create cannot be read: {e}")))?;
    let host = Host::new(body.host, peer);
    logging::forward_to(&host, body.log_level);
    let service = guarded("new", || S::new(body.config, host.clone()));
    // a refused plugin has no more to say
    service.inspect_err(|_| host.close()).map(|service| Served::new(id, service, host))
}
