//! Each program is granted what it uses, and uses what it is granted.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use ipnet::Ipv4Net;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use signpost_e2e::{Access, Cluster, ClusterOptions, Signal, identity, wait};

use crate::support::{LIMIT, blocks, objects, recorded, routes};

/// The API server's audit log shows exactly the verbs that the roles in `manifests/base` grant: one
/// missing would show as denied, one needless as never used.
pub(crate) async fn each_program_uses_exactly_the_verbs_that_it_is_granted() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::new("rights").nodes(1)).await?;
    let result = Box::pin(use_and_compare(&cluster)).await;
    recorded(&[&cluster], result).await
}

async fn use_and_compare(cluster: &Cluster) -> Result<()> {
    let block = conflict(cluster).await?;
    same_trouble_twice(cluster, block).await?;
    lost_lease(cluster).await?;
    teardown(cluster).await?;
    for account in [identity::CONTROLLER, identity::AGENT] {
        let granted = granted(cluster, account).await?;
        let seen = cluster.audited(account)?;
        let denied: Vec<&Access> = seen.iter().filter(|access| access.denied).collect();
        ensure!(
            denied.is_empty(),
            "{account} was denied {denied:?}: its roles lack them"
        );
        let needless: Vec<&Access> = granted.difference(&seen).collect();
        ensure!(
            needless.is_empty(),
            "{account} never used what it is granted: {needless:?}"
        );
        let unexplained: Vec<&Access> = seen.difference(&granted).collect();
        ensure!(
            unexplained.is_empty(),
            "{account} used what none of its own roles grants: {unexplained:?}"
        );
    }
    Ok(())
}

/// A node whose pod CIDR somebody else sets while the controller is about to: it reads it again.
async fn conflict(cluster: &Cluster) -> Result<Ipv4Net> {
    let controller = cluster.controller()?;
    controller.signal(Signal::STOP).await?;
    objects::create_bare_node(cluster, "rights-1", 31, &[]).await?;
    let nodes: Api<Node> = Api::all(cluster.client());
    let cidr = blocks::unused(cluster).await?;
    let patch = Patch::Merge(json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}));
    let params = PatchParams::default();
    nodes
        .patch("rights-1", &params, &patch)
        .await
        .context("setting podCIDRs")?;
    controller.signal(Signal::CONT).await?;
    routes::wait_for(cluster, cidr.into(), Some([172, 29, 255, 31].into())).await?;
    Ok(cidr)
}

/// The same trouble of a node twice, somebody else's routes inside its block, is one event that counts.
async fn same_trouble_twice(cluster: &Cluster, block: Ipv4Net) -> Result<()> {
    let router = cluster.router();
    for half in block.subnets(25)? {
        let inside = half.to_string();
        let foreign = [&*inside, "via", "192.0.2.2", "proto", "static"];
        router
            .run(&[&["ip", "route", "add"], &foreign[..]].concat())
            .await?;
        objects::status_becomes(cluster, "/routes/foreign", 1).await?;
        router.run(&["ip", "route", "delete", &inside]).await?;
        objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    }
    Ok(())
}

/// A lease that somebody deletes is created anew, once nobody can think any more to hold the old one.
async fn lost_lease(cluster: &Cluster) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), identity::NAMESPACE);
    leases
        .delete(identity::CONTROLLER, &DeleteParams::default())
        .await?;
    wait::until("the lease to be created and held", 2 * LIMIT, async || {
        let lease = leases.get(identity::CONTROLLER).await?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity);
        ensure!(
            holder.is_some_and(|holder| !holder.is_empty()),
            "nobody holds it"
        );
        Ok(())
    })
    .await
}

/// The finalizer comes off with the last route.
async fn teardown(cluster: &Cluster) -> Result<()> {
    let networks = objects::pod_networks(cluster);
    networks.delete("default", &DeleteParams::default()).await?;
    wait::until("the PodNetwork to be gone", LIMIT, async || {
        let object = networks.get_opt("default").await?;
        ensure!(object.is_none(), "it is still there: {object:?}");
        Ok(())
    })
    .await
}

/// What the roles of an account's name grant, in the cluster and in its namespace.
async fn granted(cluster: &Cluster, account: &str) -> Result<BTreeSet<Access>> {
    let anywhere: Api<ClusterRole> = Api::all(cluster.client());
    let at_home: Api<Role> = Api::namespaced(cluster.client(), identity::NAMESPACE);
    let mut rules = anywhere.get(account).await?.rules.unwrap_or_default();
    if let Some(role) = at_home.get_opt(account).await? {
        rules.extend(role.rules.unwrap_or_default());
    }
    let granted: BTreeSet<Access> = rules.iter().flat_map(accesses).collect();
    ensure!(!granted.is_empty(), "the roles of {account} grant nothing");
    Ok(granted)
}

fn accesses(rule: &PolicyRule) -> Vec<Access> {
    let mut found = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            found.extend(rule.verbs.iter().map(|verb| Access {
                verb: verb.clone(),
                group: group.clone(),
                resource: resource.clone(),
                denied: false,
            }));
        }
    }
    found
}
