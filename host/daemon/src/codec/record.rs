//! The written form of a service record, tombstones too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use motey_core::id::{EngineName, ImageKey, NodeId, ServiceId, ServiceName};
use motey_core::reason::{Code, Reason};
use motey_core::record::{
    Assignment, Desired, Dismissed, Ended, Fence, Incarnation, Revision, RevisionOrder, ServiceRecord,
    SlotId, Stamp,
};
use serde::{Deserialize, Serialize};

use super::CodecError;
use super::sealed::Formed;
use super::spec::SpecForm;
use super::text::Text;

#[derive(Serialize, Deserialize)]
pub struct RecordForm {
    id: Text<ServiceId>,
    name: Text<ServiceName>,
    desired: DesiredForm,
    stamp: StampForm,
    revision: RevisionForm,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    slots: BTreeMap<Text<SlotId>, AssignmentForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dismissed: Vec<DismissedForm>,
    holders: Vec<Text<NodeId>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ended: BTreeMap<Text<SlotId>, EndedForm>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DesiredForm {
    Running,
    Stopped,
    Absent,
}

/// Without `absent`, which follows from what is desired: two places could contradict each other.
#[derive(Serialize, Deserialize)]
struct StampForm {
    epoch: u64,
    owner: Text<NodeId>,
    writer: WriterForm,
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct WriterForm {
    count: u64,
    nonce: u32,
}

#[derive(Serialize, Deserialize)]
struct RevisionForm {
    number: u32,
    epoch: u64,
    owner: Text<NodeId>,
    writer: WriterForm,
    spec: SpecForm,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scaled: BTreeMap<Text<ImageKey>, u16>,
}

#[derive(Serialize, Deserialize)]
struct AssignmentForm {
    node: Text<NodeId>,
    engine: Text<EngineName>,
    fence: Text<Fence>,
    revision: u32,
}

#[derive(Serialize, Deserialize)]
struct DismissedForm {
    slot: Text<SlotId>,
    fence: Text<Fence>,
    node: Text<NodeId>,
    engine: Text<EngineName>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndedForm {
    Succeeded,
    GaveUp(ReasonForm),
}

#[derive(Serialize, Deserialize)]
struct ReasonForm {
    code: Text<StableCode>,
    text: String,
}

/// A reason's code, readable from its stable text.
struct StableCode(Code);

impl Formed for ServiceRecord {
    const WHAT: &'static str = "service record";
    type Form = RecordForm;

