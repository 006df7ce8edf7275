//! The written form of what an image publishes, and of what it is told of others.

use motey_core::id::{ImageKey, PortName};
use motey_core::spec::{Port, Protocol, Use};
use serde::{Deserialize, Serialize};

use crate::codec::text::Text;

#[derive(Serialize, Deserialize)]
pub(super) struct PortForm {
    name: Text<PortName>,
    container: u16,
    host: u16,
    #[serde(default, skip_serializing_if = "ProtocolForm::is_tcp")]
    protocol: ProtocolForm,
}

#[derive(Serialize, Deserialize)]
pub(super) struct UseForm {
    image: Text<ImageKey>,
    port: Text<PortName>,
    number: u16,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProtocolForm {
    #[default]
    Tcp,
    Udp,
}

impl From<Port> for PortForm {
    fn from(port: Port) -> Self {
        let Port { name, container, host, protocol } = port;
        let protocol = match protocol {
            Protocol::Tcp => ProtocolForm::Tcp,
            Protocol::Udp => ProtocolForm::Udp,
        };
        Self { name: Text(name), container, host, protocol }
    }
}

impl From<PortForm> for Port {
    fn from(form: PortForm) -> Self {
        let PortForm { name: Text(name), container, host, protocol } = form;
        let protocol = match protocol {
            ProtocolForm::Tcp => Protocol::Tcp,
            ProtocolForm::Udp => Protocol::Udp,
        };
        Self { name, container, host, protocol }
    }
}

impl ProtocolForm {
    fn is_tcp(&self) -> bool {
        *self == Self::Tcp
    }
}

impl From<Use> for UseForm {
    fn from(used: Use) -> Self {
        let Use { image, port, number } = used;
        Self { image: Text(image), port: Text(port), number }
    }
}

impl From<UseForm> for Use {
    fn from(form: UseForm) -> Self {
        let UseForm { image: Text(image), port: Text(port), number } = form;
        Self { image, port, number }
    }
}
