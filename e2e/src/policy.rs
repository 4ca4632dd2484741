//! A `NetworkPolicy` engine that others wrote, beside Signpost: `kube-network-policies`.
//!
//! It runs as it is: a `DaemonSet` of the program that its authors publish. Its table in nftables sends
//! the first packet of a connection to the engine, by the statement `queue`. A kernel that was built
//! without that (`CONFIG_NFT_QUEUE`) refuses the whole table, and the engine waits for packets in vain;
//! there the nodes send them by the target `NFQUEUE` of iptables, and the engine judges all the same.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::binaries::built;
use crate::cluster::Cluster;
use crate::node::Node;
use crate::wait::{self, LIMIT};

/// The engine's program, its `DaemonSet`, and its table in nftables.
const ENGINE: &str = "kube-network-policies";
const IMAGE: &str = "registry.k8s.io/networking/kube-network-policies:v0.8.0";
const MANIFEST: &str = include_str!("../policies/kube-network-policies.yaml");
/// Where the manifest has the engine wait for packets.
const QUEUE: &str = "98";

/// What the engine's own chain does, but for all pods instead of those that a policy selects. Bypassed
/// as long as no engine listens: whatever is cut, the engine has cut.
const STAND_IN: &str = "\
*mangle
:POLICIES -
-A POLICIES -p ipv6-icmp -j RETURN
-A POLICIES -m owner --uid-owner 0 -j RETURN
-A POLICIES -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A POLICIES -j NFQUEUE --queue-num 98 --queue-bypass
-A POSTROUTING -j POLICIES
COMMIT
";
const STAND_IN_GOES: &str = "\
*mangle
-D POSTROUTING -j POLICIES
-F POLICIES
-X POLICIES
COMMIT
";

impl Cluster {
    /// Runs the engine on all nodes, and waits until it judges packets.
    pub async fn run_policy_engine(&self) -> Result<()> {
        self.load_program(IMAGE, ENGINE).await?;
        self.kubectl_with_input(&["apply", "-f", "-"], MANIFEST)
            .await?;
        for node in self.nodes() {
            let what = format!("the policy engine on {} to listen", node.name());
            wait::until(&what, LIMIT, async || node.policy_engine_listens().await).await?;
            if node.policy_table().await.is_err() {
                node.restore(STAND_IN).await?;
            }
        }
        Ok(())
    }

    /// Removes the engine, and what sends packets to it.
    pub async fn remove_policy_engine(&self) -> Result<()> {
        self.kubectl_with_input(&["delete", "-f", "-"], MANIFEST)
            .await?;
        for node in self.nodes() {
            let what = format!("the policy engine on {} to end", node.name());
            wait::until(&what, LIMIT, async || {
                let listens = node.policy_engine_listens().await;
                ensure!(listens.is_err(), "it listens");
                Ok(())
            })
            .await?;
            if node.policy_table().await.is_ok() {
                // Left behind by the engine, which cleans up after Ctrl-C only.
                let delete = ["nft", "delete", "table", "inet", ENGINE];
                node.machine().run(&delete).await?;
            } else {
                node.restore(STAND_IN_GOES).await?;
            }
        }
        Ok(())
    }

    /// Gives all nodes an image with nothing but one program in it.
    pub(crate) async fn load_program(&self, image: &str, program: &'static str) -> Result<()> {
        let archive = self.parts.dir.join("images").join(format!("{program}.tar"));
        pack(image, &archive, &built(program).await?).await?;
        for node in self.nodes() {
            node.import(&archive).await?;
        }
        Ok(())
    }
}

impl Node {
    /// The rules that send packets to the engine, with their handles where they are not the engine's
    /// own, which writes all of them anew with each change of a policy.
    pub async fn policy_rules(&self) -> Result<String> {
        if let Ok(table) = self.policy_table().await {
            return Ok(table);
        }
        let mut rules = String::new();
        for family in ["ip", "ip6"] {
            let list = [
                "nft", "-a", "-s", "list", "chain", family, "mangle", "POLICIES",
            ];
            rules += &self.machine().run(&list).await?;
        }
        Ok(rules)
    }

    async fn policy_table(&self) -> Result<String> {
        let list = ["nft", "-s", "list", "table", "inet", ENGINE];
        self.machine().run(&list).await
    }

    async fn policy_engine_listens(&self) -> Result<()> {
        let queues = ["cat", "/proc/net/netfilter/nfnetlink_queue"];
        let queues = self.machine().run(&queues).await?;
        let mut numbers = queues
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        ensure!(
            numbers.any(|number| number == QUEUE),
            "its queues: {queues:?}"
        );
        Ok(())
    }

    /// Changes rules of iptables, in both families.
    async fn restore(&self, rules: &str) -> Result<()> {
        for program in ["iptables-restore", "ip6tables-restore"] {
            let argv = [program, "--noflush"];
            self.machine().run_with_input(&argv, rules).await?;
        }
        Ok(())
    }
}

async fn pack(image: &str, archive: &Path, program: &Path) -> Result<()> {
    let script = signpost_testing::repository()?.join("e2e/binaries/image.sh");
    let output = Command::new(&script)
        .arg(image)
        .args([archive, program])
        .output()
        .await
        .with_context(|| format!("running {}", script.display()))?;
    ensure!(
        output.status.success(),
        "packing {image} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
