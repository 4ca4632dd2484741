//! R20: pods beside a `NetworkPolicy` engine of others.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use signpost_e2e::addresses::{BARE_NODES_V4, NODES_V4, NODES_V6};
use signpost_e2e::{Cluster, Node, Pod, PodSpec, wait};

use super::paths::delete;
use crate::support::place::{Place, run_server};
use crate::support::{LIMIT, objects, routes};

const SERVER: &str = "r20-server";
/// Two beside the server and two on the other node; of each two, one has the label that policies ask for.
const CLIENTS: [(&str, &str, &str); 4] = [
    ("r20-friend-beside", "node-1", "friend"),
    ("r20-stranger-beside", "node-1", "stranger"),
    ("r20-friend-far", "node-2", "friend"),
    ("r20-stranger-far", "node-2", "stranger"),
];

/// Its policies cut and open both what stays on a node and what leaves it, in both families. Meanwhile
/// routes, conditions and Signpost's table are as before, and when that table is written anew, the
/// engine's rules stay as they are.
pub(crate) async fn r20_a_network_policy_engine_runs_beside_signpost(
    cluster: &Cluster,
) -> Result<()> {
    ensure!(cluster.dual_stack());
    let server = PodSpec::new(SERVER).on("node-1").label("role", "server");
    let server = run_server(cluster, server).await?;
    let clients = CLIENTS
        .map(|(name, node, role)| cluster.run_pod(PodSpec::new(name).on(node).label("role", role)));
    let clients: Vec<Pod> = join_all(clients).await.into_iter().collect::<Result<_>>()?;
    let reach = async |who: &str, when: &str| only(&clients, &server, who, when).await;

    forget_others(cluster).await?;
    let before = signpost(cluster).await?;
    cluster.run_policy_engine().await?;
    reach("friend stranger", "without a policy").await?;

    let deny = policy("deny", "server", "Ingress");
    apply(cluster, &deny).await?;
    reach("", "with all ingress denied").await?;

    let mut allow = policy("allow", "server", "Ingress");
    allow["spec"]["ingress"] = json!([{"from": [{"podSelector": selector("friend")}]}]);
    apply(cluster, &allow).await?;
    reach("friend", "with ingress allowed from friends").await?;
    unchanged(&before, &signpost(cluster).await?)?;
    write_anew(cluster).await?;
    reach("friend", "after Signpost wrote its table anew").await?;

    remove(cluster, &[deny, allow]).await?;
    let deny = policy("deny", "friend", "Egress");
    apply(cluster, &deny).await?;
    reach("stranger", "with egress denied to friends").await?;

    remove(cluster, &[deny]).await?;
    reach("friend stranger", "without policies again").await?;
    cluster.remove_policy_engine().await?;
    reach("friend stranger", "without the engine").await?;
    routes::settle(cluster).await?;
    let pods = [vec![server], clients].concat();
    delete(cluster, &pods).await
}

/// Waits until those clients reach the server, each with its own address, whose role is in `who`, and
/// the others do not; in both families.
async fn only(clients: &[Pod], server: &Pod, who: &str, when: &str) -> Result<()> {
    let paths = clients
        .iter()
        .zip(CLIENTS)
        .flat_map(|(client, (_, _, role))| {
            let families = client.addresses().iter().zip(server.addresses());
            families.map(move |(from, to)| (client, role, *from, *to))
        });
    let paths: Vec<(&Pod, &str, IpAddr, IpAddr)> = paths.collect();
    ensure!(
        paths.len() == 2 * CLIENTS.len(),
        "two families, not {} paths",
        paths.len()
    );
    let expected: Vec<bool> = paths.iter().map(|path| who.contains(path.1)).collect();
    let what = format!("only {who:?} to reach the server, {when}");
    wait::until(&what, LIMIT, async || {
        let tries = paths.iter().map(async |(client, _, from, to)| {
            let seen = Place::from(*client).seen_by(*to).await;
            let told = format!("{} at {to}: {seen:?}", client.name());
            (seen.is_ok_and(|seen| seen == *from), told)
        });
        let (reached, told): (Vec<bool>, Vec<String>) = join_all(tries).await.into_iter().unzip();
        ensure!(reached == expected, "{}", told.join("\n"));
        Ok(())
    })
    .await
}

