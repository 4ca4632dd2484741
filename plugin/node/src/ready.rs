//! What says that pods may start: this machine forwards their packets since it booted.
//!
//! The network configuration outlives a reboot. Forwarding and the rules of netfilter do not, and the node's
//! pod CIDRs may have become another node's meanwhile. So the configuration names this file, without which the
//! plugin adds no pod. It lies below `/run`, which a boot empties (Filesystem Hierarchy Standard 3.0, 3.15).

use std::fs;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde_json::{Value, json};
use tracing::info;

use crate::file::write_atomically;
use crate::hand::Hand;

/// Name of the file.
pub const FILE: &str = "ready";

/// The file.
#[derive(Clone, Debug)]
pub struct Ready {
    path: PathBuf,
}

impl Ready {
    /// The file in `run_dir`.
    pub fn new(run_dir: &Path) -> Self {
        Self {
            path: run_dir.join(FILE),
        }
    }

    /// Where it is, on the node and in the agent's container alike.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The subnets for which this machine was made ready since it booted.
    pub fn subnets(&self) -> Option<Vec<IpNet>> {
        let content: Value = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        serde_json::from_value(content["subnets"].clone()).ok()
    }

    /// Writes the file, if it is not as it should be.
    pub fn ensure(&self, subnets: &[IpNet], hand: &mut Hand) -> anyhow::Result<()> {
        if self.subnets().is_some_and(|present| present == subnets) {
            return Ok(());
        }
        let content = json!({"subnets": subnets});
        let path = self.path.display();
        hand.make(format!("write {path}, without which no pod starts"), || {
            write_atomically(&self.path, format!("{content:#}\n").as_bytes(), 0o644)?;
            info!(%path, ?subnets, "packets of pods are forwarded since this boot");
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let ready = Ready::new(&folder.path().join("deep"));
        assert_eq!(ready.subnets(), None);
        let subnets: Vec<IpNet> = vec!["10.244.1.0/24".parse().unwrap()];
        ready.ensure(&subnets, &mut Hand::real()).unwrap();
        assert_eq!(ready.subnets(), Some(subnets.clone()));
        for content in [
            r#"{"subnets": ["10.244.9.0/24"]}"#,
            r#"{"subnets": 1}"#,
            "{",
            "",
        ] {
            fs::write(ready.path(), content).unwrap();
            assert_ne!(ready.subnets(), Some(subnets.clone()), "{content}");
            ready.ensure(&subnets, &mut Hand::real()).unwrap();
            assert_eq!(ready.subnets(), Some(subnets.clone()), "{content}");
        }
    }
}
