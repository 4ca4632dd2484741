//! What the kernel's settings were before the agent changed them, so that `uninstall` can set them back.
//!
//! The file lies where a boot removes it, since a boot forgets the settings too.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::file::write_atomically;

/// Name of the file.
const FILE: &str = "former-settings.json";

/// A setting that was changed, by the agent or by the kernel along with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its path below the folder of the settings, such as `ipv4/ip_forward`.
    pub setting: String,
    /// Its value before.
    pub from: String,
    /// Its value since.
    pub to: String,
}

/// The file.
#[derive(Clone, Debug)]
pub struct Former {
    path: PathBuf,
}

impl Former {
    /// The file in `run_dir`.
    pub fn new(run_dir: &Path) -> Self {
        Self {
            path: run_dir.join(FILE),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All changes since the node booted, in the order in which they were made.
    pub fn read(&self) -> anyhow::Result<Vec<Change>> {
        let content = match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            content => content.with_context(|| format!("read {}", self.path.display()))?,
        };
        serde_json::from_slice(&content).with_context(|| {
            format!(
                "{} does not say what the kernel's settings were: remove it, and they stay as they are",
                self.path.display()
            )
        })
    }

    /// Notes what is going to be changed. Of a setting that was changed before, the first value stays.
    pub fn note(&self, changes: &[Change]) -> anyhow::Result<()> {
        // One that cannot be read tells nothing any more, and forwarding does not wait for that.
        let known = self.read().unwrap_or_default();
        let mut all = known.clone();
        for change in changes {
            match all.iter_mut().find(|it| it.setting == change.setting) {
                Some(before) => before.to.clone_from(&change.to),
                None => all.push(change.clone()),
            }
        }
        if all == known {
            return Ok(());
        }
        let content = serde_json::to_string_pretty(&all).context("former settings")?;
        write_atomically(&self.path, format!("{content}\n").as_bytes(), 0o644)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(setting: &str, from: &str, to: &str) -> Change {
        Change {
            setting: setting.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn the_first_value_of_a_setting_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let former = Former::new(&folder.path().join("deep"));
        assert_eq!(former.read().unwrap(), []);
        former.note(&[change("a", "0", "1")]).unwrap();
        former
            .note(&[change("b", "1", "2"), change("a", "7", "1")])
            .unwrap();
        let noted = former.read().unwrap();
        assert_eq!(noted, [change("a", "0", "1"), change("b", "1", "2")]);

        fs::write(former.path(), "{").unwrap();
        let error = former.read().unwrap_err();
        assert!(error.to_string().contains("remove it"), "{error:#}");
        former.note(&[change("c", "0", "1")]).unwrap();
        assert_eq!(former.read().unwrap(), [change("c", "0", "1")]);
    }
}
