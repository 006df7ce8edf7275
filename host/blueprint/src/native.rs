//! Motey's own blueprint: a service and its images.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use motey_core::id::{EngineName, ImageKey, ServiceName, VolumeName};
use motey_core::spec::{
    Health, ImageSpec, MAX_REPLICAS, MAX_SLOTS, Mount, Need, Neighbours, OnLoss, OnNodeLoss, Params,
    Replicas, Restart, Run,
};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::key::{self, Keys};
use crate::neighbours::Named;
use crate::order::First;
use crate::path::quoted;
use crate::read::{At, is_null};
use crate::report::Report;
use crate::schema::Level;
use crate::tree::{Node, Value};
use crate::uses::Used;
use crate::{health, need, neighbours, order, parameters, uses};

/// Characters of an image's name.
const LONGEST_NAME: usize = 1024;

const RESTARTS: &[(&str, Restart)] =
    &[("always", Restart::Always), ("on-failure", Restart::OnFailure), ("never", Restart::Never)];

const RUNS: &[(&str, Run)] = &[("service", Run::Service), ("job", Run::Job)];

const LOSSES: &[(&str, OnLoss)] = &[("keep", OnLoss::Keep), ("stop", OnLoss::Stop), ("move", OnLoss::Move)];

/// As `replicas`, what has a slot on every node.
const EVERY_NODE: &str = "every-node";

const NODE_LOSSES: &[(&str, OnNodeLoss)] =
    &[("reschedule", OnNodeLoss::Reschedule), ("wait", OnNodeLoss::Wait)];

/// What stands at the top level.
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    pub(crate) images: Vec<Arc<ImageSpec>>,
    pub(crate) on_node_loss: OnNodeLoss,
}

/// Reads the whole blueprint; without a result only when a mistake was noted.
pub(crate) fn service(root: Option<&Node>, report: &mut Report<'_>) -> Option<Service> {
    let fields = Fields::of(top_level(root, report)?, Level::Service, report)?;
    let name = fields.required("service_name", report).and_then(|at| {
        let text = report.text(at)?;
        report.checked(at, Kind::Value, ServiceName::new(&text))
    });
    let images = fields.required("images", report).and_then(|at| images(at, report));
    let loss = fields.get("on_node_loss").map(|at| (at, report.choice(at, NODE_LOSSES)));
    let images = images?;
    let on_node_loss = match loss {
        None => OnNodeLoss::default(),
        Some((at, loss)) => loss.filter(|loss| can_do(*loss, &images, at, report))?,
    };
    Some(Service { name: name?, images, on_node_loss })
}

/// Data does not move: what uses it waits for it.
fn can_do(loss: OnNodeLoss, images: &[Arc<ImageSpec>], at: &At<'_>, report: &mut Report<'_>) -> bool {
    let has_data = |image: &&Arc<ImageSpec>| {
        image.replicas != Replicas::EveryNode && image.params.mounts.iter().any(|it| it.volume().is_some())
    };
    let Some(image) = images.iter().find(has_data).filter(|_| loss == OnNodeLoss::Reschedule) else {
        return true;
    };
    let message = format!(
        "`{}` has a volume, whose data is on one node: it waits for that node; write `wait`, or leave this out",
        image.key
    );
    report.refuse(Kind::Value, at, message);
    false
}

fn top_level<'n>(root: Option<&'n Node>, report: &mut Report<'_>) -> Option<At<'n>> {
    let wanted = "a blueprint is a map with `service_name` and `images`";
    let (kind, start, message) = match root.map(|node| (&node.value, node)) {
        Some((Value::Map(_), node)) => return Some(At::root(node)),
        Some((Value::List(_), node)) => {
            (Kind::Type, node.start, format!("the top level is a list: {wanted}"))
        }
        Some((Value::Scalar(scalar), node)) if !is_null(scalar) => {
            (Kind::Type, node.start, format!("the top level is the text {}: {wanted}", quoted(&scalar.text)))
        }
        _ if report.is_clean() => (Kind::Missing, 0, format!("the blueprint is empty: {wanted}")),
        _ => return None,
    };
    report.add(kind, "", start, message);
    None
}

/// An image that has everything but, perhaps, its key, and does not know those of the others.
struct Draft<'n> {
    key: Option<ImageKey>,
    base: String,
    image: String,
    engines: Vec<EngineName>,
    replicas: Replicas,
    need: Need,
    params: Params,
    run: Run,
    restart: Restart,
    health: Option<Health>,
    on_loss: OnLoss,
    mentions: Mentions<'n>,
}

