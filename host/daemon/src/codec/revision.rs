//! The written form of a revision: a spec with its place in the order of specs.

use std::collections::BTreeMap;
use std::sync::Arc;

use motey_core::id::{ImageKey, NodeId};
use motey_core::record::{Incarnation, Revision, RevisionOrder};
use serde::{Deserialize, Serialize};

use super::CodecError;
use super::sealed::Formed;
use super::spec::SpecForm;
use super::text::Text;

#[derive(Serialize, Deserialize)]
pub struct RevisionForm {
    number: u32,
    epoch: u64,
    owner: Text<NodeId>,
    writer: WriterForm,
    spec: SpecForm,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scaled: BTreeMap<Text<ImageKey>, u16>,
    /// Not in version 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    since: Vec<Text<RevisionOrder>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct WriterForm {
    count: u64,
    nonce: u32,
}

impl RevisionForm {
    pub(super) fn new(revision: &Revision) -> Result<Self, CodecError> {
        let Revision { order, spec, scaled, since } = revision;
        let RevisionOrder { number, epoch, owner, writer } = *order;
        Ok(Self {
            number,
            epoch,
            owner: Text(owner),
            writer: writer.into(),
            spec: SpecForm::new(spec)?,
            scaled: scaled.iter().map(|(image, count)| (Text(image.clone()), *count)).collect(),
            since: since.iter().copied().map(Text).collect(),
        })
    }

    pub(super) fn order(&self) -> RevisionOrder {
        let Self { number, epoch, owner: Text(owner), writer, .. } = self;
        RevisionOrder { number: *number, epoch: *epoch, owner: *owner, writer: (*writer).into() }
    }
}

impl Formed for Revision {
    const WHAT: &'static str = "revision";
    type Form = RevisionForm;
    type First = RevisionForm;

    fn form(&self) -> Result<RevisionForm, CodecError> {
        RevisionForm::new(self)
    }
}

impl From<RevisionForm> for Revision {
    fn from(form: RevisionForm) -> Self {
        Self {
            order: form.order(),
            spec: Arc::new(form.spec.into()),
            scaled: form.scaled.into_iter().map(|(Text(image), count)| (image, count)).collect(),
            since: form.since.into_iter().map(|Text(order)| order).collect(),
        }
    }
}

impl From<Incarnation> for WriterForm {
    fn from(Incarnation { count, nonce }: Incarnation) -> Self {
        Self { count, nonce }
    }
}

impl From<WriterForm> for Incarnation {
    fn from(WriterForm { count, nonce }: WriterForm) -> Self {
        Self { count, nonce }
    }
}