    fn form(&self) -> Result<RecordForm, CodecError> {
        debug_assert_eq!(self.stamp.absent, self.desired == Desired::Absent, "{}", self.id);
        Ok(RecordForm {
            id: Text(self.id),
            name: Text(self.name.clone()),
            desired: self.desired.into(),
            stamp: self.stamp.into(),
            revision: RevisionForm::new(&self.revision)?,
            slots: self.slots.iter().map(|(slot, to)| (Text(slot.clone()), to.clone().into())).collect(),
            dismissed: self.dismissed.iter().cloned().map(Into::into).collect(),
            holders: self.holders.iter().copied().map(Text).collect(),
            ended: self.ended.iter().map(|(slot, end)| (Text(slot.clone()), end.clone().into())).collect(),
        })
    }
}

impl From<RecordForm> for ServiceRecord {
    fn from(form: RecordForm) -> Self {
        let desired = form.desired.into();
        Self {
            id: form.id.0,
            name: form.name.0,
            desired,
            stamp: form.stamp.under(desired),
            revision: form.revision.into(),
            slots: form.slots.into_iter().map(|(Text(slot), to)| (slot, to.into())).collect(),
            dismissed: form.dismissed.into_iter().map(Into::into).collect::<BTreeSet<_>>(),
            holders: form.holders.into_iter().map(|Text(node)| node).collect(),
            ended: form.ended.into_iter().map(|(Text(slot), end)| (slot, end.into())).collect(),
        }
    }
}

impl From<Desired> for DesiredForm {
    fn from(desired: Desired) -> Self {
        match desired {
            Desired::Running => Self::Running,
            Desired::Stopped => Self::Stopped,
            Desired::Absent => Self::Absent,
        }
    }
}

impl From<DesiredForm> for Desired {
    fn from(form: DesiredForm) -> Self {
        match form {
            DesiredForm::Running => Self::Running,
            DesiredForm::Stopped => Self::Stopped,
            DesiredForm::Absent => Self::Absent,
        }
    }
}

impl From<Stamp> for StampForm {
    fn from(stamp: Stamp) -> Self {
        let Stamp { absent: _, epoch, owner, writer, version } = stamp;
        Self { epoch, owner: Text(owner), writer: writer.into(), version }
    }
}

impl StampForm {
    fn under(self, desired: Desired) -> Stamp {
        let Self { epoch, owner: Text(owner), writer, version } = self;
        Stamp { absent: desired == Desired::Absent, epoch, owner, writer: writer.into(), version }
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

impl RevisionForm {
    fn new(revision: &Revision) -> Result<Self, CodecError> {
        let Revision { order: RevisionOrder { number, epoch, owner, writer }, spec, scaled } = revision;
        Ok(Self {
            number: *number,
            epoch: *epoch,
            owner: Text(*owner),
            writer: (*writer).into(),
            spec: SpecForm::new(spec)?,
            scaled: scaled.iter().map(|(image, count)| (Text(image.clone()), *count)).collect(),
        })
    }
}

impl From<RevisionForm> for Revision {
    fn from(form: RevisionForm) -> Self {
        let RevisionForm { number, epoch, owner: Text(owner), writer, spec, scaled } = form;
        Self {
            order: RevisionOrder { number, epoch, owner, writer: writer.into() },
            spec: Arc::new(spec.into()),
            scaled: scaled.into_iter().map(|(Text(image), count)| (image, count)).collect(),
        }
    }
}

impl From<Assignment> for AssignmentForm {
    fn from(assignment: Assignment) -> Self {
        let Assignment { node, engine, fence, revision } = assignment;
        Self { node: Text(node), engine: Text(engine), fence: Text(fence), revision }
    }
}

impl From<AssignmentForm> for Assignment {
    fn from(form: AssignmentForm) -> Self {
        let AssignmentForm { node: Text(node), engine: Text(engine), fence: Text(fence), revision } = form;
        Self { node, engine, fence, revision }
    }
}

impl From<Dismissed> for DismissedForm {
    fn from(dismissed: Dismissed) -> Self {
        let Dismissed { slot, fence, node, engine } = dismissed;
        Self { slot: Text(slot), fence: Text(fence), node: Text(node), engine: Text(engine) }
    }
}

impl From<DismissedForm> for Dismissed {
    fn from(form: DismissedForm) -> Self {
        let DismissedForm { slot: Text(slot), fence: Text(fence), node: Text(node), engine: Text(engine) } =
            form;
        Self { slot, fence, node, engine }
    }
}

impl From<Ended> for EndedForm {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Succeeded => Self::Succeeded,
            Ended::GaveUp(Reason { code, text }) => {
                Self::GaveUp(ReasonForm { code: Text(StableCode(code)), text })
            }
        }
    }
}

impl From<EndedForm> for Ended {
    fn from(form: EndedForm) -> Self {
        match form {
            EndedForm::Succeeded => Self::Succeeded,
            EndedForm::GaveUp(ReasonForm { code: Text(StableCode(code)), text }) => {
                Self::GaveUp(Reason { code, text })
            }
        }
    }
}

impl fmt::Display for StableCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StableCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Code::ALL.iter().find(|code| code.as_str() == text);
        known.map(|code| Self(*code)).ok_or_else(|| format!("{text:?} is no reason code this version knows"))
    }
}
