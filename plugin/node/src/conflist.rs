//! The network configuration that the container runtime reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ipnet::IpNet;
use serde_json::{Value, json};
use similar::TextDiff;
use tracing::{info, warn};

use crate::chained::Chain;
use crate::file::{self, write_atomically};
use crate::hand::Hand;
use crate::options::PLUGIN;
use crate::plan::Settings;

/// Name of the file. Runtimes take the first in alphabetical order, and the names that other networks
/// usually have begin with 05 or 10.
pub const FILE: &str = "00-signpost.conflist";
/// The name that an earlier version gave it.
pub const FORMER_FILE: &str = "10-signpost.conflist";
/// The version of the specification that it is written in: what every runtime speaks that a supported
/// Kubernetes works with.
pub const CNI_VERSION: &str = "1.0.0";
/// A version for runtimes that know `cniVersions`, of which they take the newest that they speak: from 1.1.0 on
/// they ask by STATUS whether the node is ready, and say GC.
pub const NEWEST_CNI_VERSION: &str = "1.1.0";
/// Name of the network in it.
pub const NETWORK: &str = "signpost";

/// The configuration's file.
#[derive(Clone, Debug)]
pub struct Conflist {
    folder: PathBuf,
    path: PathBuf,
    ready_file: PathBuf,
}

impl Conflist {
    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file in `folder`. By it the plugin adds pods only as `ready_file` says.
    pub fn new(folder: &Path, ready_file: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            path: folder.join(FILE),
            ready_file: ready_file.to_owned(),
        }
    }

    /// Gives a file that an earlier version wrote its present name. At no time the runtime finds none.
    pub fn adopt_former(&self, hand: &mut Hand) -> anyhow::Result<()> {
        let former = self.folder.join(FORMER_FILE);
        if !former.exists() {
            return Ok(());
        }
        let (from, to) = (former.display(), self.path.display());
        hand.make(format!("rename {from} to {to}"), || {
            fs::rename(&former, &self.path).with_context(|| {
                format!(
                    "{from} cannot be renamed to {FILE}: check that its folder is mounted writable"
                )
            })?;
            info!(%from, %to, "renamed the network configuration");
            Ok(())
        })
    }

    /// The file as it is, or `None` if there is none that can be read. One that still has its former name
    /// is about to get the present one.
    fn content(&self) -> Option<String> {
        let former = fs::read_to_string(self.folder.join(FORMER_FILE));
        former.or_else(|_| fs::read_to_string(&self.path)).ok()
    }

    /// The subnets in the file as it is, or `None` if there is no such file that can be read.
    pub fn subnets(&self) -> Option<Vec<IpNet>> {
        let content: Value = serde_json::from_str(&self.content()?).ok()?;
        let subnets = content["plugins"][0]["subnets"].as_array()?;
        subnets
            .iter()
            .map(|subnet| subnet.as_str()?.parse().ok())
            .collect()
    }

    /// Writes the file, if it is not as it should be. The plugins `chained` come after Signpost's.
    pub fn ensure(
        &self,
        settings: &Settings,
        mtu: u32,
        chain: &Chain,
        hand: &mut Hand,
    ) -> anyhow::Result<()> {
        let content = self.render(settings, mtu, chain);
        let present = self.content().unwrap_or_default();
        if present == content {
            return Ok(());
        }
        let path = self.path.display();
        hand.make(
            format!("write {path}\n{}", diff(&present, &content)),
            || {
                write_atomically(&self.path, content.as_bytes(), 0o644)?;
                let subnets = &settings.subnets;
                info!(%path, ?subnets, mtu, "wrote the network configuration: pods can start");
                Ok(())
            },
        )
    }

    /// Removes the file, by whatever name. Tells whether it was there.
    pub fn remove(&self, hand: &mut Hand) -> anyhow::Result<bool> {
        let former = file::remove(&self.folder.join(FORMER_FILE), hand)?;
        Ok(file::remove(&self.path, hand)? || former)
    }

    /// Removes the file, if it is there: its subnets are not this node's, and a pod that got an
    /// address of them could not be reached.
    pub fn remove_stale(&self, hand: &mut Hand) -> anyhow::Result<()> {
        if self.remove(hand)? && hand.acts() {
            let path = self.path.display();
            warn!(%path, "removed a network configuration with subnets that are not this node's");
        }
        Ok(())
    }

    fn render(&self, settings: &Settings, mtu: u32, chain: &Chain) -> String {
        let mut plugins = vec![json!({
            "type": PLUGIN,
            "mode": settings.mode,
            "subnets": settings.subnets,
            "nodeAddresses": settings.node_addresses,
            "mtu": mtu,
            "readyFile": self.ready_file,
        })];
        plugins.extend_from_slice(&chain.plugins);
        let mut content = json!({"cniVersion": CNI_VERSION, "name": NETWORK, "plugins": plugins});
        if chain.newest {
            content["cniVersions"] = json!([CNI_VERSION, NEWEST_CNI_VERSION]);
        }
        format!("{content:#}\n")
    }
}