/// What an image says of others.
struct Mentions<'n> {
    neighbours: Named<'n>,
    firsts: Vec<First<'n>>,
    uses: Vec<Used<'n>>,
}

fn images(at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<Arc<ImageSpec>>> {
    let list = report.list(at)?;
    if list.items.is_empty() && list.whole {
        report.refuse(Kind::Missing, at, "a service needs at least one image: add one");
        return None;
    }
    let mut keys = Keys::default();
    let mut users = HashMap::new();
    let drafts: Vec<Option<Draft<'_>>> =
        at.each(list).map(|entry| image(entry, &mut keys, &mut users, report)).collect();
    let drafts = drafts.into_iter().collect::<Option<Vec<_>>>()?;
    let slots: usize = drafts.iter().map(|draft| slots_of(draft.replicas)).sum();
    if slots > MAX_SLOTS {
        let message = format!(
            "the images have {slots} replicas together and {MAX_SLOTS} are allowed: split the service"
        );
        report.refuse(Kind::Limit, at, message);
        return None;
    }
    let finished: Option<Vec<_>> = drafts.into_iter().map(|draft| finished(draft, &mut keys)).collect();
    let (mut images, mentions): (Vec<ImageSpec>, Vec<Mentions<'_>>) = finished?.into_iter().unzip();
    let neighbours: Vec<_> = mentions.iter().map(|mentions| &mentions.neighbours).collect();
    let firsts: Vec<_> = mentions.iter().map(|mentions| &mentions.firsts).collect();
    let uses: Vec<_> = mentions.iter().map(|mentions| &mentions.uses).collect();
    let placed = neighbours::resolve(&mut images, &neighbours, report);
    let ordered = order::resolve(&mut images, &firsts, report);
    let told = uses::resolve(&mut images, &uses, report);
    placed.and(ordered).and(told)?;
    share_volumes(&images, at, report)?;
    Some(images.into_iter().map(Arc::new).collect())
}

/// A volume is in one place, or in every one.
fn share_volumes(images: &[ImageSpec], at: &At<'_>, report: &mut Report<'_>) -> Option<()> {
    let mut users: BTreeMap<&VolumeName, &ImageSpec> = BTreeMap::new();
    let mut whole = true;
    for image in images {
        let everywhere = |image: &ImageSpec| image.replicas == Replicas::EveryNode;
        for volume in image.params.mounts.iter().filter_map(Mount::volume) {
            let first = *users.entry(volume).or_insert(image);
            if everywhere(first) != everywhere(image) {
                let message = format!(
                    "the volume {} is one on each node for one of `{}` and `{}`, and one alone for the other: give each \
                     its own",
                    quoted(volume.as_str()),
                    first.key,
                    image.key
                );
                report.refuse(Kind::Value, at, message);
                whole = false;
            }
        }
    }
    whole.then_some(())
}

/// Those that are there wherever it is placed.
fn slots_of(replicas: Replicas) -> usize {
    match replicas {
        Replicas::Count(count) => usize::from(count),
        Replicas::EveryNode => 0,
    }
}

fn finished<'n>(draft: Draft<'n>, keys: &mut Keys) -> Option<(ImageSpec, Mentions<'n>)> {
    let Draft { key, base, image, engines, replicas, need, params, run, restart, health, on_loss, mentions } =
        draft;
    let key = match key {
        Some(key) => key,
        None => keys.derive(&base)?,
    };
    let spec = ImageSpec {
        key,
        image,
        engines,
        replicas,
        need: need.into(),
        params,
        uses: Vec::new(),
        run,
        after: Vec::new(),
        restart,
        health,
        on_loss,
        neighbours: Neighbours::default(),
    };
    Some((spec, mentions))
}

fn image<'n>(
    at: At<'n>,
    keys: &mut Keys,
    users: &mut HashMap<ImageKey, String>,
    report: &mut Report<'_>,
) -> Option<Draft<'n>> {
    let place = at.path.clone();
    let fields = Fields::of(at, Level::Image, report)?;
    let image = fields.required("name", report).and_then(|at| image_name(at, report));
    let key =
        fields.get("key").map_or(Some(None), |at| chosen_key(at, &place, keys, users, report).map(Some));
    let engines = fields.get("engine").map_or(Some(Vec::new()), |at| engines(at, report));
    let replicas = fields.get("replicas").map_or(Some(Replicas::Count(1)), |at| replicas(at, report));
    let need = fields.get("capabilities").map_or(Some(Need::nothing()), |at| need::read(at, report));
    let life = life(&fields, report);
    let health = fields.get("health").map_or(Some(None), |at| health::read(at, report).map(Some));
    let on_loss = fields.get("on_capability_loss").map(|at| report.choice(at, LOSSES));
    let neighbours = neighbours::read(&fields, report);
    let firsts = order::read(&fields, report);
    let uses = uses::read(&fields, report);
    let parameters = match fields.get("parameters") {
        Some(at) => parameters::read(at, report),
        None => Some(parameters::Parameters::default()),
    };
    let (image, key, parameters) = (image?, key?, parameters?);
    let base = key::base(parameters.container_name.as_deref().unwrap_or(&image));
    let (engines, replicas, need, (run, restart), health) = (engines?, replicas?, need?, life?, health?);
    let on_loss = on_loss.unwrap_or_else(|| Some(usual_on_loss(replicas)))?;
    let mentions = Mentions { neighbours: neighbours?, firsts: firsts?, uses: uses? };
    Some(Draft {
        key,
        base,
        image,
        engines,
        replicas,
        need,
        params: parameters.params,
        run,
        restart,
        health,
        on_loss,
        mentions,
    })
}

