//! Each program is granted what it uses, and uses what it is granted.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use signpost_e2e::{Access, Cluster, identity, wait};

use crate::support::{LIMIT, objects, routes};

const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

/// The API server's audit log shows exactly the verbs that the roles in `manifests/base` grant: one
/// missing would show as denied, one needless as never used.
pub(crate) async fn each_program_uses_exactly_the_verbs_that_it_is_granted(
    cluster: &Cluster,
) -> Result<()> {
    make_it_use_them(cluster).await?;
    for account in [identity::CONTROLLER, identity::AGENT] {
        let granted = granted(cluster, account).await?;
        let what = format!("{account} to use what it is granted, and nothing else");
        wait::until(&what, LIMIT, async || {
            let seen = cluster.audited(account)?;
            let denied: Vec<&Access> = seen.iter().filter(|access| access.denied).collect();
            ensure!(
                denied.is_empty(),
                "it was denied {denied:?}: the role lacks them"
            );
            let used: BTreeSet<_> = seen
                .into_iter()
                .map(|access| Access {
                    denied: false,
                    ..access
                })
                .collect();
            let needless: Vec<&Access> = granted.difference(&used).collect();
            ensure!(needless.is_empty(), "granted and never used: {needless:?}");
            let unexplained: Vec<&Access> = used.difference(&granted).collect();
            ensure!(
                unexplained.is_empty(),
                "used by another role's grace: {unexplained:?}"
            );
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Does what the controller reacts to with its rarer verbs.
async fn make_it_use_them(cluster: &Cluster) -> Result<()> {
    // A node whose pod CIDR is set by somebody else while the controller wants to: it reads it again.
    cluster
        .router()
        .signal("signpost-controller", SIGSTOP)
        .await?;
    objects::create_bare_node(cluster, "rights-1", 31, &[]).await?;
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(cluster.client());
    let cidr = "10.244.254.0/24";
    let patch = Patch::Merge(json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}));
    nodes
        .patch("rights-1", &PatchParams::default(), &patch)
        .await
        .context("setting podCIDRs")?;
    cluster
        .router()
        .signal("signpost-controller", SIGCONT)
        .await?;
    routes::wait_for(cluster, cidr.parse()?, Some([172, 29, 255, 31].into())).await?;

    // The same trouble twice is one event that counts.
    let router = cluster.router();
    for _ in 0..2 {
        let foreign = ["10.244.254.128/25", "via", "192.0.2.2", "proto", "static"];
        router
            .run(&[&["ip", "route", "add"], &foreign[..]].concat())
            .await?;
        objects::status_becomes(cluster, "/routes/foreign", 1).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        router
            .run(&[&["ip", "route", "delete"], &foreign[..1]].concat())
            .await?;
        objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    }
    cluster.delete_bare_nodes(&["rights-1".into()]).await?;
    routes::settle(cluster).await.map(drop)
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
