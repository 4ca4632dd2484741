//! Flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::logging::Format;

/// Name of the plugin's program, in the image and on the node.
pub const PLUGIN: &str = "signpost-cni";

/// Puts Signpost's CNI plugin and its configuration on this node, and keeps packets of pods
/// forwarded and, where they leave the pod network, masqueraded.
#[derive(Clone, Debug, Parser)]
#[command(
    version,
    after_help = "The log level is set by RUST_LOG (error, warn, info, debug)."
)]
pub struct Options {
    /// Name of this machine's Node object.
    #[arg(long, env = "NODE_NAME")]
    pub node_name: String,
    /// Namespace of the config map signpost-node, in which the controller tells what the pod network is like.
    #[arg(long, env = "POD_NAMESPACE", default_value = "signpost-system")]
    pub namespace: String,
    /// Kubeconfig file. Without it the pod's service account is used, else $KUBECONFIG or
    /// ~/.kube/config.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Folder in which the container runtime looks for plugins.
    #[arg(long, default_value = "/opt/cni/bin")]
    pub cni_bin_dir: PathBuf,
    /// Folder in which the container runtime looks for network configurations.
    #[arg(long, default_value = "/etc/cni/net.d")]
    pub cni_conf_dir: PathBuf,
    /// Folder for what is true until the next boot. The plugin demands a file that is written there.
    #[arg(long, value_name = "DIR", default_value = "/run/signpost")]
    pub run_dir: PathBuf,
    /// The kernel's settings for the network. In a container they are read-only: the node's, mounted
    /// somewhere else.
    #[arg(long, value_name = "DIR", default_value = "/proc/sys/net")]
    pub sysctl_dir: PathBuf,
    /// The plugin to install. Without it, signpost-cni from the folder of this program.
    #[arg(long)]
    pub plugin: Option<PathBuf>,
    /// Where /healthz and /readyz are served; port 0 takes a free one. The second says what is missing
    /// while the node is not as planned, and then which firewall of others may drop pods' packets.
    #[arg(
        long,
        env = "SIGNPOST_HTTP_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9451"
    )]
    pub http_address: SocketAddr,
    /// How often to see whether everything still stands, in seconds. Changes of nftables by others are
    /// seen at once.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub check_period: u64,
    /// How log lines look.
    #[arg(
        long,
        env = "SIGNPOST_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: Format,
}

impl Options {
    /// Path of the plugin to install.
    ///
    /// # Errors
    ///
    /// If the path of this program is not known.
    pub fn plugin_source(&self) -> std::io::Result<PathBuf> {
        match &self.plugin {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.with_file_name(PLUGIN)),
        }
    }

    /// How often to see whether everything still stands.
    pub fn check_period(&self) -> Duration {
        Duration::from_secs(self.check_period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_usual_folders_as_defaults() {
        let options = Options::parse_from(["signpost-node", "--node-name", "n1"]);
        assert_eq!(options.cni_bin_dir, PathBuf::from("/opt/cni/bin"));
        assert_eq!(options.cni_conf_dir, PathBuf::from("/etc/cni/net.d"));
        let source = options.plugin_source().unwrap();
        let own_folder = std::env::current_exe().unwrap();
        assert_eq!(source.parent(), own_folder.parent());
        assert!(source.ends_with("signpost-cni"));
        assert_eq!(options.namespace, "signpost-system");
    }
}