/// Waits until no table names a node that another test removed: agents hear of it up to seconds later.
async fn forget_others(cluster: &Cluster) -> Result<()> {
    let nodes: Api<NodeObject> = Api::all(cluster.client());
    let nodes = nodes.list(&ListParams::default()).await?;
    let statuses = nodes.into_iter().filter_map(|node| node.status?.addresses);
    let addresses = statuses
        .flatten()
        .filter_map(|address| address.address.parse().ok());
    let addresses: Vec<IpAddr> = addresses.collect();
    let of_nodes = [NODES_V4, NODES_V6, BARE_NODES_V4].map(str::parse::<IpNet>);
    let of_nodes = of_nodes.into_iter().collect::<Result<Vec<_>, _>>()?;
    let gone = |word: &&str| {
        let address: Option<IpAddr> = word.trim_end_matches(',').parse().ok();
        address.is_some_and(|address| {
            of_nodes.iter().any(|range| range.contains(&address)) && !addresses.contains(&address)
        })
    };
    for node in cluster.nodes() {
        let what = format!("the table of {} to name only nodes", node.name());
        wait::until(&what, LIMIT, async || {
            let table = table(&node).await?;
            let gone = table.split_whitespace().find(gone);
            ensure!(gone.is_none(), "it names {gone:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// What is Signpost's and is to stay as it is: routes, tables with their rules' handles, conditions.
async fn signpost(cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let routes = routes::ours(cluster).await?;
    found.insert("routes".to_owned(), format!("{routes:?}"));
    for node in cluster.nodes() {
        let object = objects::node(cluster, node.name()).await?;
        let condition = objects::condition(&object, "NetworkUnavailable");
        found.insert(
            format!("condition of {}", node.name()),
            format!("{condition:?}"),
        );
        found.insert(format!("table of {}", node.name()), table(&node).await?);
    }
    let network = objects::pod_network(cluster).await?;
    found.insert("PodNetwork".to_owned(), network["status"].to_string());
    Ok(found)
}

fn unchanged(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Result<()> {
    for (what, was) in before {
        let is = now.get(what).context("the same is looked at")?;
        ensure!(
            was == is,
            "{what} was {was} before the engine came, now it is {is}"
        );
    }
    Ok(())
}

async fn table(node: &Node) -> Result<String> {
    let list = ["nft", "-a", "-s", "list", "table", "inet", "signpost"];
    node.machine().run(&list).await
}

/// Makes Signpost write its tables twice, and looks at the engine's rules meanwhile.
async fn write_anew(cluster: &Cluster) -> Result<()> {
    let range = "198.51.100.0/24";
    for (except, there) in [(json!([range]), true), (Value::Null, false)] {
        let nodes = cluster.nodes();
        let rules = join_all(nodes.iter().map(|node| node.policy_rules()));
        let rules = rules.await.into_iter().collect::<Result<Vec<_>>>()?;
        let datapath = json!({"masquerade": {"exceptCIDRs": except}});
        objects::change_pod_network(cluster, &json!({"datapath": datapath})).await?;
        for (node, rules) in nodes.iter().zip(rules) {
            let what = format!("the table of {} to be written anew", node.name());
            wait::until(&what, LIMIT, async || {
                let table = table(node).await?;
                ensure!(table.contains(range) == there, "it is {table}");
                Ok(())
            })
            .await?;
            let now = node.policy_rules().await?;
            ensure!(
                now == rules,
                "the engine's rules were {rules}, now they are {now}"
            );
        }
    }
    Ok(())
}

fn selector(role: &str) -> Value {
    json!({"matchLabels": {"role": role}})
}

/// A policy that lets nothing through in one direction, for pods of a role.
fn policy(name: &str, role: &str, direction: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": format!("r20-{name}")},
        "spec": {"podSelector": selector(role), "policyTypes": [direction]},
    })
}

async fn apply(cluster: &Cluster, policy: &Value) -> Result<()> {
    let text = policy.to_string();
    let apply = ["apply", "-f", "-"];
    cluster.kubectl_with_input(&apply, &text).await.map(drop)
}

async fn remove(cluster: &Cluster, policies: &[Value]) -> Result<()> {
    for policy in policies {
        let text = policy.to_string();
        let delete = ["delete", "-f", "-"];
        cluster.kubectl_with_input(&delete, &text).await?;
    }
    Ok(())
}
