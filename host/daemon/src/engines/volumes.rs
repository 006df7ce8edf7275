//! The directories of volumes on this node, one for each volume of each service. What becomes of their content is the
//! service's affair: none is ever removed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use motey_core::id::{ServiceId, VolumeName};
use motey_core::spec::{Mount, MountSource};
use motey_plugin_ops as ops;

/// Below this one.
#[derive(Debug)]
pub(super) struct Volumes(pub PathBuf);

impl Volumes {
    /// What is mounted into an instance, with the directories that are needed for it made.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn prepare(&self, service: ServiceId, mounts: &[Mount]) -> Result<Vec<ops::Mount>, ops::Error> {
        mounts.iter().map(|mount| self.mount(service, mount)).collect()
    }

    fn mount(&self, service: ServiceId, mount: &Mount) -> Result<ops::Mount, ops::Error> {
        let source = match &mount.source {
            MountSource::Volume(name) => self.directory(service, name)?,
            MountSource::Path(path) => path.clone(),
        };
        Ok(ops::Mount { source, target: mount.target.clone(), read_only: mount.read_only })
    }

    fn directory(&self, service: ServiceId, name: &VolumeName) -> Result<String, ops::Error> {
        let path = self.0.join(service.to_string()).join(name.as_str());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        let failed = |why: String| {
            let message =
                format!("the directory {} of the volume {name} cannot be made: {why}", path.display());
            ops::Error::failed(message).hint("see to the node's disk and its state directory").retryable(true)
        };
        made.map_err(|error| failed(error.to_string()))?;
        path.to_str().map(str::to_owned).ok_or_else(|| failed("it is not UTF-8".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_volume_is_made_once_for_its_owner_alone_and_a_path_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let volumes = Volumes(dir.path().join("volumes"));
        let service = ServiceId(uuid::Uuid::from_u128(7));
        let source = MountSource::Volume("data".parse().expect("a name"));
        let data = Mount { source, target: "/var/data".into(), read_only: false };
        let bind = Mount { source: MountSource::Path("/none".into()), target: "/in".into(), read_only: true };
        let both = [data, bind];
        let mounts = volumes.prepare(service, &both).expect("they can be made");
        let path = dir.path().join(format!("volumes/{service}/data"));
        assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, 0o700);
        let told: Vec<_> =
            mounts.iter().map(|it| (it.source.as_str(), it.target.as_str(), it.read_only)).collect();
        assert_eq!(told, [(path.to_str().expect("text"), "/var/data", false), ("/none", "/in", true)]);
        std::fs::write(path.join("kept"), "x").expect("it is writable");
        assert_eq!(volumes.prepare(service, &both), Ok(mounts));
        assert!(path.join("kept").exists());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_said() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let source = MountSource::Volume("data".parse().expect("a name"));
        let data = Mount { source, target: "/var/data".into(), read_only: false };
        let refused = Volumes(file.path().into()).prepare(ServiceId(uuid::Uuid::nil()), &[data]);
        let error = refused.expect_err("a file is there");
        assert!(error.retryable && error.message.contains("of the volume data cannot be made"), "{error:?}");
    }
}
