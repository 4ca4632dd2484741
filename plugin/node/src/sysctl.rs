//! Forwarding between interfaces, in the network namespace of the calling thread.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use signpost_netlink::HOST_INTERFACE_PREFIX;
use tracing::info;

/// The kernel's settings for the network, as files.
#[derive(Clone, Debug)]
pub struct Settings {
    folder: PathBuf,
}

impl Settings {
    /// Those in `folder`, which is normally `/proc/sys/net`. Whoever looks into it finds the settings of
    /// his own network namespace, wherever the folder is mounted.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Turns IPv4 forwarding on.
    pub fn forward_ipv4(&self) -> anyhow::Result<()> {
        let forwarding = self.folder.join("ipv4/ip_forward");
        if read(&forwarding)? != "1" {
            write(&forwarding, "1")?;
            info!("turned IPv4 forwarding on");
        }
        Ok(())
    }

    /// Turns IPv6 forwarding on.
    ///
    /// A forwarding kernel no longer listens to router advertisements, from which many nodes have their
    /// default route, unless an interface has `accept_ra` 2. So interfaces that listen now keep on.
    pub fn forward_ipv6(&self) -> anyhow::Result<()> {
        let interfaces = self.folder.join("ipv6/conf");
        let forwarding = interfaces.join("all/forwarding");
        if read(&forwarding)
            .context("the kernel runs without IPv6: enable it, or use no IPv6 pool for this node")?
            == "1"
        {
            return Ok(());
        }
        for entry in fs::read_dir(interfaces).context("list the interfaces' IPv6 settings")? {
            let path = entry.context("list the interfaces' IPv6 settings")?.path();
            let is_interface = !path.ends_with("all") && !path.ends_with("default");
            // Nothing that a pod advertises is for the node.
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let is_pods = name.starts_with(HOST_INTERFACE_PREFIX.as_bytes());
            let accept_ra = path.join("accept_ra");
            // An interface may vanish meanwhile.
            if is_interface && !is_pods && read(&accept_ra).is_ok_and(|value| value == "1") {
                write(&accept_ra, "2")?;
            }
        }
        write(&forwarding, "1")?;
        info!("turned IPv6 forwarding on");
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

fn write(path: &Path, value: &str) -> anyhow::Result<()> {
    fs::write(path, value).with_context(|| {
        format!(
            "set {} to {value}: the agent needs the capability NET_ADMIN, and in a container the \
             node's /proc/sys/net, which --sysctl-dir names",
            path.display()
        )
    })
}
