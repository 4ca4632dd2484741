//! Instances: found by a node's `providerID`, and where routes to them lead.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::future::join_all;
use google_cloud_compute_v1::model::{self, instance::Status, network_interface::StackType};
use signpost_core::cloud::{CloudError, Instance, InstanceState, NextHop};

use super::{api::Api, links, links::InstanceName, place::Place};

/// So many instances of one zone are asked for one by one; more are listed with all others of the zone.
const FEW: usize = 8;

/// What requests found: each instance or why nobody knows. Those that do not exist are absent.
type Found = HashMap<InstanceName, Result<Arc<model::Instance>, CloudError>>;

/// The instance that a `providerID` names; otherwise why routes cannot lead to the node.
pub(super) fn name_of(provider_id: Option<&str>) -> Result<InstanceName, String> {
    let Some(provider_id) = provider_id else {
        return Err(
            "the node has no spec.providerID, so its instance is not known: run the node \
             controller of GCP's cloud-controller-manager, or start the kubelet with \
             --provider-id=gce://PROJECT/ZONE/INSTANCE"
                .to_owned(),
        );
    };
    let path = provider_id.strip_prefix("gce://");
    let parts: Option<Vec<&str>> = path.map(|path| path.split('/').collect());
    match parts.as_deref() {
        Some([project, zone, name]) if [project, zone, name].iter().all(|it| !it.is_empty()) => {
            Ok(InstanceName {
                project: (*project).into(),
                zone: (*zone).into(),
                name: (*name).into(),
            })
        }
        Some(_) => Err(format!(
            "spec.providerID is {provider_id}, which names no instance of GCE (expected \
             gce://PROJECT/ZONE/INSTANCE)"
        )),
        None => Err(format!(
            "spec.providerID is {provider_id}, which is no instance of GCE: routes cannot lead to \
             this node; label it signpost.dev/exclude to leave it alone"
        )),
    }
}

/// Reads instances, each zone apart, so that a zone whose calls fail is its own nodes' problem only.
pub(super) async fn read(api: &Api, names: Vec<InstanceName>) -> Found {
    let mut zones: BTreeMap<(Arc<str>, Arc<str>), Vec<InstanceName>> = BTreeMap::new();
    for name in names {
        let zone = (Arc::clone(&name.project), Arc::clone(&name.zone));
        zones.entry(zone).or_default().push(name);
    }
    let requests = zones
        .into_iter()
        .map(|((project, zone), names)| async move {
            if names.len() <= FEW {
                return one_by_one(api, names).await;
            }
            match api.instances(&project, &zone).await {
                Ok(all) => {
                    let mut listed: HashMap<String, model::Instance> = all
                        .into_iter()
                        .filter_map(|instance| Some((instance.name.clone()?, instance)))
                        .collect();
                    let (mut found, mut unlisted) = (Found::new(), Vec::new());
                    for name in names {
                        match listed.remove(&*name.name) {
                            Some(instance) => {
                                found.insert(name, Ok(Arc::new(instance)));
                            }
                            // A listing may be behind; that an instance is gone is said by name.
                            None => unlisted.push(name),
                        }
                    }
                    found.extend(one_by_one(api, unlisted).await);
                    found
                }
                Err(error) => names
                    .into_iter()
                    .map(|name| (name, Err(error.clone())))
                    .collect(),
            }
        });
    join_all(requests).await.into_iter().flatten().collect()
}

async fn one_by_one(api: &Api, names: Vec<InstanceName>) -> Found {
    let requests = names.into_iter().map(|name| async move {
        let answer = api.instance(&name).await.transpose();
        Some((name, answer?.map(Arc::new)))
    });
    join_all(requests).await.into_iter().flatten().collect()
}