/// What has a slot on every node that fits has none on one that fits no more.
fn usual_on_loss(replicas: Replicas) -> OnLoss {
    match replicas {
        Replicas::Count(_) => OnLoss::Keep,
        Replicas::EveryNode => OnLoss::Move,
    }
}

/// Whether it runs for ever or to its end, and when it is started again.
fn life(fields: &Fields<'_>, report: &mut Report<'_>) -> Option<(Run, Restart)> {
    let run = fields.get("run").map_or(Some(Run::default()), |at| report.choice(at, RUNS));
    let restart = fields.get("restart").map(|at| (at, report.choice(at, RESTARTS)));
    match (run?, restart) {
        (Run::Service, None) => Some((Run::Service, Restart::default())),
        (Run::Job, None) => Some((Run::Job, Restart::OnFailure)),
        (Run::Job, Some((at, Some(Restart::Always)))) => {
            let message = "a job that has done its work is not started again: write `on-failure` or `never`, or leave \
                `restart` out";
            report.refuse(Kind::Value, at, message);
            None
        }
        (run, Some((_, restart))) => Some((run, restart?)),
    }
}

fn image_name(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let name = report.text(at)?;
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if !fits {
        let rule = format!("1 to {LONGEST_NAME} characters, no control characters, no spaces around it");
        report.refuse(Kind::Value, at, format!("{} is not a valid image name: {rule}", quoted(&name)));
    }
    fits.then_some(name)
}

fn chosen_key(
    at: &At<'_>,
    image: &str,
    keys: &mut Keys,
    users: &mut HashMap<ImageKey, String>,
    report: &mut Report<'_>,
) -> Option<ImageKey> {
    let text = report.text(at)?;
    let key = report.checked(at, Kind::Value, ImageKey::new(&text))?;
    if keys.take(&key) {
        users.insert(key.clone(), image.to_owned());
        return Some(key);
    }
    let first = users.get(&key).map_or("another image", String::as_str);
    report.refuse(Kind::Duplicate, at, format!("{first} has the key `{key}` too: give each image its own"));
    None
}

fn engines(at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<EngineName>> {
    let Some(list) = at.as_list() else {
        return engine(at, report).map(|engine| vec![engine]);
    };
    if list.items.is_empty() && list.whole {
        report.refuse(Kind::Value, at, "names no engine: name one, or leave `engine` out for any that can");
        return None;
    }
    let mut engines = Vec::new();
    for at in at.each(list) {
        let Some(engine) = engine(&at, report) else { continue };
        if engines.contains(&engine) {
            report.refuse(
                Kind::Duplicate,
                &at,
                format!("the engine `{engine}` is here twice: keep the first"),
            );
        } else {
            engines.push(engine);
        }
    }
    Some(engines)
}

fn engine(at: &At<'_>, report: &mut Report<'_>) -> Option<EngineName> {
    if at.as_map().is_some() {
        return report.wrong_type(at, "an engine's name or a list of them");
    }
    let text = report.text(at)?;
    report.checked(at, Kind::Value, EngineName::new(&text))
}

fn replicas(at: &At<'_>, report: &mut Report<'_>) -> Option<Replicas> {
    if matches!(&at.node.value, Value::Scalar(scalar) if scalar.text == EVERY_NODE) {
        return Some(Replicas::EveryNode);
    }
    let count = report.whole(at)?;
    if !(1..=u64::from(MAX_REPLICAS)).contains(&count) {
        report.refuse(
            Kind::Value,
            at,
            format!("{count} replicas are not possible: write 1 to {MAX_REPLICAS}, or `{EVERY_NODE}`"),
        );
        return None;
    }
    u16::try_from(count).ok().map(Replicas::Count)
}
