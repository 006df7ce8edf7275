//! The written form of a service record, tombstones too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use motey_core::id::{EngineName, NodeId, ServiceId, ServiceName, VolumeName};
use motey_core::reason::{Code, Reason};
use motey_core::record::{
    Assignment, Desired, Dismissed, Ended, Fence, Former, Home, RevisionOrder, ServiceRecord, SlotId, Stamp,
};
use serde::{Deserialize, Serialize};

use super::CodecError;
use super::revision::{RevisionForm, WriterForm};
use super::sealed::Formed;
use super::text::Text;

/// `A` is the form of its assignments, the only part of which version 1 cannot be read as it is.
#[derive(Serialize, Deserialize)]
pub struct RecordForm<A = AssignmentForm> {
    id: Text<ServiceId>,
    name: Text<ServiceName>,
    desired: DesiredForm,
    stamp: StampForm,
    revision: RevisionForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<RevisionForm>,
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    slots: BTreeMap<Text<SlotId>, A>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dismissed: Vec<DismissedForm>,
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    homes: BTreeMap<Text<VolumeName>, HomeForm>,
    holders: Vec<Text<NodeId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heir: Option<Text<NodeId>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unproven: bool,
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
pub struct AssignmentForm {
    node: Text<NodeId>,
    engine: Text<EngineName>,
    fence: Text<Fence>,
    revision: Text<RevisionOrder>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pinned: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<FormerForm>,
}

#[derive(Serialize, Deserialize)]
struct FormerForm {
    node: Text<NodeId>,
    engine: Text<EngineName>,
    fence: Text<Fence>,
    revision: Text<RevisionOrder>,
}

/// Of version 1. There were no updates, so an instance of any revision is one of the record's own.
#[derive(Deserialize)]
pub struct FirstAssignmentForm {
    node: Text<NodeId>,
    engine: Text<EngineName>,
    fence: Text<Fence>,
    #[serde(rename = "revision")]
    _revision: u32,
}

#[derive(Serialize, Deserialize)]
struct DismissedForm {
    slot: Text<SlotId>,
    fence: Text<Fence>,
    node: Text<NodeId>,
    engine: Text<EngineName>,
}

#[derive(Serialize, Deserialize)]
struct HomeForm {
    node: Text<NodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only: Option<Text<Fence>>,
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
    type First = RecordForm<FirstAssignmentForm>;

    fn form(&self) -> Result<RecordForm, CodecError> {
        debug_assert_eq!(self.stamp.absent, self.desired == Desired::Absent, "{}", self.id);
        Ok(RecordForm {
            id: Text(self.id),
            name: Text(self.name.clone()),
            desired: self.desired.into(),
            stamp: self.stamp.into(),
            revision: RevisionForm::new(&self.revision)?,
            previous: self.previous.as_deref().map(RevisionForm::new).transpose()?,
            slots: self.slots.iter().map(|(slot, to)| (Text(slot.clone()), to.clone().into())).collect(),
            dismissed: self.dismissed.iter().cloned().map(Into::into).collect(),
            homes: self.homes.iter().map(|(volume, home)| (Text(volume.clone()), (*home).into())).collect(),
            holders: self.holders.iter().copied().map(Text).collect(),
            heir: self.heir.map(Text),
            unproven: self.unproven,
            ended: self.ended.iter().map(|(slot, end)| (Text(slot.clone()), end.clone().into())).collect(),
        })
    }
}

impl From<RecordForm> for ServiceRecord {
    fn from(form: RecordForm) -> Self {
        form.read(Into::into)
    }
}

impl From<RecordForm<FirstAssignmentForm>> for ServiceRecord {
    fn from(form: RecordForm<FirstAssignmentForm>) -> Self {
        let order = form.revision.order();
        let mut record = form.read(|assigned| assigned.at(order));
        record.revision.since = vec![order; record.revision.spec.images.len()];
        record
    }
}

impl<A> RecordForm<A> {
    fn read(self, assignment: impl Fn(A) -> Assignment) -> ServiceRecord {
        let desired = self.desired.into();
        ServiceRecord {
            id: self.id.0,
            name: self.name.0,
            desired,
            stamp: self.stamp.under(desired),
            revision: self.revision.into(),
            previous: self.previous.map(|form| Arc::new(form.into())),
            slots: self.slots.into_iter().map(|(Text(slot), to)| (slot, assignment(to))).collect(),
            dismissed: self.dismissed.into_iter().map(Into::into).collect::<BTreeSet<_>>(),
            homes: self.homes.into_iter().map(|(Text(volume), home)| (volume, home.into())).collect(),
            holders: self.holders.into_iter().map(|Text(node)| node).collect(),
            heir: self.heir.map(|Text(node)| node),
            unproven: self.unproven,
            ended: self.ended.into_iter().map(|(Text(slot), end)| (slot, end.into())).collect(),
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

impl From<Assignment> for AssignmentForm {
    fn from(assignment: Assignment) -> Self {
        let Assignment { node, engine, fence, revision, pinned, from } = assignment;
        Self {
            node: Text(node),
            engine: Text(engine),
            fence: Text(fence),
            revision: Text(revision),
            pinned,
            from: from.map(|former| (*former).into()),
        }
    }
}

impl From<AssignmentForm> for Assignment {
    fn from(form: AssignmentForm) -> Self {
        Self {
            node: form.node.0,
            engine: form.engine.0,
            fence: form.fence.0,
            revision: form.revision.0,
            pinned: form.pinned,
            from: form.from.map(|former| Box::new(former.into())),
        }
    }
}

impl FirstAssignmentForm {
    fn at(self, revision: RevisionOrder) -> Assignment {
        let Self { node: Text(node), engine: Text(engine), fence: Text(fence), _revision: _ } = self;
        Assignment { node, engine, fence, revision, pinned: false, from: None }
    }
}

impl From<Former> for FormerForm {
    fn from(former: Former) -> Self {
        let Former { node, engine, fence, revision } = former;
        Self { node: Text(node), engine: Text(engine), fence: Text(fence), revision: Text(revision) }
    }
}

impl From<FormerForm> for Former {
    fn from(form: FormerForm) -> Self {
        let FormerForm { node, engine, fence, revision } = form;
        Self { node: node.0, engine: engine.0, fence: fence.0, revision: revision.0 }
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

impl From<Home> for HomeForm {
    fn from(home: Home) -> Self {
        let Home { node, only } = home;
        Self { node: Text(node), only: only.map(Text) }
    }
}

impl From<HomeForm> for Home {
    fn from(form: HomeForm) -> Self {
        let HomeForm { node: Text(node), only } = form;
        Self { node, only: only.map(|Text(fence)| fence) }
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
