//! The network configuration that the container runtime reads.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ipnet::IpNet;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::chained::Chain;
use crate::file::write_atomically;
use crate::options::PLUGIN;
use crate::plan::Settings;

/// Name of the file. Runtimes take the first in alphabetical order, and the names that other networks
/// usually have begin with 05 or 10.
pub const FILE: &str = "00-signpost.conflist";
/// The name that an earlier version gave it.
pub const FORMER_FILE: &str = "10-signpost.conflist";
/// What names of files end with that runtimes read (containerd: `loadFromConfDir` of go-cni).
const READ_BY_RUNTIMES: [&str; 3] = [".conf", ".conflist", ".json"];
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
    /// The file in `folder`. By it the plugin adds pods only as `ready_file` says.
    pub fn new(folder: &Path, ready_file: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            path: folder.join(FILE),
            ready_file: ready_file.to_owned(),
        }
    }

    /// Gives a file that an earlier version wrote its present name. At no time the runtime finds none.
    pub fn adopt_former(&self) -> anyhow::Result<()> {
        let former = self.folder.join(FORMER_FILE);
        match fs::rename(&former, &self.path) {
            Ok(()) => {
                info!(from = %former.display(), to = %self.path.display(), "renamed the network configuration");
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| {
                format!(
                    "{} cannot be renamed to {FILE}: check that its folder is mounted writable",
                    former.display()
                )
            }),
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

    /// Writes the file, if it is not as it should be. The plugins `chained` come after Signpost's.
    pub fn ensure(&self, settings: &Settings, mtu: u32, chain: &Chain) -> anyhow::Result<()> {
        let content = self.render(settings, mtu, chain);
        if fs::read_to_string(&self.path).is_ok_and(|present| present == content) {
            return Ok(());
        }
        write_atomically(&self.path, content.as_bytes(), 0o644)?;
        let path = self.path.display();
        let subnets = &settings.subnets;
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
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("remove the stale {}", self.path.display()))
            }
        }
    }

    /// Says of each file that the runtime takes before this one that it does, and what to do. They are
    /// somebody else's, so they are left alone.
    pub fn outranked_by(&self) -> Vec<String> {
        // A folder that cannot be read is the concern of whoever writes into it.
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut others: Vec<PathBuf> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().as_encoded_bytes();
                let read = |ending: &&str| name.ends_with(ending.as_bytes());
                READ_BY_RUNTIMES.iter().any(read) && name < FILE.as_bytes()
            })
            .collect();
        others.sort();
        let told = others.iter().map(|other| {
            format!(
                "{} comes before {FILE} in the alphabet, so the container runtime takes it and pods \
                 are not Signpost's: remove it, unless it calls Signpost in its turn",
                other.display()
            )
        });
        told.collect()
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
        conflist.ensure(&settings(), 1460, &chained).unwrap();
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
        conflist.ensure(&settings(), 1460, &Chain::EMPTY).unwrap();
        let versions = &read(folder.path())["cniVersions"];
        assert_eq!(versions, &json!(["1.0.0", "1.1.0"]));
    }

    #[test]
    fn conflist_is_written_only_when_it_changes() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        let inode = || fs::metadata(folder.path().join(FILE)).unwrap().ino();
        conflist.ensure(&settings(), 1500, &Chain::EMPTY).unwrap();
        let first = inode();
        conflist.ensure(&settings(), 1500, &Chain::EMPTY).unwrap();
        assert_eq!(inode(), first);
        conflist.ensure(&settings(), 9001, &Chain::EMPTY).unwrap();
        assert_eq!(read(folder.path())["plugins"][0]["mtu"], 9001);
        conflist.remove_stale().unwrap();
        conflist.remove_stale().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn conflist_of_an_earlier_version_gets_the_present_name() {
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        conflist.adopt_former().unwrap();
        conflist.ensure(&settings(), 1500, &Chain::EMPTY).unwrap();
        let (present, former) = (folder.path().join(FILE), folder.path().join(FORMER_FILE));
        fs::rename(&present, &former).unwrap();
        conflist.adopt_former().unwrap();
        assert_eq!(conflist.subnets(), Some(subnets()));
        assert!(!former.exists());
    }

    #[test]
    fn conflist_comes_before_the_usual_ones_and_names_those_that_still_win() {
        let folder = tempfile::tempdir().unwrap();
        let conflist = conflist(folder.path());
        conflist.ensure(&settings(), 1500, &Chain::EMPTY).unwrap();
        for usual in [
            "05-cilium.conf",
            "10-aws.conflist",
            "10-calico.conflist",
            "10-containerd-net.conflist",
            "10-flannel.conflist",
            "87-podman-bridge.conflist",
            "00-not-read.conflist.bak",
            "00-also-not.txt",
        ] {
            fs::write(folder.path().join(usual), "{}").unwrap();
        }
        fs::create_dir(folder.path().join("00-folder.conf")).unwrap();
        assert_eq!(conflist.outranked_by(), Vec::<String>::new());
        for winner in ["00-multus.conf", ".hidden.json"] {
            fs::write(folder.path().join(winner), "{}").unwrap();
        }
        let told = conflist.outranked_by();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(".hidden.json") && told[1].contains("00-multus.conf"));
        assert!(told.iter().all(|told| told.contains("remove it")));
        assert!(folder.path().join("00-multus.conf").exists());
    }
}
