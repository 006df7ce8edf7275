//! `near` and `apart`: which images of the service share a node with an image, and which do not.
//!
//! An image may be named before it is described, and keys may come from names: so the keys are read first, and
//! looked up when all images are known.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::id::ImageKey;
use motey_core::spec::{ImageSpec, Replicas};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::nearest::nearest;
use crate::read::At;
use crate::report::Report;

/// The keys that an image names, with their places.
pub(crate) struct Named<'n> {
    near: Vec<(ImageKey, At<'n>)>,
    apart: Vec<(ImageKey, At<'n>)>,
}

/// Reads the keys.
pub(crate) fn read<'n>(fields: &Fields<'n>, report: &mut Report<'_>) -> Option<Named<'n>> {
    let mut keys = |key| fields.get(key).map_or(Some(Vec::new()), |at| read_keys(at, report));
    let (near, apart) = (keys("near"), keys("apart"));
    Some(Named { near: near?, apart: apart? })
}

/// A key, or a list of them.
fn read_keys<'n>(at: &At<'n>, report: &mut Report<'_>) -> Option<Vec<(ImageKey, At<'n>)>> {
    let Some(list) = at.as_list() else {
        return read_key(at, report).map(|key| vec![(key, at.clone())]);
    };
    let mut seen = BTreeSet::new();
    let mut keys = Some(Vec::new());
    for at in at.each(list) {
        let Some(key) = read_key(&at, report) else {
            keys = None;
            continue;
        };
        if !seen.insert(key.clone()) {
            report.refuse(Kind::Duplicate, &at, format!("the image `{key}` is here twice: keep one"));
        }
        if let Some(keys) = &mut keys {
            keys.push((key, at));
        }
    }
    keys
}

/// The key of an image.
pub(crate) fn read_key(at: &At<'_>, report: &mut Report<'_>) -> Option<ImageKey> {
    if at.as_map().is_some() {
        return report.wrong_type(at, "an image's key or a list of them");
    }
    let text = report.text(at)?;
    report.checked(at, Kind::Value, ImageKey::new(&text))
}

/// Gives every image the neighbours that it names; `None` when one of them cannot be.
pub(crate) fn resolve(images: &mut [ImageSpec], named: &[&Named<'_>], report: &mut Report<'_>) -> Option<()> {
    let known: BTreeMap<ImageKey, Replicas> =
        images.iter().map(|image| (image.key.clone(), image.replicas)).collect();
    let mut whole = true;
    for (image, named) in images.iter_mut().zip(named) {
        for (key, at) in named.near.iter().chain(&named.apart) {
            whole &= is_known(key, &known, at, report) && is_counted(image, key, known[key], at, report);
        }
        for (key, at) in &named.near {
            let wrong = match named.apart.iter().any(|(apart, _)| apart == key) {
                _ if *key == image.key => "an image is near itself already: `apart` could name it",
                true => "it cannot be near this image and apart from it: drop one of them",
                false => continue,
            };
            report.refuse(Kind::Value, at, wrong);
            whole = false;
        }
        image.neighbours.near = named.near.iter().map(|(key, _)| key.clone()).collect();
        image.neighbours.apart = named.apart.iter().map(|(key, _)| key.clone()).collect();
    }
    whole.then_some(())
}

/// Whether the service has an image of that key, as it must.
pub(crate) fn is_known<T>(
    key: &ImageKey,
    known: &BTreeMap<ImageKey, T>,
    at: &At<'_>,
    report: &mut Report<'_>,
) -> bool {
    if known.contains_key(key) {
        return true;
    }
    let advice = match nearest(key.as_str(), known.keys().map(ImageKey::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "name the `key` of another image".to_owned(),
    };
    report.refuse(Kind::Unknown, at, format!("the service has no image `{key}`: {advice}"));
    false
}

/// Whether both have a number of slots, as neighbours must.
fn is_counted(
    image: &ImageSpec,
    key: &ImageKey,
    replicas: Replicas,
    at: &At<'_>,
    report: &mut Report<'_>,
) -> bool {
    let everywhere = match (image.replicas, replicas) {
        (Replicas::EveryNode, _) => &image.key,
        (_, Replicas::EveryNode) => key,
        _ => return true,
    };
    let message = format!(
        "`{everywhere}` has a slot on every node: this version cannot place others by it, or it by others"
    );
    report.refuse(Kind::Unsupported, at, message);
    false
}
