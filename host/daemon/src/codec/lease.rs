//! The written forms of leases and of the keys of instances.

use motey_core::capability::{CapId, Lease};
use motey_core::id::ServiceId;
use motey_core::record::{Fence, InstanceKey, SlotId};
use serde::{Deserialize, Serialize};

use super::CodecError;
use super::sealed::Formed;
use super::text::Text;

#[derive(Serialize, Deserialize)]
pub struct LeaseForm {
    source: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    amount: u64,
    holder: KeyForm,
}

#[derive(Serialize, Deserialize)]
pub struct KeyForm {
    service: Text<ServiceId>,
    slot: Text<SlotId>,
    fence: Text<Fence>,
}

impl Formed for Lease {
    const WHAT: &'static str = "lease";
    type Form = LeaseForm;
    type First = LeaseForm;

    fn form(&self) -> Result<LeaseForm, CodecError> {
        let Self { of: CapId { source, name, unit }, amount, holder } = self.clone();
        Ok(LeaseForm { source, name, unit, amount, holder: holder.into() })
    }
}

impl Formed for InstanceKey {
    const WHAT: &'static str = "key of an instance";
    type Form = KeyForm;
    type First = KeyForm;

    fn form(&self) -> Result<KeyForm, CodecError> {
        Ok(self.clone().into())
    }
}

impl From<LeaseForm> for Lease {
    fn from(form: LeaseForm) -> Self {
        let LeaseForm { source, name, unit, amount, holder } = form;
        Self { of: CapId { source, name, unit }, amount, holder: holder.into() }
    }
}

impl From<InstanceKey> for KeyForm {
    fn from(key: InstanceKey) -> Self {
        let InstanceKey { service, slot, fence } = key;
        Self { service: Text(service), slot: Text(slot), fence: Text(fence) }
    }
}

impl From<KeyForm> for InstanceKey {
    fn from(form: KeyForm) -> Self {
        let KeyForm { service: Text(service), slot: Text(slot), fence: Text(fence) } = form;
        Self { service, slot, fence }
    }
}
