//! What an instance is called on its engine, and the labels by which it is found again.

use std::fmt::Write as _;

use motey_core::capability::Device;
use motey_core::id::{NodeId, ServiceId};
use motey_core::record::{InstanceKey, RevisionOrder};
use motey_core::step::Target;
use motey_plugin_ops::Labels;
use sha2::{Digest, Sha256};

const CLUSTER: &str = "motey.cluster";
const NODE: &str = "motey.node";
const SERVICE: &str = "motey.service";
const IMAGE: &str = "motey.image";
const SLOT: &str = "motey.slot";
const FENCE: &str = "motey.fence";
const REVISION: &str = "motey.revision";
const DEVICES: &str = "motey.devices";

/// The longest name that every engine takes: a DNS label.
const LONGEST: usize = 63;

/// How many hexadecimal digits make a name unique.
const DIGITS: usize = 10;

/// Readable, unique over nodes and time, and the same however often it is asked for:
/// `<service>-<slot>-<10 hex of SHA-256 over service id, slot and fence>`.
pub(crate) fn instance_name(target: &Target) -> String {
    let key = &target.key;
    let hash = Sha256::digest(format!("{}\0{}\0{}", key.service, key.slot, key.fence));
    let readable = slug(&format!("{}-{}", target.service_name, key.slot), LONGEST - DIGITS - 1);
    let mut name = if readable.is_empty() { String::new() } else { readable + "-" };
    for byte in &hash[..DIGITS / 2] {
        let _infallible = write!(name, "{byte:02x}");
    }
    name
}

fn slug(text: &str, most: usize) -> String {
    let mut slug = String::with_capacity(most);
    for c in text.chars().flat_map(char::to_lowercase) {
        if slug.len() == most {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The labels of an instance that this node makes.
pub(crate) fn labels(
    key: &InstanceKey,
    cluster: &str,
    node: NodeId,
    revision: RevisionOrder,
    devices: &[Device],
) -> Labels {
    let paths: Vec<&str> = devices.iter().map(|device| device.path.as_str()).collect();
    let devices = (!paths.is_empty()).then(|| (DEVICES, serde_json::json!(paths).to_string()));
    let fixed = [
        (CLUSTER, cluster.to_owned()),
        (NODE, node.to_string()),
        (SERVICE, key.service.to_string()),
        (IMAGE, key.slot.image.to_string()),
        (SLOT, key.slot.to_string()),
        (FENCE, key.fence.to_string()),
        (REVISION, revision.to_string()),
    ];
    fixed.into_iter().chain(devices).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Which instance the labels name; `None` when they are not this node's, or not Motey's.
pub(crate) fn key_of(labels: &Labels, node: NodeId) -> Option<InstanceKey> {
    if labels.get(NODE)?.parse() != Ok(node) {
        return None;
    }
    let service: ServiceId = labels.get(SERVICE)?.parse().ok()?;
    let slot = labels.get(SLOT)?.parse().ok()?;
    let fence = labels.get(FENCE)?.parse().ok()?;
    Some(InstanceKey { service, slot, fence })
}

/// The revision that they say their instance was made from; `None` also where an older Motey wrote its mere number.
pub(crate) fn revision_of(labels: &Labels) -> Option<RevisionOrder> {
    labels.get(REVISION)?.parse().ok()
}

/// The paths of the devices that they say their instance was made with, a list in JSON.
pub(crate) fn devices_of(labels: &Labels) -> Vec<String> {
    labels.get(DEVICES).and_then(|paths| serde_json::from_str(paths).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use motey_core::id::ServiceName;
    use motey_core::record::{Fence, Incarnation};
    use uuid::Uuid;

    use super::*;

    fn target(name: &str) -> Target {
        let owner = NodeId(Uuid::from_u128(1));
        let fence = Fence { epoch: 1, owner, writer: Incarnation { count: 2, nonce: 3 }, n: 4 };
        let slot = "vision-0".parse().expect("a slot");
        let key = InstanceKey { service: ServiceId(Uuid::from_u128(5)), slot, fence };
        Target { key, service_name: ServiceName::new(name).expect("a name"), handle: None }
    }

    fn revision(key: &InstanceKey) -> RevisionOrder {
        let Fence { epoch, owner, writer, .. } = key.fence;
        RevisionOrder { number: 2, epoch, owner, writer }
    }

    #[test]
    fn names_are_readable_and_short() {
        assert_eq!(instance_name(&target("Cell 7: Quality")), "cell-7-quality-vision-0-eee5951549");
        let long = instance_name(&target(&"x".repeat(128)));
        assert_eq!(long.len(), LONGEST);
        assert!(instance_name(&target("日本")).starts_with("vision-0-"));
    }

    #[test]
    fn labels_name_their_instance_on_their_node_alone() {
        let key = target("a").key;
        let device = |path: &str| Device { name: "zigbee".into(), unit: String::new(), path: path.into() };
        let devices = ["/dev/a,b", "/dev/c"].map(device);
        let labels = labels(&key, "hall", key.fence.owner, revision(&key), &devices);
        assert_eq!(devices_of(&labels), ["/dev/a,b", "/dev/c"]);
        assert_eq!(key_of(&labels, key.fence.owner), Some(key));
        assert_eq!(key_of(&labels, NodeId(Uuid::from_u128(9))), None);
    }

    #[test]
    fn labels_tell_the_revision_in_full() {
        let key = target("a").key;
        let mut labels = labels(&key, "hall", key.fence.owner, revision(&key), &[]);
        assert_eq!(labels[REVISION], "2.1.00000000-0000-0000-0000-000000000001.2-00000003");
        assert_eq!(revision_of(&labels), Some(revision(&key)));
        labels.insert(REVISION.into(), "2".into());
        assert_eq!(revision_of(&labels), None);
        labels.remove(REVISION);
        assert_eq!(revision_of(&labels), None);
    }
}
