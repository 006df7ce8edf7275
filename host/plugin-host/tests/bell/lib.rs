//! Capability provider: the bell at the door.

#![forbid(unsafe_code)]

use motey_plugin_api::{Cancel, Capability, Error, Host, Provider, Supply, serde_json::Value};

struct Bell(Host);

impl Provider for Bell {
    fn new(_config: Value, host: Host) -> Result<Self, Error> {
        Ok(Self(host))
    }

    fn watch(&self, cancel: &Cancel) -> Result<(), Error> {
        let bell = Capability {
            name: "bell".into(),
            kind: "hardware".into(),
            unit: None,
            props: Default::default(),
            supply: Supply::Exclusive,
            binding: None,
        };
        self.0.capabilities(&[bell])?;
        cancel.wait(None);
        Ok(())
    }
}

motey_plugin_api::plugin! { provider: Bell, id: "bell", name: "Bell", description: "offers the bell at the door" }
