//! Edits of the `PodNetwork` that break its rules.

use anyhow::{Context, Result, bail, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Arena, Fault, fault};
use crate::objects;

pub(super) const FAULTS: &[Fault] = &[fault!(
    invalid_edits,
    "somebody tries to break every rule of the PodNetwork, one after the other"
)];

/// The pool that there is.
const PODS: &str = r#"{"name":"pods","cidr":"10.244.0.0/16","nodePrefixLength":24}"#;

/// What is merged into the spec, the field that the refusal names, and a part of what it says. `@` is
/// the pool that there is.
const INVALID: &str = r#"
{"pools":[]} | spec.pools | at least 1 items
{"pools":[@,{"name":"A_b","cidr":"10.9.0.0/16","nodePrefixLength":24}]} | spec.pools[1].name | for example zone-a
{"pools":[@,{"name":"b","cidr":"10.9.0.0","nodePrefixLength":24}]} | spec.pools[1].cidr | not a range in CIDR notation
{"pools":[@,{"name":"b","cidr":"10.9.0.1/16","nodePrefixLength":24}]} | spec.pools[1].cidr | has host bits set
{"pools":[@,{"name":"b","cidr":"127.0.0.0/8","nodePrefixLength":24}]} | spec.pools[1].cidr | use a private range
{"pools":[@,{"name":"b","cidr":"10.9.0.0/16","nodePrefixLength":15}]} | spec.pools[1].nodePrefixLength | set nodePrefixLength to at least
{"pools":[@,{"name":"b","cidr":"10.0.0.0/8","nodePrefixLength":29}]} | spec.pools[1].nodePrefixLength | more than 2^20 blocks
{"pools":[@,{"name":"b","cidr":"10.9.0.0/16","nodePrefixLength":31}]} | spec.pools[1].nodePrefixLength | 30 or less for IPv4
{"pools":[@,{"name":"b","cidr":"fd09::/120","nodePrefixLength":127}]} | spec.pools[1].nodePrefixLength | less than or equal to 126
{"pools":[@,{"name":"b","cidr":"10.244.8.0/24","nodePrefixLength":26}]} | spec.pools | pools overlap
{"pools":[@,{"name":"pods","cidr":"10.9.0.0/16","nodePrefixLength":24}]} | spec.pools[1] | Duplicate value
{"pools":[@,{"name":"b","cidr":"10.9.0.0/16","nodePrefixLength":24,"state":"Off"}]} | spec.pools[1].state | supported values
{"pools":[@,{"name":"b","cidr":"10.9.0.0/16","nodePrefixLength":24,"nodeSelector":{"matchLabels":{"a b":"c"}}}]} | spec.pools[1].nodeSelector.matchLabels | no node can carry such a label
{"pools":[{"name":"pods","cidr":"10.9.0.0/16","nodePrefixLength":24}]} | spec.pools[0].cidr | add a pool of another name
{"pools":[{"name":"pods","cidr":"10.244.0.0/16","nodePrefixLength":25}]} | spec.pools[0].nodePrefixLength | add a pool of another name
{"reservedCIDRs":["10.0.0.300/8"]} | spec.reservedCIDRs[0] | not a range in CIDR notation
{"reservedCIDRs":["10.0.0.1/8"]} | spec.reservedCIDRs[0] | has host bits set
{"cloud":{"provider":"moon"}} | spec.cloud.provider | supported values
{"cloud":{"provider":"aws","linux":null}} | spec.cloud | needs the section aws
{"cloud":{"provider":"gcp","linux":null}} | spec.cloud | needs the section gcp
{"cloud":{"aws":{"clusterName":"x"}}} | spec.cloud.aws | belongs to provider aws
{"cloud":{"gcp":{"clusterName":"x"}}} | spec.cloud.gcp | belongs to provider gcp
{"cloud":{"provider":"none","linux":{}}} | spec.cloud.linux | belongs to provider linux
{"cloud":{"checkPeriod":"0s"}} | spec.cloud.checkPeriod | must be from 1s to 1h
{"cloud":{"checkPeriod":"soon"}} | spec.cloud.checkPeriod | should match
{"cloud":{"linux":{"routeProtocol":2}}} | spec.cloud.linux.routeProtocol | greater than or equal to 5
{"cloud":{"linux":{"routeProtocol":186}}} | spec.cloud.linux.routeProtocol | choose an unused one
{"cloud":{"linux":{"table":255}}} | spec.cloud.linux.table | use 254 (main)
{"datapath":{"mtu":600}} | spec.datapath.mtu | set mtu to 1280 or more
{"datapath":{"mode":"vxlan"}} | spec.datapath.mode | supported values
{"datapath":{"masquerade":{"exceptCIDRs":["x"]}}} | spec.datapath.masquerade.exceptCIDRs[0] | not a range in CIDR notation
{"safety":{"maxDeletionPercent":101}} | spec.safety.maxDeletionPercent | less than or equal to 100
"#;

async fn invalid_edits(arena: &mut Arena) -> Result<()> {
    let before = arena.pod_network().await?["spec"].clone();
    let networks = objects::pod_networks(arena.cluster());
    let mut refused = 0;
    for line in INVALID.trim().lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [edit, field, remedy] = *parts.as_slice() else {
            bail!("a line of three parts: {line}");
        };
        let edit: Value = serde_json::from_str(&edit.replace('@', PODS)).context(edit)?;
        let patch = Patch::Merge(json!({"spec": edit}));
        let answer = networks
            .patch("default", &PatchParams::default(), &patch)
            .await;
        let Err(kube::Error::Api(refusal)) = answer else {
            bail!("{edit} should be refused: {answer:?}");
        };
        let said = refusal.message;
        ensure!(
            refusal.code == 422 && said.contains(&format!("{field}: ")) && said.contains(remedy),
            "{edit} should be refused for {field} with {remedy:?}: {said}"
        );
        refused += 1;
    }
    arena.did(format!("{refused} edits refused"));
    let after = arena.pod_network().await?["spec"].clone();
    ensure!(before == after, "the spec was {before}, it is {after}");
    Ok(())
}
