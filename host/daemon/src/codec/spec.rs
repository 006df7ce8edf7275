//! The written form of a spec.

mod health;
mod port;

use std::collections::BTreeMap;
use std::sync::Arc;

use motey_core::id::{EngineName, ImageKey, VolumeName};
use motey_core::spec::{
    Format, ImageSpec, Mount, MountSource, Need, Neighbours, OnLoss, OnNodeLoss, Params, Port, Ready,
    Replicas, Restart, Run, Source, Spec, StopRule,
};
use serde::{Deserialize, Serialize};

use self::health::HealthForm;
use self::port::{PortForm, UseForm};
use super::need::NeedForm;
use super::text::Text;
use super::{CodecError, MAX_NEED_DEPTH};

#[derive(Serialize, Deserialize)]
pub(super) struct SpecForm {
    images: Vec<ImageForm>,
    #[serde(default, skip_serializing_if = "OnNodeLossForm::is_reschedule")]
    on_node_loss: OnNodeLossForm,
    source: SourceForm,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnNodeLossForm {
    #[default]
    Reschedule,
    Wait,
}

#[derive(Serialize, Deserialize)]
struct SourceForm {
    format: FormatForm,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatForm {
    Yaml,
    Json,
}

#[derive(Serialize, Deserialize)]
struct ImageForm {
    key: Text<ImageKey>,
    image: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    engines: Vec<Text<EngineName>>,
    replicas: ReplicasForm,
    need: NeedForm,
    params: ParamsForm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uses: Vec<UseForm>,
    #[serde(default, skip_serializing_if = "RunForm::is_service")]
    run: RunForm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after: Vec<(Text<ImageKey>, ReadyForm)>,
    restart: RestartForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<HealthForm>,
    #[serde(default, skip_serializing_if = "OnLossForm::is_keep")]
    on_loss: OnLossForm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    near: Vec<Text<ImageKey>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    apart: Vec<Text<ImageKey>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ReplicasForm {
    Count(u16),
    Named(NamedReplicas),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedReplicas {
    EveryNode,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunForm {
    #[default]
    Service,
    Job,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReadyForm {
    Started,
    Healthy,
    Completed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RestartForm {
    Always,
    OnFailure,
    Never,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnLossForm {
    #[default]
    Keep,
    Stop,
    Move,
}

#[derive(Serialize, Deserialize)]
struct ParamsForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    stop: StopForm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mounts: Vec<MountForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ports: Vec<PortForm>,
}

#[derive(Serialize, Deserialize)]
struct MountForm {
    source: MountSourceForm,
    target: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MountSourceForm {
    Volume(Text<VolumeName>),
    Path(String),
}

#[derive(Serialize, Deserialize)]
struct StopForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    grace_ms: u64,
}

impl SpecForm {
    pub(super) fn new(spec: &Spec) -> Result<Self, CodecError> {
        let images = spec.images.iter().map(|image| ImageForm::new(image)).collect::<Result<_, _>>()?;
        let Source { format, text } = &spec.source;
        let format = match format {
            Format::Yaml => FormatForm::Yaml,
            Format::Json => FormatForm::Json,
        };
        let on_node_loss = match spec.on_node_loss {
            OnNodeLoss::Reschedule => OnNodeLossForm::Reschedule,
            OnNodeLoss::Wait => OnNodeLossForm::Wait,
        };
        Ok(Self { images, on_node_loss, source: SourceForm { format, text: text.as_ref().into() } })
    }
}

impl From<SpecForm> for Spec {
    fn from(form: SpecForm) -> Self {
        let format = match form.source.format {
            FormatForm::Yaml => Format::Yaml,
            FormatForm::Json => Format::Json,
        };
        Self {
            images: form.images.into_iter().map(|image| Arc::new(image.into())).collect(),
            on_node_loss: match form.on_node_loss {
                OnNodeLossForm::Reschedule => OnNodeLoss::Reschedule,
                OnNodeLossForm::Wait => OnNodeLoss::Wait,
            },
            source: Source { format, text: form.source.text.into() },
        }
    }
}

impl ImageForm {
    fn new(image: &ImageSpec) -> Result<Self, CodecError> {
        let ImageSpec {
            key,
            image,
            engines,
            replicas,
            need,
            params,
            uses,
            run,
            after,
            restart,
            health,
            on_loss,
            neighbours,
        } = image.clone();
        let Neighbours { near, apart } = neighbours;
        let need = NeedForm::new(need.into(), MAX_NEED_DEPTH)
            .ok_or_else(|| CodecError::TooDeep { image: key.to_string() })?;
        Ok(Self {
            key: Text(key),
            image,
            engines: engines.into_iter().map(Text).collect(),
            replicas: replicas.into(),
            need,
            params: params.into(),
            uses: uses.into_iter().map(Into::into).collect(),
            run: run.into(),
            after: after.into_iter().map(|(key, ready)| (Text(key), ready.into())).collect(),
            restart: restart.into(),
            health: health.map(Into::into),
            on_loss: on_loss.into(),
            near: near.into_iter().map(Text).collect(),
            apart: apart.into_iter().map(Text).collect(),
        })
    }
}

impl From<ImageForm> for ImageSpec {
    fn from(form: ImageForm) -> Self {
        let ImageForm {
            key: Text(key),
            image,
            engines,
            replicas,
            need,
            params,
            uses,
            run,
            after,
            restart,
            health,
            on_loss,
            near,
            apart,
        } = form;
        let keys = |keys: Vec<Text<ImageKey>>| keys.into_iter().map(|Text(key)| key).collect();
        Self {
            key,
            image,
            engines: engines.into_iter().map(|Text(engine)| engine).collect(),
            replicas: replicas.into(),
            need: Need::from(need).into(),
            params: params.into(),
            uses: uses.into_iter().map(Into::into).collect(),
            run: run.into(),
            after: after.into_iter().map(|(Text(key), ready)| (key, ready.into())).collect(),
            restart: restart.into(),
            health: health.map(Into::into),
            on_loss: on_loss.into(),
            neighbours: Neighbours { near: keys(near), apart: keys(apart) },
        }
    }
}

impl From<Replicas> for ReplicasForm {
    fn from(replicas: Replicas) -> Self {
        match replicas {
            Replicas::Count(count) => Self::Count(count),
            Replicas::EveryNode => Self::Named(NamedReplicas::EveryNode),
        }
    }
}

impl From<ReplicasForm> for Replicas {
    fn from(form: ReplicasForm) -> Self {
        match form {
            ReplicasForm::Count(count) => Self::Count(count),
            ReplicasForm::Named(NamedReplicas::EveryNode) => Self::EveryNode,
        }
    }
}

impl OnNodeLossForm {
    fn is_reschedule(&self) -> bool {
        *self == Self::Reschedule
    }
}

impl RunForm {
    fn is_service(&self) -> bool {
        *self == Self::Service
    }
}

impl From<Run> for RunForm {
    fn from(run: Run) -> Self {
        match run {
            Run::Service => Self::Service,
            Run::Job => Self::Job,
        }
    }
}

impl From<RunForm> for Run {
    fn from(form: RunForm) -> Self {
        match form {
            RunForm::Service => Self::Service,
            RunForm::Job => Self::Job,
        }
    }
}

impl From<Ready> for ReadyForm {
    fn from(ready: Ready) -> Self {
        match ready {
            Ready::Started => Self::Started,
            Ready::Healthy => Self::Healthy,
            Ready::Completed => Self::Completed,
        }
    }
}

impl From<ReadyForm> for Ready {
    fn from(form: ReadyForm) -> Self {
        match form {
            ReadyForm::Started => Self::Started,
            ReadyForm::Healthy => Self::Healthy,
            ReadyForm::Completed => Self::Completed,
        }
    }
}

impl From<Restart> for RestartForm {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Always => Self::Always,
            Restart::OnFailure => Self::OnFailure,
            Restart::Never => Self::Never,
        }
    }
}

impl From<RestartForm> for Restart {
    fn from(form: RestartForm) -> Self {
        match form {
            RestartForm::Always => Self::Always,
            RestartForm::OnFailure => Self::OnFailure,
            RestartForm::Never => Self::Never,
        }
    }
}

impl OnLossForm {
    fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

impl From<OnLoss> for OnLossForm {
    fn from(on_loss: OnLoss) -> Self {
        match on_loss {
            OnLoss::Keep => Self::Keep,
            OnLoss::Stop => Self::Stop,
            OnLoss::Move => Self::Move,
        }
    }
}

impl From<OnLossForm> for OnLoss {
    fn from(form: OnLossForm) -> Self {
        match form {
            OnLossForm::Keep => Self::Keep,
            OnLossForm::Stop => Self::Stop,
            OnLossForm::Move => Self::Move,
        }
    }
}

impl From<Params> for ParamsForm {
    fn from(params: Params) -> Self {
        let Params { command, environment, working_dir, stop, mounts, ports } = params;
        let StopRule { signal, grace } = stop;
        let mounts = mounts.into_iter().map(Into::into).collect();
        let ports = ports.iter().cloned().map(Into::into).collect();
        Self { command, environment, working_dir, stop: StopForm { signal, grace_ms: grace }, mounts, ports }
    }
}

impl From<ParamsForm> for Params {
    fn from(form: ParamsForm) -> Self {
        let ParamsForm { command, environment, working_dir, stop, mounts, ports } = form;
        let StopForm { signal, grace_ms } = stop;
        let mounts = mounts.into_iter().map(Into::into).collect();
        let ports = ports.into_iter().map(Into::into).collect::<Vec<Port>>().into();
        Self { command, environment, working_dir, stop: StopRule { signal, grace: grace_ms }, mounts, ports }
    }
}

impl From<Mount> for MountForm {
    fn from(mount: Mount) -> Self {
        let Mount { source, target, read_only } = mount;
        let source = match source {
            MountSource::Volume(name) => MountSourceForm::Volume(Text(name)),
            MountSource::Path(path) => MountSourceForm::Path(path),
        };
        Self { source, target, read_only }
    }
}

impl From<MountForm> for Mount {
    fn from(form: MountForm) -> Self {
        let MountForm { source, target, read_only } = form;
        let source = match source {
            MountSourceForm::Volume(Text(name)) => MountSource::Volume(name),
            MountSourceForm::Path(path) => MountSource::Path(path),
        };
        Self { source, target, read_only }
    }
}
