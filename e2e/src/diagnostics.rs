//! A record of a cluster's state, for whoever looks at a failed test later.

use std::fs;
use std::path::PathBuf;

use futures::future::join_all;

use crate::cluster::Cluster;
use crate::machine::Machine;

/// What is asked of the API server.
const OBJECTS: [(&str, &[&str]); 3] = [
    (
        "summary",
        &[
            "get",
            "podnetworks,nodes,pods,services",
            "--all-namespaces",
            "--output=wide",
        ],
    ),
    (
        "objects",
        &[
            "get",
            "podnetworks,nodes,pods",
            "--all-namespaces",
            "--output=yaml",
        ],
    ),
    (
        "events",
        &[
            "get",
            "events",
            "--all-namespaces",
            "--sort-by=.lastTimestamp",
        ],
    ),
];
/// What is asked of each machine.
const COMMANDS: [&[&str]; 6] = [
    &["ip", "address"],
    &["ip", "route", "show", "table", "all"],
    &["ip", "-6", "route", "show", "table", "all"],
    &["ip", "neighbour"],
    &["nft", "list", "ruleset"],
    &["iptables-save"],
];

impl Cluster {
    /// Writes the cluster's objects and every machine's network state beside the logs, keeps them
    /// when the cluster ends, and says where they will be.
    pub async fn record_failure(&self) -> PathBuf {
        let folder = self.parts.dir.join("logs/state");
        // Best effort throughout: what cannot be asked any more is missing from the record.
        drop(fs::create_dir_all(&folder));
        for (name, arguments) in OBJECTS {
            let text = self
                .kubectl(arguments)
                .await
                .unwrap_or_else(|error| format!("{error:#}"));
            drop(fs::write(folder.join(format!("{name}.txt")), text));
        }
        let nodes = self.nodes();
        let machines = nodes.iter().map(|node| node.machine());
        let machines = machines.chain([self.router(), self.external()]);
        let states = machines.map(async |machine| (machine.name(), state(machine).await));
        for (name, text) in join_all(states).await {
            drop(fs::write(folder.join(format!("{name}.txt")), text));
        }
        self.keep_logs()
    }
}

async fn state(machine: &Machine) -> String {
    let mut text = String::new();
    for argv in COMMANDS {
        let output = machine
            .run(argv)
            .await
            .unwrap_or_else(|error| format!("{error:#}"));
        text.extend(["$ ", &argv.join(" "), "\n", &output, "\n"]);
    }
    text
}
