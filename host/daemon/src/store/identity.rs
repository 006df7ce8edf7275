//! Who a node is: an id that is drawn once and kept in the file `node-id` of its state directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use motey_core::id::NodeId;
use uuid::Uuid;

use super::draft::Draft;
use super::state_dir::StateDir;

/// Why the id of a node could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file holds something else.
    #[error(
        "{path} holds no node id: put the node's UUID back into it; remove it only if this node shall be a new one",
        path = path.display()
    )]
    NotAnId {
        /// The file.
        path: PathBuf,
        /// Why.
        source: uuid::Error,
    },
    /// There is none, and the state is somebody's.
    #[error(
        "{path} is missing although this node has services, of which none would be found again: put the node's id back \
         into it, which is {owner} by the services' records",
        path = path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// Who owned the services.
        owner: NodeId,
    },
    /// It cannot be read or written.
    #[error("cannot use {}, where the node's id is kept", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The node's id. The first time it is `draw`n, and durable once this returns. `owner` is who owns what is stored.
///
/// # Errors
/// When the file cannot be used, or is missing beside a state that has an owner. A file that holds no id is never
/// replaced.
pub fn node_id(
    state_dir: &StateDir,
    owner: Option<NodeId>,
    draw: impl FnOnce() -> Uuid,
) -> Result<NodeId, IdentityError> {
    let path = state_dir.path().join("node-id");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|source| IdentityError::NotAnId { path, source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(owner) = owner {
                return Err(IdentityError::Lost { path, owner });
            }
            let id = NodeId(draw());
            keep(&path, id).map_err(|source| IdentityError::Io { path, source })?;
            Ok(id)
        }
        Err(source) => Err(IdentityError::Io { path, source }),
    }
}

fn keep(path: &Path, id: NodeId) -> io::Result<()> {
    let draft = Draft::of(path)?;
    fs::write(draft.path(), format!("{id}\n"))?;
    draft.publish()
}
