//! The written form of a capability that people gave to a node.

use std::collections::BTreeMap;

use motey_core::capability::{CapId, Capability, Scalar, Supply};
use serde::{Deserialize, Serialize};

use super::CodecError;
use super::sealed::Formed;

#[derive(Serialize, Deserialize)]
pub struct CapabilityForm {
    source: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    kind: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    props: BTreeMap<String, ScalarForm>,
    supply: SupplyForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<String>,
}

/// A value in JSON's own forms: no text is ever taken for a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ScalarForm {
    Bool(bool),
    Integer(i64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SupplyForm {
    Shared,
    Exclusive,
    Amount(u64),
}

impl Formed for Capability {
    const WHAT: &'static str = "capability";
    type Form = CapabilityForm;
    type First = CapabilityForm;

    fn form(&self) -> Result<CapabilityForm, CodecError> {
        let Self { id: CapId { source, name, unit }, kind, props, supply, binding } = self.clone();
        let props = props.into_iter().map(|(name, value)| (name, value.into())).collect();
        Ok(CapabilityForm { source, name, unit, kind, props, supply: supply.into(), binding })
    }
}

impl From<CapabilityForm> for Capability {
    fn from(form: CapabilityForm) -> Self {
        let CapabilityForm { source, name, unit, kind, props, supply, binding } = form;
        let props = props.into_iter().map(|(name, value)| (name, value.into())).collect();
        Self { id: CapId { source, name, unit }, kind, props, supply: supply.into(), binding }
    }
}

impl From<Scalar> for ScalarForm {
    fn from(value: Scalar) -> Self {
        match value {
            Scalar::Bool(value) => Self::Bool(value),
            Scalar::Integer(value) => Self::Integer(value),
            Scalar::Text(value) => Self::Text(value),
        }
    }
}

impl From<ScalarForm> for Scalar {
    fn from(form: ScalarForm) -> Self {
        match form {
            ScalarForm::Bool(value) => Self::Bool(value),
            ScalarForm::Integer(value) => Self::Integer(value),
            ScalarForm::Text(value) => Self::Text(value),
        }
    }
}

impl From<Supply> for SupplyForm {
    fn from(supply: Supply) -> Self {
        match supply {
            Supply::Shared => Self::Shared,
            Supply::Exclusive => Self::Exclusive,
            Supply::Amount(amount) => Self::Amount(amount),
        }
    }
}

impl From<SupplyForm> for Supply {
    fn from(form: SupplyForm) -> Self {
        match form {
            SupplyForm::Shared => Self::Shared,
            SupplyForm::Exclusive => Self::Exclusive,
            SupplyForm::Amount(amount) => Self::Amount(amount),
        }
    }
}
