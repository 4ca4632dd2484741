//! Flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::conflist;
use crate::former::Former;
use crate::logging::Format;
use crate::ready::Ready;

/// Where the agent serves, unless it is told otherwise.
const HTTP_ADDRESS: &str = "127.0.0.1:9451";
/// Name of the plugin's program, in the image and on the node.
pub const PLUGIN: &str = "signpost-cni";

/// Puts Signpost's CNI plugin and its configuration on this node, and keeps packets of pods
/// forwarded and, where they leave the pod network, masqueraded.
#[derive(Clone, Debug, Parser)]
#[command(
    version,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    after_help = "The log level is set by RUST_LOG (error, warn, info, debug).\n\n\
                  With --once and --dry-run it ends with code 0 if the node is as planned (or would be), \
                  1 if something failed, 3 if somebody else has to do something first, such as give it \
                  pod CIDRs, and 4 if the API server did not answer in time. It says why."
)]
pub struct Arguments {
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub options: Options,
}

/// What else this program does.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Leaves the node as it was before the agent. Drain the node and stop the agent first.
    Uninstall(Uninstall),
}

/// The agent's flags.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Name of this machine's Node object.
    #[arg(long, env = "NODE_NAME", required = true)]
    node_name: Option<String>,
    /// Namespace of the config map signpost-node, in which the controller tells what the pod network is like.
    #[arg(long, env = "POD_NAMESPACE", default_value = "signpost-system")]
    pub namespace: String,
    /// Kubeconfig file. Without it the pod's service account is used, else $KUBECONFIG or
    /// ~/.kube/config.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Where things are.
    #[command(flatten)]
    pub folders: Folders,
    /// The plugin to install. Without it, signpost-cni from the folder of this program.
    #[arg(long)]
    pub plugin: Option<PathBuf>,
    /// Where /healthz and /readyz are served; port 0 takes a free one. The second says what is missing
    /// while the node is not as planned, and then which firewall of others may drop pods' packets.
    #[arg(
        long,
        env = "SIGNPOST_HTTP_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = HTTP_ADDRESS
    )]
    pub http_address: SocketAddr,
    /// How often to see whether everything still stands, in seconds. Changes of nftables by others are
    /// seen at once.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub check_period: u64,
    /// Looks at the node once, makes it as planned as far as that can be done at once, and ends.
    #[arg(long)]
    pub once: bool,
    /// Says what --once would do, and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How long --once and --dry-run wait for the API server's first answers, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    once_timeout: u64,
    /// How log lines look.
    #[arg(
        long,
        env = "SIGNPOST_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: Format,
}

/// Where things are on the node.
#[derive(Clone, Debug, Args)]
pub struct Folders {
    /// Folder in which the container runtime looks for plugins.
    #[arg(long, value_name = "DIR", default_value = "/opt/cni/bin")]
    pub cni_bin_dir: PathBuf,
    /// Folder in which the container runtime looks for network configurations.
    #[arg(long, value_name = "DIR", default_value = "/etc/cni/net.d")]
    pub cni_conf_dir: PathBuf,
    /// Folder for what is true until the next boot. The plugin demands a file that is written there.
    #[arg(long, value_name = "DIR", default_value = "/run/signpost")]
    pub run_dir: PathBuf,
    /// The kernel's settings for the network. In a container they are read-only: the node's, mounted
    /// somewhere else.
    #[arg(long, value_name = "DIR", default_value = "/proc/sys/net")]
    pub sysctl_dir: PathBuf,
}

/// The flags of `uninstall`.
#[derive(Clone, Debug, Args)]
pub struct Uninstall {
    /// Where things are.
    #[command(flatten)]
    pub folders: Folders,
    /// Where the agent serves /healthz: while somebody does, nothing is removed.
    #[arg(
        long,
        env = "SIGNPOST_HTTP_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = HTTP_ADDRESS
    )]
    pub http_address: SocketAddr,
    /// Goes on although pods live here. They lose what forwards and masquerades their packets. The
    /// plugin stays, as the runtime calls it to remove them.
    #[arg(long)]
    pub force: bool,
    /// Says what would be done, and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl Folders {
    /// The files that the agent writes into them.
    pub fn files(&self) -> Vec<PathBuf> {
        vec![
            self.cni_bin_dir.join(PLUGIN),
            self.cni_conf_dir.join(conflist::FILE),
            self.cni_conf_dir.join(conflist::FORMER_FILE),
            Ready::new(&self.run_dir).path().to_owned(),
            Former::new(&self.run_dir).path().to_owned(),
        ]
    }
}

impl Options {
    /// Name of this machine's Node object; empty only where a command needs none.
    pub fn node_name(&self) -> &str {
        self.node_name.as_deref().unwrap_or_default()
    }

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

    /// How long to wait for the API server's first answers, where they are not waited for without end.
    pub fn once_timeout(&self) -> Duration {
        Duration::from_secs(self.once_timeout)
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
        assert_eq!(options.folders.cni_bin_dir, PathBuf::from("/opt/cni/bin"));
        assert_eq!(
            options.folders.cni_conf_dir,
            PathBuf::from("/etc/cni/net.d")
        );
        let source = options.plugin_source().unwrap();
        let own_folder = std::env::current_exe().unwrap();
        assert_eq!(source.parent(), own_folder.parent());
        assert!(source.ends_with("signpost-cni"));
        assert_eq!(options.namespace, "signpost-system");
    }

    #[test]
    fn options_ask_for_the_node_only_where_the_agent_runs() {
        let parse =
            |flags: &[&str]| Arguments::try_parse_from([&["signpost-node"], flags].concat());
        let agent = parse(&["--node-name", "n1", "--run-dir", "/x"]).unwrap();
        assert!(agent.command.is_none());
        assert_eq!(agent.options.node_name(), "n1");
        assert_eq!(agent.options.folders.run_dir, PathBuf::from("/x"));
        let Some(Command::Uninstall(uninstall)) =
            parse(&["uninstall", "--force", "--run-dir", "/x"])
                .unwrap()
                .command
        else {
            panic!("no uninstall");
        };
        assert!(uninstall.force && !uninstall.dry_run);
        assert_eq!(uninstall.folders.run_dir, PathBuf::from("/x"));
        if std::env::var_os("NODE_NAME").is_none() {
            let error = parse(&[]).unwrap_err().to_string();
            assert!(error.contains("--node-name"), "{error}");
        }
    }
}
