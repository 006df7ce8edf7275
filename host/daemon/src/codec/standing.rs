//! The written form of what a node keeps about itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use motey_core::Standing;
use motey_core::id::{NodeId, ServiceId};
use motey_core::peer::{Duty, Forgotten};
use serde::{Deserialize, Serialize};

use super::CodecError;
use super::sealed::Formed;
use super::text::Text;

#[derive(Serialize, Deserialize)]
pub struct StandingForm {
    duty: DutyForm,
    /// How often a word was said about each node: an odd number forgets it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    forgotten: BTreeMap<Text<NodeId>, u32>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    ran: u64,
    /// By what it had run then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    graves: BTreeMap<Text<ServiceId>, u64>,
}

fn is_zero(span: &u64) -> bool {
    *span == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DutyForm {
    Operate,
    Cordon,
    Drain,
}

impl Formed for Standing {
    const WHAT: &'static str = "standing of a node";
    type Form = StandingForm;
    type First = StandingForm;

    fn form(&self) -> Result<StandingForm, CodecError> {
        let Self { duty, forgotten, ran, graves } = self;
        let forgotten = forgotten.counts().map(|(node, words)| (Text(node), words)).collect();
        let graves = graves.iter().map(|(service, since)| (Text(*service), *since)).collect();
        Ok(StandingForm { duty: (*duty).into(), forgotten, ran: *ran, graves })
    }
}

impl From<StandingForm> for Standing {
    fn from(StandingForm { duty, forgotten, ran, graves }: StandingForm) -> Self {
        let counts = forgotten.into_iter().map(|(Text(node), words)| (node, words));
        let graves = graves.into_iter().map(|(Text(service), since)| (service, since)).collect();
        Self { duty: duty.into(), forgotten: Forgotten::from_counts(counts), ran, graves: Arc::new(graves) }
    }
}

impl From<Duty> for DutyForm {
    fn from(duty: Duty) -> Self {
        match duty {
            Duty::Operate => Self::Operate,
            Duty::Cordon => Self::Cordon,
            Duty::Drain => Self::Drain,
        }
    }
}

impl From<DutyForm> for Duty {
    fn from(form: DutyForm) -> Self {
        match form {
            DutyForm::Operate => Self::Operate,
            DutyForm::Cordon => Self::Cordon,
            DutyForm::Drain => Self::Drain,
        }
    }
}