/// What a description means for routes. `None`: Google says that there is no such instance.
pub(super) fn state(
    name: &InstanceName,
    instance: Option<&model::Instance>,
    place: &Place,
) -> InstanceState {
    let unsupported = |why: String| InstanceState::Unsupported(why.into());
    let Some(instance) = instance else {
        return InstanceState::Gone;
    };
    if let Some(
        Status::Stopping
        | Status::Stopped
        | Status::Suspending
        | Status::Suspended
        | Status::Terminated
        | Status::Deprovisioning
        | Status::PendingStop,
    ) = instance.status
    {
        let status = instance
            .status
            .as_ref()
            .and_then(Status::name)
            .unwrap_or_default();
        return unsupported(format!(
            "instance {name} is {status}: start it, or delete the node"
        ));
    }
    let interface = instance.network_interfaces.iter().find(|interface| {
        let network = interface.network.as_deref().and_then(links::network);
        network.is_some_and(|network| place.is_network(&network))
    });
    let Some(interface) = interface else {
        let networks: Vec<&str> = instance
            .network_interfaces
            .iter()
            .filter_map(|interface| interface.network.as_deref())
            .collect();
        return unsupported(format!(
            "instance {name} has no network interface in {place}, only in {}: correct \
             spec.cloud.gcp.network, or label the node signpost.dev/exclude",
            networks.join(" and ")
        ));
    };
    let v4 = interface.network_ip.as_deref().filter(|it| !it.is_empty());
    let v6 = interface
        .ipv_6_address
        .as_deref()
        .filter(|it| !it.is_empty());
    let has_v6 = v6.is_some()
        || matches!(
            interface.stack_type,
            Some(StackType::Ipv4Ipv6 | StackType::Ipv6Only)
        );
    // A route may only name an instance of its own project (`nextHopInstance` in the API reference).
    let by_name = place.is_own(&name.project);
    let hop = |address: Option<&str>, has: bool| {
        if by_name {
            has.then(|| NextHop::Target(name.to_string().into()))
        } else {
            address.and_then(|it| it.parse().ok()).map(NextHop::Address)
        }
    };
    InstanceState::Found(Instance {
        id: name.to_string().into(),
        next_hop_v4: hop(v4, v4.is_some()),
        next_hop_v6: hop(v6, has_v6),
        forwarding: instance.can_ip_forward == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_provider_id_names_an_instance() {
        let name = name_of(Some("gce://p-1/europe-west1-b/node-1")).unwrap();
        assert_eq!(
            name.to_string(),
            "projects/p-1/zones/europe-west1-b/instances/node-1"
        );
        for (id, remedy) in [
            (None, "--provider-id=gce://"),
            (Some("gce://node-1"), "expected gce://PROJECT/ZONE/INSTANCE"),
            (
                Some("gce:///z/node-1"),
                "expected gce://PROJECT/ZONE/INSTANCE",
            ),
            (
                Some("gce://p/z/n/m"),
                "expected gce://PROJECT/ZONE/INSTANCE",
            ),
            (Some("aws:///eu-west-1a/i-0123"), "signpost.dev/exclude"),
            (Some(""), "signpost.dev/exclude"),
        ] {
            let refused = name_of(id).unwrap_err();
            assert!(refused.contains(remedy), "{id:?}: {refused}");
        }
    }

    fn place() -> Place {
        Place::new("host".into(), "pods".into(), ["12345".into()])
    }

    fn name(project: &str) -> InstanceName {
        InstanceName {
            project: project.into(),
            zone: "z-a".into(),
            name: "n".into(),
        }
    }

    fn instance(network: &str) -> model::Instance {
        let interface = model::NetworkInterface::new()
            .set_network(format!("https://x/compute/v1/{network}"))
            .set_network_ip("10.0.0.7")
            .set_ipv_6_address("fd20::7");
        model::Instance::new()
            .set_status(Status::Running)
            .set_can_ip_forward(true)
            .set_network_interfaces([interface])
    }

    #[test]
    fn an_instance_of_the_own_project_is_led_to_by_name_and_others_by_address() {
        let there = instance("projects/host/global/networks/pods");
        let InstanceState::Found(own) = state(&name("host"), Some(&there), &place()) else {
            panic!("it is there");
        };
        let target = NextHop::Target("projects/host/zones/z-a/instances/n".into());
        assert_eq!(own.next_hop_v4, Some(target.clone()));
        assert_eq!(own.next_hop_v6, Some(target));
        assert!(own.forwarding);

        let InstanceState::Found(other) = state(&name("service"), Some(&there), &place()) else {
            panic!("it is there");
        };
        let address = |text: &str| Some(NextHop::Address(text.parse().unwrap()));
        assert_eq!(other.next_hop_v4, address("10.0.0.7"));
        assert_eq!(other.next_hop_v6, address("fd20::7"));
    }

    #[test]
    fn a_network_is_the_same_by_project_id_and_number() {
        let by_number = instance("projects/12345/global/networks/pods");
        let found = state(&name("service"), Some(&by_number), &place());
        assert!(matches!(found, InstanceState::Found(_)));
        for other in [
            "projects/other/global/networks/pods",
            "projects/host/global/networks/x",
        ] {
            let found = state(&name("host"), Some(&instance(other)), &place());
            let InstanceState::Unsupported(why) = found else {
                panic!("{found:?}");
            };
            assert!(why.contains("spec.cloud.gcp.network"), "{why}");
        }
    }

    #[test]
    fn what_does_not_run_is_not_led_to() {
        assert_eq!(state(&name("host"), None, &place()), InstanceState::Gone);
        for status in [Status::Terminated, Status::Stopping, Status::Suspended] {
            let stopped = instance("projects/host/global/networks/pods").set_status(status);
            let found = state(&name("host"), Some(&stopped), &place());
            assert!(matches!(found, InstanceState::Unsupported(_)), "{found:?}");
        }
    }
}