/// How a text becomes another one, line by line.
fn diff(from: &str, to: &str) -> String {
    let diff = TextDiff::from_lines(from, to);
    let lines = diff
        .iter_all_changes()
        .map(|change| format!("{}{change}", change.tag()));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            mode: signpost_api::DatapathMode::Ptp,
            subnets: subnets(),
            node_addresses: vec!["192.0.2.10".parse().unwrap()],
            mtu: 0,
            pods: Vec::new(),
            max_pods: None,
            exempt: None,
        }
    }

    fn subnets() -> Vec<IpNet> {
        vec![
            "10.244.1.0/24".parse().unwrap(),
            "fd00:0:0:1::/64".parse().unwrap(),
        ]
    }

    fn conflist(folder: &Path) -> Conflist {
        Conflist::new(folder, Path::new("/run/signpost/ready"))
    }

    fn read(folder: &Path) -> Value {
        serde_json::from_slice(&fs::read(folder.join(FILE)).unwrap()).unwrap()
    }

    #[test]
    fn conflist_has_what_the_plugin_needs() {
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        assert_eq!(conflist.subnets(), None);
        let chained = Chain {
            plugins: vec![json!({"type": "portmap"})],
            newest: false,
            ..Chain::EMPTY
        };
        conflist
            .ensure(&settings(), 1460, &chained, &mut Hand::real())
            .unwrap();
        assert_eq!(
            read(folder.path()),
            json!({
                "cniVersion": "1.0.0",
                "name": "signpost",
                "plugins": [
                    {
                        "type": "signpost-cni",
                        "mode": "ptp",
                        "subnets": ["10.244.1.0/24", "fd00:0:0:1::/64"],
                        "nodeAddresses": ["192.0.2.10"],
                        "mtu": 1460,
                        "readyFile": "/run/signpost/ready",
                    },
                    {"type": "portmap"},
                ],
            })
        );
        assert_eq!(conflist.subnets(), Some(subnets()));
        conflist
            .ensure(&settings(), 1460, &Chain::EMPTY, &mut Hand::real())
            .unwrap();
        let versions = &read(folder.path())["cniVersions"];
        assert_eq!(versions, &json!(["1.0.0", "1.1.0"]));
    }

    #[test]
    fn conflist_is_written_only_when_it_changes() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        let inode = || fs::metadata(folder.path().join(FILE)).unwrap().ino();
        conflist
            .ensure(&settings(), 1500, &Chain::EMPTY, &mut Hand::real())
            .unwrap();
        let first = inode();
        conflist
            .ensure(&settings(), 1500, &Chain::EMPTY, &mut Hand::real())
            .unwrap();
        assert_eq!(inode(), first);
        conflist
            .ensure(&settings(), 9001, &Chain::EMPTY, &mut Hand::real())
            .unwrap();
        assert_eq!(read(folder.path())["plugins"][0]["mtu"], 9001);
        conflist.remove_stale(&mut Hand::real()).unwrap();
        conflist.remove_stale(&mut Hand::real()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn conflist_of_an_earlier_version_gets_the_present_name() {
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        conflist.adopt_former(&mut Hand::real()).unwrap();
        conflist
            .ensure(&settings(), 1500, &Chain::EMPTY, &mut Hand::real())
            .unwrap();
        let (present, former) = (folder.path().join(FILE), folder.path().join(FORMER_FILE));
        fs::rename(&present, &former).unwrap();
        conflist.adopt_former(&mut Hand::real()).unwrap();
        assert_eq!(conflist.subnets(), Some(subnets()));
        assert!(!former.exists());
    }
}
