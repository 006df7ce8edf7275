//! The host as its plugins see it: the log and the news that they bring.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use motey_plugin_abi::{Call, Endpoint};
use motey_plugin_ops::{CapabilitiesNews, Capability, Error, Instance, LogRecord, op};
use serde::de::DeserializeOwned;

/// Who hears what plugins tell. Called on their threads; must not block.
pub trait Listener: Send + Sync + 'static {
    fn log(&self, plugin: &str, record: LogRecord);

    /// The **full** set of this plugin.
    fn capabilities(&self, plugin: &str, capabilities: Vec<Capability>) -> Result<(), Busy>;

    /// An instance is like this now.
    fn instance(&self, plugin: &str, instance: Instance) -> Result<(), Busy>;
}

/// There is no room for this news; the plugin will tell it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has no room for more news now; tell it again later")
    }
}

impl std::error::Error for Busy {}

/// One plugin's end. It answers every call before `send` returns.
pub(crate) struct HostEnd {
    pub(crate) plugin: String,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) closed: Arc<AtomicBool>,
}

impl HostEnd {
    fn hear(&self, op: &str, body: &[u8]) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed("the host has closed this plugin"));
        }
        let (plugin, listener) = (self.plugin.as_str(), &self.listener);
        let heard = match op {
            op::host::LOG => {
                listener.log(plugin, news(op, body)?);
                Ok(())
            }
            op::host::CAPABILITIES => {
                listener.capabilities(plugin, news::<CapabilitiesNews>(op, body)?.capabilities)
            }
            op::host::INSTANCE => listener.instance(plugin, news(op, body)?),
            op::PING => Ok(()),
            _ => return Err(Error::unsupported(format!("the host has no operation `{op}`"))),
        };
        heard.map_err(|busy| Error::busy(busy.to_string()))
    }
}

fn news<T: DeserializeOwned>(op: &str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body)
        .map_err(|e| Error::invalid(format!("the body of `{op}` cannot be read: {e}")))
}

impl Endpoint for HostEnd {
    fn send(&self, call: Call<'_>) {
        match self.hear(call.op, call.body) {
            Ok(()) => call.reply.answer(0, b"{}"),
            Err(error) => {
                let (code, body) = error.to_wire();
                call.reply.answer(code, &body);
            }
        }
    }

    /// Everything has been answered already.
    fn cancel(&self, _: u64) {}

    /// A plugin does not close its host.
    fn close(&self, _: Duration) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use motey_plugin_ops::Code;

    use super::*;

    #[derive(Default)]
    struct Names(Mutex<Vec<String>>);

    impl Listener for Names {
        fn log(&self, _: &str, record: LogRecord) {
            self.0.lock().unwrap().push(record.message);
        }
        fn capabilities(&self, _: &str, capabilities: Vec<Capability>) -> Result<(), Busy> {
            self.0.lock().unwrap().extend(capabilities.into_iter().map(|capability| capability.name));
            Ok(())
        }
        fn instance(&self, _: &str, _: Instance) -> Result<(), Busy> {
            Err(Busy)
        }
    }

    #[test]
    fn news_is_heard_and_nonsense_is_answered() {
        let names = Arc::new(Names::default());
        let end = HostEnd { plugin: "p".into(), listener: names.clone(), closed: Arc::default() };
        let capabilities = br#"{"capabilities":[{"name":"cpu","kind":"resource","supply":{"amount":1}}]}"#;
        let code = |op, body: &[u8]| end.hear(op, body).map_err(|error| error.code);
        assert_eq!(code(op::host::CAPABILITIES, capabilities), Ok(()));
        assert_eq!(code(op::host::LOG, br#"{"level":"warn","target":"t","message":"m"}"#), Ok(()));
        assert_eq!(code(op::host::INSTANCE, br#"{"name":"a","state":"gone"}"#), Err(Code::Busy));
        assert_eq!(code(op::host::INSTANCE, br#"{"name":"a","state":"lost"}"#), Err(Code::Invalid));
        assert_eq!(code(op::host::CAPABILITIES, b"\xff"), Err(Code::Invalid));
        assert_eq!(code("shutdown/1", b"{}"), Err(Code::Unsupported));
        end.closed.store(true, Ordering::Release);
        assert_eq!(code(op::host::CAPABILITIES, capabilities), Err(Code::Closed));
        assert_eq!(*names.0.lock().unwrap(), ["cpu", "m"]);
    }
}
