//! `depends_on`: which images of the service come before an image, and how far they must be.
//!
//! As with neighbours, the keys are read first and looked up when all images are known.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::id::ImageKey;
use motey_core::spec::{ImageSpec, Ready, Run};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::neighbours::{is_known, read_key};
use crate::read::At;
use crate::report::Report;

const READIES: &[(&str, Ready)] =
    &[("started", Ready::Started), ("healthy", Ready::Healthy), ("completed", Ready::Completed)];

/// Keys of a cycle that are told.
const MOST_TOLD: usize = 8;

/// An image that comes first, how far it must be, and where that is said.
pub(crate) struct First<'n> {
    key: ImageKey,
    ready: Ready,
    at: At<'n>,
}

/// Reads the keys: a list of them, or a map that says of each how far it must be.
pub(crate) fn read<'n>(fields: &Fields<'n>, report: &mut Report<'_>) -> Option<Vec<First<'n>>> {
    let Some(at) = fields.get("depends_on") else { return Some(Vec::new()) };
    if at.as_map().is_some() { read_map(at, report) } else { read_list(at, report) }
}

fn read_list<'n>(at: &At<'n>, report: &mut Report<'_>) -> Option<Vec<First<'n>>> {
    let Some(list) = at.as_list() else {
        return report.wrong_type(at, "a list of image keys, or a map such as `{ db: healthy }`");
    };
    let mut seen = BTreeSet::new();
    let mut firsts = Some(Vec::new());
    for at in at.each(list) {
        let Some(key) = read_key(&at, report) else {
            firsts = None;
            continue;
        };
        if !seen.insert(key.clone()) {
            report.refuse(Kind::Duplicate, &at, format!("the image `{key}` is here twice: keep one"));
        }
        if let Some(firsts) = &mut firsts {
            firsts.push(First { key, ready: Ready::Started, at });
        }
    }
    firsts
}

fn read_map<'n>(at: &At<'n>, report: &mut Report<'_>) -> Option<Vec<First<'n>>> {
    let mut firsts = Some(Vec::new());
    for entry in &report.map(at)?.items {
        let at = at.value_of(entry);
        let key = ImageKey::new(&entry.key);
        if let Err(error) = &key {
            report.add(Kind::Value, &at.path, entry.key_start, error.to_string());
        }
        match (key, report.choice(&at, READIES), &mut firsts) {
            (Ok(key), Some(ready), Some(firsts)) => firsts.push(First { key, ready, at }),
            _ => firsts = None,
        }
    }
    firsts
}

/// Gives every image those that come first; `None` when one of them cannot be.
pub(crate) fn resolve(
    images: &mut [ImageSpec],
    firsts: &[&Vec<First<'_>>],
    report: &mut Report<'_>,
) -> Option<()> {
    let runs: BTreeMap<ImageKey, Run> = images.iter().map(|image| (image.key.clone(), image.run)).collect();
    let mut whole = true;
    for (image, firsts) in images.iter_mut().zip(firsts) {
        for First { key, ready, at } in *firsts {
            whole &=
                is_known(key, &runs, at, report) && is_possible(image, key, runs[key], *ready, at, report);
        }
        image.after = firsts.iter().map(|first| (first.key.clone(), first.ready)).collect();
    }
    let in_order = is_acyclic(images, firsts, report);
    (whole && in_order).then_some(())
}

fn is_possible(
    image: &ImageSpec,
    key: &ImageKey,
    run: Run,
    ready: Ready,
    at: &At<'_>,
    report: &mut Report<'_>,
) -> bool {
    if *key == image.key {
        report.refuse(Kind::Value, at, "an image cannot come after itself: name another one, or drop it");
        return false;
    }
    if ready == Ready::Completed && run != Run::Job {
        let message = format!(
            "`{key}` never completes, it runs for ever: give it `run: job`, or wait until it is `started` or `healthy`"
        );
        report.refuse(Kind::Value, at, message);
        return false;
    }
    true
}

/// Whether the images can be put in an order; every ring of them is told once, where it is entered.
fn is_acyclic(images: &[ImageSpec], firsts: &[&Vec<First<'_>>], report: &mut Report<'_>) -> bool {
    let mut left: BTreeMap<&ImageKey, &Vec<First<'_>>> =
        images.iter().map(|image| &image.key).zip(firsts.iter().copied()).collect();
    let mut in_order = true;
    loop {
        drop_ordered(&mut left);
        let Some((start, _)) = left.first_key_value() else { return in_order };
        in_order = false;
        let ring = ring_from(start, &left);
        // of an image that comes after itself that was told
        if ring.len() > 1 {
            tell(&ring, report);
        }
        if report.is_full() {
            return false;
        }
        left.retain(|key, _| ring.iter().all(|(of_ring, _)| of_ring != key));
    }
}

/// Takes out all that come after none of the others, again and again.
fn drop_ordered(left: &mut BTreeMap<&ImageKey, &Vec<First<'_>>>) {
    let mut waits: BTreeMap<&ImageKey, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&ImageKey, Vec<&ImageKey>> = BTreeMap::new();
    for (key, firsts) in left.iter() {
        let firsts: BTreeSet<_> =
            firsts.iter().map(|first| &first.key).filter(|key| left.contains_key(key)).collect();
        waits.insert(key, firsts.len());
        firsts.into_iter().for_each(|first| followers.entry(first).or_default().push(key));
    }
    let mut free: Vec<&ImageKey> = waits.iter().filter(|(_, n)| **n == 0).map(|(key, _)| *key).collect();
    while let Some(key) = free.pop() {
        left.remove(key);
        for follower in followers.remove(key).unwrap_or_default() {
            let Some(n) = waits.get_mut(follower) else { continue };
            *n -= 1;
            if *n == 0 {
                free.push(follower);
            }
        }
    }
}

/// The ring that is come to from `start`: each with the entry that names the next one. All that are left come after
/// another one that is.
fn ring_from<'a, 'n>(
    start: &'a ImageKey,
    left: &BTreeMap<&'a ImageKey, &'a Vec<First<'n>>>,
) -> Vec<(&'a ImageKey, &'a First<'n>)> {
    let mut way: Vec<(&ImageKey, &First<'n>)> = Vec::new();
    let mut met = BTreeMap::new();
    let mut key = start;
    while let Some(first) = left.get(key).and_then(|all| all.iter().find(|it| left.contains_key(&it.key))) {
        if let Some(at) = met.insert(key, way.len()) {
            return way.split_off(at);
        }
        way.push((key, first));
        key = &first.key;
    }
    way
}

fn tell(ring: &[(&ImageKey, &First<'_>)], report: &mut Report<'_>) {
    let Some((first, entry)) = ring.first() else { return };
    let names = ring.iter().map(|(_, next)| format!("`{}`", next.key)).take(MOST_TOLD).collect::<Vec<_>>();
    let more = if ring.len() > MOST_TOLD { " after …" } else { "" };
    let names = names.join(" after ");
    let message =
        format!("`{first}` comes after {names}{more}: none of them could be the first, drop one of these");
    report.refuse(Kind::Value, &entry.at, message);
}
