//! `uses`: which ports of the service's images an image is told of. That says nothing about who comes first.
//!
//! As with neighbours, what is named is read first and looked up when all images are known.

use std::collections::BTreeMap;

use motey_core::id::{ImageKey, PortName};
use motey_core::spec::{ImageSpec, Port, Ports, Use};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::nearest::nearest;
use crate::neighbours::is_known;
use crate::path::quoted;
use crate::read::{At, alternatives};
use crate::report::Report;

/// An image that is used, by which of its ports where that is said, and where it is said.
pub(crate) struct Used<'n> {
    image: ImageKey,
    port: Option<PortName>,
    at: At<'n>,
}

/// Reads what is named: `broker.mqtt`, or `broker` alone.
pub(crate) fn read<'n>(fields: &Fields<'n>, report: &mut Report<'_>) -> Option<Vec<Used<'n>>> {
    let Some(at) = fields.get("uses") else { return Some(Vec::new()) };
    let list = report.list(at)?;
    let all = at.each(list).map(|at| {
        let text = report.text(&at)?;
        let (image, port) = match text.split_once('.') {
            Some((image, port)) => (image, Some(port)),
            None => (text.as_str(), None),
        };
        let image = report.checked(&at, Kind::Value, ImageKey::new(image));
        let port = port.map(|port| report.checked(&at, Kind::Value, PortName::new(port)));
        let port = port.map_or(Some(None), |port| port.map(Some));
        Some(Used { image: image?, port: port?, at })
    });
    all.collect::<Vec<_>>().into_iter().collect()
}

/// Gives every image the ports that it names; `None` when one of them is not there.
pub(crate) fn resolve(
    images: &mut [ImageSpec],
    named: &[&Vec<Used<'_>>],
    report: &mut Report<'_>,
) -> Option<()> {
    if named.iter().all(|named| named.is_empty()) {
        return Some(());
    }
    let known: BTreeMap<ImageKey, Ports> =
        images.iter().map(|image| (image.key.clone(), image.params.ports.clone())).collect();
    let mut whole = true;
    for (image, named) in images.iter_mut().zip(named) {
        let mut told: BTreeMap<String, Use> = BTreeMap::new();
        for Used { image: key, port, at } in *named {
            let found = is_known(key, &known, at, report)
                .then(|| port_of(key, port.as_ref(), &known[key], at, report))
                .flatten();
            let Some(Port { name, host, .. }) = found else {
                whole = false;
                continue;
            };
            let used = Use { image: key.clone(), port: name.clone(), number: *host };
            if is_alone(&used, &told, image, at, report) {
                image.uses.push(used.clone());
                told.insert(used.variable(), used);
            } else {
                whole = false;
            }
        }
    }
    whole.then_some(())
}

/// The port of that name, or the only one.
fn port_of<'p>(
    key: &ImageKey,
    name: Option<&PortName>,
    ports: &'p Ports,
    at: &At<'_>,
    report: &mut Report<'_>,
) -> Option<&'p Port> {
    let found = match name {
        Some(name) => ports.get(name),
        None => ports.iter().next().filter(|_| ports.iter().nth(1).is_none()),
    };
    if found.is_some() {
        return found;
    }
    let names = || ports.iter().map(|port| port.name.as_str());
    let listed = alternatives(
        names().map(|name| format!("{key}.{name}")).collect::<Vec<_>>().iter().map(String::as_str),
    );
    let message = match name {
        _ if ports.is_empty() => {
            format!(
                "`{key}` has no port: give it one, as in `ports: {{ http: {{ container: 80, host: 8080 }} }}`"
            )
        }
        None => format!("`{key}` has several ports: write {listed}"),
        Some(name) => match nearest(name.as_str(), names()) {
            Some(meant) => format!("`{key}` has no port `{name}`: did you mean `{key}.{meant}`?"),
            None => format!("`{key}` has no port `{name}`: write {listed}"),
        },
    };
    report.refuse(Kind::Unknown, at, message);
    None
}

/// Whether nothing else is told in the variable that this is told in.
fn is_alone(
    used: &Use,
    told: &BTreeMap<String, Use>,
    image: &ImageSpec,
    at: &At<'_>,
    report: &mut Report<'_>,
) -> bool {
    let variable = used.variable();
    let message = match told.get(&variable) {
        Some(other) if other == used => format!("`{used}` is here twice: keep one"),
        Some(other) => format!("`{used}` and `{other}` would both be told in {variable}: rename one of them"),
        None if image.params.environment.contains_key(&variable) => {
            format!("the variable {} is under `environment`, too: drop one of them", quoted(&variable))
        }
        None => return true,
    };
    report.refuse(Kind::Duplicate, at, message);
    false
}
