//! The plugin on the node.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tracing::info;

use crate::file::write_atomically;
use crate::hand::Hand;
use crate::options::PLUGIN;

/// The plugin's permissions on the node.
const MODE: u32 = 0o755;

/// Keeps the plugin installed.
#[derive(Debug)]
pub struct Installer {
    source: PathBuf,
    target: PathBuf,
    /// Inode, length and time of change of the target when it was last known to be right.
    known_good: Option<(u64, u64, i64)>,
}

impl Installer {
    /// Installs `source` into `folder`.
    pub fn new(source: PathBuf, folder: &Path) -> Self {
        Self {
            source,
            target: folder.join(PLUGIN),
            known_good: None,
        }
    }

    /// Writes the plugin if the node has none or another one. A running plugin keeps its file.
    pub fn ensure(&mut self, hand: &mut Hand) -> anyhow::Result<()> {
        if self.known_good.is_some() && self.stamp() == self.known_good {
            return Ok(());
        }
        let wanted = fs::read(&self.source).with_context(|| {
            format!(
                "the plugin {} cannot be read: give its path with --plugin",
                self.source.display()
            )
        })?;
        let right_mode = fs::metadata(&self.target).is_ok_and(|it| it.mode() & 0o7777 == MODE);
        if !right_mode || fs::read(&self.target).ok().as_deref() != Some(&wanted) {
            let (path, bytes) = (self.target.display(), wanted.len());
            hand.make(format!("install the plugin {path} ({bytes} bytes)"), || {
                write_atomically(&self.target, &wanted, MODE)?;
                info!(%path, bytes, "installed the plugin");
                Ok::<_, anyhow::Error>(())
            })?;
        }
        self.known_good = self.stamp();
        Ok(())
    }

    fn stamp(&self) -> Option<(u64, u64, i64)> {
        let metadata = fs::metadata(&self.target).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.ctime_nsec()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn install_writes_only_what_differs_and_mends_what_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::write(&source, "new plugin").unwrap();
        let bin = folder.path().join("bin");
        let target = bin.join(PLUGIN);
        let mut installer = Installer::new(source.clone(), &bin);
        installer.ensure(&mut Hand::real()).unwrap();
        let first = fs::metadata(&target).unwrap();
        assert_eq!(first.mode() & 0o777, 0o755);

        installer.ensure(&mut Hand::real()).unwrap();
        Installer::new(source, &bin)
            .ensure(&mut Hand::real())
            .unwrap();
        assert_eq!(
            fs::metadata(&target).unwrap().ino(),
            first.ino(),
            "not written again"
        );

        fs::write(&target, "other").unwrap();
        installer.ensure(&mut Hand::real()).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new plugin");
        fs::remove_file(&target).unwrap();
        installer.ensure(&mut Hand::real()).unwrap();
        assert!(target.exists());

        fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
        installer.ensure(&mut Hand::real()).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn install_without_a_plugin_says_which_flag_to_use() {
        let folder = tempfile::tempdir().unwrap();
        let mut installer = Installer::new(folder.path().join("absent"), folder.path());
        let error = installer.ensure(&mut Hand::real()).unwrap_err();
        assert!(error.to_string().contains("--plugin"), "{error:#}");
    }
}
