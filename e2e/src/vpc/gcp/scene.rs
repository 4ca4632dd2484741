//! A network with two subnets of one region, made by calls of the API.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use serde_json::{Value, json};
use signpost_gce::{Emulator, Identity};
use tokio::sync::OnceCell;

use super::{GcpOptions, Instance};
use crate::addresses::{
    BARE_NODES_V4, BARE_NODES_V6, Link, NODES_V6, ZONES_V4, ZONES_V6, Zone, bare_v6,
};
use crate::vpc::place;

type Place = place::Place<Emulator>;

/// The project that has the network.
pub const PROJECT: &str = "e2e-host";
/// A project that the network is shared with.
pub const SERVICE_PROJECT: &str = "e2e-service";
/// The network's name.
pub(super) const NAME: &str = "pods";
/// The network.
pub const NETWORK: &str = "projects/e2e-host/global/networks/pods";
const REGION: &str = "europe-west3";
/// The address of the controller's instance, which no machine has: the controller is on the router.
const CONTROLLER: &str = "172.30.0.10";

/// What the cluster's nodes are launched into.
#[derive(Debug)]
pub(super) struct Scene {
    /// A subnet of the first zone for nodes that have no machine, once there is one.
    bare: OnceCell<String>,
    pub(super) shared: bool,
    pub(super) without_forwarding: bool,
    dual_stack: bool,
}

impl Scene {
    pub(super) async fn build(
        place: &Place,
        dual_stack: bool,
        options: &GcpOptions,
    ) -> Result<Self> {
        let mut network = json!({"name": NAME, "autoCreateSubnetworks": false});
        if dual_stack {
            network["enableUlaInternalIpv6"] = true.into();
            network["internalIpv6Range"] = NODES_V6.into();
        }
        make(
            place,
            format!("projects/{PROJECT}/global/networks"),
            network,
        )
        .await?;
        let scene = Self {
            bare: OnceCell::new(),
            shared: options.shared,
            without_forwarding: options.without_forwarding,
            dual_stack,
        };
        for (zone, name) in [Zone::A, Zone::B].into_iter().zip(["zone-a", "zone-b"]) {
            let (v4, v6) = match zone {
                Zone::A => (ZONES_V4[0], ZONES_V6[0]),
                Zone::B => (ZONES_V4[1], ZONES_V6[1]),
            };
            scene.subnet(place, name, v4, v6).await?;
        }
        if dual_stack {
            let outside = json!({
                "name": "outside-v6", "network": NETWORK, "destRange": "::/0", "priority": 1000,
                "nextHopGateway": format!("projects/{PROJECT}/global/gateways/default-internet-gateway"),
            });
            make(place, format!("projects/{PROJECT}/global/routes"), outside).await?;
        }
        scene.place_controller(place).await?;
        Ok(scene)
    }

    /// Says on which instance the controller runs, as the metadata server tells it.
    async fn place_controller(&self, place: &Place) -> Result<()> {
        let zone = format!("{REGION}-a");
        let name = "control-plane";
        let body = json!({
            "name": name,
            "machineType": format!("zones/{zone}/machineTypes/e2-medium"),
            "networkInterfaces": [{
                "subnetwork": format!("projects/{PROJECT}/regions/{REGION}/subnetworks/zone-a"),
                "networkIP": CONTROLLER,
            }],
        });
        let instances = format!("projects/{PROJECT}/zones/{zone}/instances");
        make(place, instances, body).await?;
        place.emulator.set_identity(Identity {
            project: PROJECT.to_owned(),
            zone,
            instance: name.to_owned(),
            ..Identity::default()
        });
        Ok(())
    }

    async fn subnet(&self, place: &Place, name: &str, v4: &str, v6: &str) -> Result<String> {
        let mut body = json!({"name": name, "network": NETWORK, "ipCidrRange": v4});
        if self.dual_stack {
            body["stackType"] = "IPV4_IPV6".into();
            body["ipv6AccessType"] = "INTERNAL".into();
            body["internalIpv6Prefix"] = v6.into();
        }
        let subnets = format!("projects/{PROJECT}/regions/{REGION}/subnetworks");
        make(place, subnets.clone(), body).await?;
        Ok(format!("{subnets}/{name}"))
    }

    /// Launches the instance of a link's node, with the addresses of that link.
    pub(super) async fn launch(&self, place: &Place, link: Link, name: &str) -> Result<Instance> {
        let (zone, subnet) = match link.zone() {
            Zone::A => ("a", "zone-a"),
            Zone::B => ("b", "zone-b"),
        };
        let subnet = format!("projects/{PROJECT}/regions/{REGION}/subnetworks/{subnet}");
        let addresses = (link.node_v4(), link.node_v6());
        self.run(place, name, zone, &subnet, addresses).await
    }

    /// Launches an instance in the subnet for nodes that have no machine.
    pub(super) async fn launch_bare(
        &self,
        place: &Place,
        address: Ipv4Addr,
        name: &str,
    ) -> Result<Instance> {
        let subnet = self
            .bare
            .get_or_try_init(|| self.subnet(place, "bare", BARE_NODES_V4, BARE_NODES_V6))
            .await?;
        let addresses = (address, bare_v6(address));
        self.run(place, name, "a", subnet, addresses).await
    }

    async fn run(
        &self,
        place: &Place,
        name: &str,
        zone: &str,
        subnet: &str,
        (v4, v6): (Ipv4Addr, Ipv6Addr),
    ) -> Result<Instance> {
        let project = if self.shared {
            SERVICE_PROJECT
        } else {
            PROJECT
        };
        let zone = format!("{REGION}-{zone}");
        let mut interface = json!({"subnetwork": subnet, "networkIP": v4});
        if self.dual_stack {
            interface["stackType"] = "IPV4_IPV6".into();
            interface["ipv6Address"] = v6.to_string().into();
        }
        let body = json!({
            "name": name,
            "machineType": format!("zones/{zone}/machineTypes/e2-medium"),
            "canIpForward": !self.without_forwarding,
            "networkInterfaces": [interface],
        });
        let instances = format!("projects/{project}/zones/{zone}/instances");
        make(place, instances.clone(), body).await?;
        Ok(Instance {
            id: name.to_owned(),
            provider_id: format!("gce://{project}/{zone}/{name}"),
            interface: format!("{instances}/{name}"),
            zone,
        })
    }
}

async fn make(place: &Place, collection: String, body: Value) -> Result<()> {
    let made = place.call(collection, async move |client, path| {
        client.make(&path, &body).await
    });
    made.await.map(drop)
}
