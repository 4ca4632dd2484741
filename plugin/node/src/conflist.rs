//! The network configuration that the container runtime reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ipnet::IpNet;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::file::write_atomically;
use crate::options::PLUGIN;

/// Name of the file. Runtimes take the first in alphabetical order.
pub const FILE: &str = "10-signpost.conflist";
/// Name of the network in it.
pub const NETWORK: &str = "signpost";

/// The configuration's file.
#[derive(Clone, Debug)]
pub struct Conflist {
    path: PathBuf,
    bin_dir: PathBuf,
    ready_file: PathBuf,
}

impl Conflist {
    /// The file in `conf_dir`; plugins lie in `bin_dir`, and ours adds pods only by what `ready_file` says.
    pub fn new(conf_dir: &Path, bin_dir: &Path, ready_file: &Path) -> Self {
        Self {
            path: conf_dir.join(FILE),
            bin_dir: bin_dir.to_owned(),
            ready_file: ready_file.to_owned(),
        }
    }

    /// The subnets in the file as it is, or `None` if there is no such file that can be read.
    pub fn subnets(&self) -> Option<Vec<IpNet>> {
        let content: Value = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        let subnets = content["plugins"][0]["subnets"].as_array()?;
        subnets
            .iter()
            .map(|subnet| subnet.as_str()?.parse().ok())
            .collect()
    }

    /// Writes the file, if it is not as it should be.
    pub fn ensure(&self, subnets: &[IpNet], mtu: u32) -> anyhow::Result<()> {
        let content = self.render(subnets, mtu);
        if fs::read_to_string(&self.path).is_ok_and(|present| present == content) {
            return Ok(());
        }
        write_atomically(&self.path, content.as_bytes(), 0o644)?;
        let path = self.path.display();
        info!(%path, ?subnets, mtu, "wrote the network configuration: pods can start");
        Ok(())
    }

    /// Removes the file, if it is there: its subnets are not this node's, and a pod that got an
    /// address of them could not be reached.
    pub fn remove_stale(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Ok(()) => {
                let path = self.path.display();
                warn!(%path, "removed a network configuration with subnets that are not this node's");
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("remove the stale {}", self.path.display()))
            }
        }
    }

    fn render(&self, subnets: &[IpNet], mtu: u32) -> String {
        let mut plugins = vec![json!({
            "type": PLUGIN,
            "mode": "ptp",
            "subnets": subnets,
            "mtu": mtu,
            "readyFile": self.ready_file,
        })];
        // Host ports are the work of the reference plugin, where the node has it.
        if self.bin_dir.join("portmap").exists() {
            plugins.push(json!({"type": "portmap", "capabilities": {"portMappings": true}}));
        }
        // 1.0.0 is what every runtime speaks that a supported Kubernetes works with.
        let content = json!({"cniVersion": "1.0.0", "name": NETWORK, "plugins": plugins});
        format!("{content:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets() -> Vec<IpNet> {
        vec![
            "10.244.1.0/24".parse().unwrap(),
            "fd00:0:0:1::/64".parse().unwrap(),
        ]
    }

    fn conflist(folder: &Path) -> Conflist {
        Conflist::new(folder, folder, Path::new("/run/signpost/ready"))
    }

    fn read(folder: &Path) -> Value {
        serde_json::from_slice(&fs::read(folder.join(FILE)).unwrap()).unwrap()
    }

    #[test]
    fn conflist_has_what_the_plugin_needs() {
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        assert_eq!(conflist.subnets(), None);
        conflist.ensure(&subnets(), 1460).unwrap();
        assert_eq!(
            read(folder.path()),
            json!({
                "cniVersion": "1.0.0",
                "name": "signpost",
                "plugins": [{
                    "type": "signpost-cni",
                    "mode": "ptp",
                    "subnets": ["10.244.1.0/24", "fd00:0:0:1::/64"],
                    "mtu": 1460,
                    "readyFile": "/run/signpost/ready",
                }],
            })
        );
        assert_eq!(conflist.subnets(), Some(subnets()));
    }

    #[test]
    fn conflist_chains_portmap_where_the_node_has_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("portmap"), "").unwrap();
        conflist(folder.path()).ensure(&subnets(), 1500).unwrap();
        let plugin = &read(folder.path())["plugins"][1];
        assert_eq!(
            plugin,
            &json!({"type": "portmap", "capabilities": {"portMappings": true}})
        );
    }

    #[test]
    fn conflist_is_written_only_when_it_changes() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        let inode = || fs::metadata(folder.path().join(FILE)).unwrap().ino();
        conflist.ensure(&subnets(), 1500).unwrap();
        let first = inode();
        conflist.ensure(&subnets(), 1500).unwrap();
        assert_eq!(inode(), first);
        conflist.ensure(&subnets(), 9001).unwrap();
        assert_eq!(read(folder.path())["plugins"][0]["mtu"], 9001);
        conflist.remove_stale().unwrap();
        conflist.remove_stale().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
