//! Instances: found by a node's `providerID`, and where routes to them lead.

use std::sync::Arc;

use aws_sdk_ec2::types::{self, InstanceStateName};
use signpost_core::cloud::{Instance, InstanceState, NextHop};

use super::interfaces;

/// An instance as a node names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InstanceName {
    /// Its availability zone; empty if the node does not say.
    pub(super) zone: Arc<str>,
    pub(super) id: Arc<str>,
}

/// What was found of an instance that exists.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// It is described.
    There(Arc<RawInstance>),
    /// It is left out of the answer without a word, as those of other accounts are.
    Hidden,
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawInstance {
    pub(super) id: Arc<str>,
    pub(super) vpc: Option<Arc<str>>,
    pub(super) zone: Option<Arc<str>>,
    pub(super) state: InstanceStateName,
    pub(super) tags: Vec<(String, String)>,
    pub(super) interfaces: Vec<OwnInterface>,
}

/// A network interface of an instance.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnInterface {
    pub(super) id: Arc<str>,
    /// The first device of the first network card: the one with which the instance was launched,
    /// which cannot be detached.
    pub(super) primary: bool,
    pub(super) subnet: Option<Arc<str>>,
    /// The account that it belongs to.
    pub(super) owner: Option<Arc<str>>,
    pub(super) has_v4: bool,
    pub(super) has_v6: bool,
    /// Packets that are not addressed to it are dropped.
    pub(super) checked: bool,
}

impl RawInstance {
    /// `None` for one without an id, which EC2 never sends.
    pub(super) fn read(instance: &types::Instance) -> Option<Self> {
        let state = instance.state().and_then(types::InstanceState::name);
        Some(Self {
            id: instance.instance_id()?.into(),
            vpc: instance.vpc_id().map(Arc::from),
            zone: instance
                .placement()
                .and_then(types::Placement::availability_zone)
                .map(Arc::from),
            state: state.cloned().unwrap_or(InstanceStateName::Pending),
            tags: interfaces::tags(instance.tags()),
            interfaces: instance
                .network_interfaces()
                .iter()
                .filter_map(OwnInterface::read)
                .collect(),
        })
    }

    /// Whether it carries this tag with the value `owned` or `shared`.
    pub(super) fn belongs_to(&self, cluster_tag: &str) -> bool {
        interfaces::belongs_to(&self.tags, cluster_tag)
    }

    /// The interface that routes lead to.
    pub(super) fn primary(&self) -> Option<&OwnInterface> {
        self.interfaces.iter().find(|it| it.primary)
    }
}

impl OwnInterface {
    fn read(interface: &types::InstanceNetworkInterface) -> Option<Self> {
        let attachment = interface.attachment();
        let device = attachment.and_then(types::InstanceNetworkInterfaceAttachment::device_index);
        let card =
            attachment.and_then(types::InstanceNetworkInterfaceAttachment::network_card_index);
        Some(Self {
            id: interface.network_interface_id()?.into(),
            primary: device == Some(0) && card.unwrap_or(0) == 0,
            subnet: interface.subnet_id().map(Arc::from),
            owner: interface.owner_id().map(Arc::from),
            has_v4: interface.private_ip_address().is_some(),
            has_v6: !interface.ipv6_addresses().is_empty(),
            checked: interface.source_dest_check() != Some(false),
        })
    }
}

/// The instance that a `providerID` names; otherwise why routes cannot lead to the node.
pub(super) fn name_of(provider_id: Option<&str>) -> Result<InstanceName, String> {
    let Some(provider_id) = provider_id else {
        return Err(
            "the node has no spec.providerID, so its instance is not known: run the AWS \
             cloud-controller-manager's node controller, or start the kubelet with \
             --provider-id=aws:///ZONE/INSTANCE"
                .to_owned(),
        );
    };
    let Some(path) = provider_id.strip_prefix("aws://") else {
        return Err(format!(
            "spec.providerID is {provider_id}, which is no instance of AWS: routes cannot lead to \
             this node; label it signpost.dev/exclude to leave it alone"
        ));
    };
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let zone = parts.next().unwrap_or_default();
    let hexadecimal = |id: &str| !id.is_empty() && id.bytes().all(|it| it.is_ascii_hexdigit());
    if name.strip_prefix("i-").is_some_and(hexadecimal) {
        return Ok(InstanceName {
            zone: zone.into(),
            id: name.into(),
        });
    }
    if name.starts_with("fargate") {
        return Err(
            "the node runs on Fargate, whose pods have addresses of the VPC: it needs no routes; \
             label it signpost.dev/exclude"
                .to_owned(),
        );
    }
    Err(format!(
        "spec.providerID is {provider_id}, which names no EC2 instance (expected \
         aws:///ZONE/i-0123456789abcdef0)"
    ))
}

/// What a description means for routes. `None`: EC2 says that there is no such instance.
pub(super) fn state(
    id: &str,
    sight: Option<&Sight>,
    vpc: Option<&str>,
    problem: impl Fn(&RawInstance, &OwnInterface) -> Option<String>,
) -> InstanceState {
    use InstanceStateName as Name;
    let unsupported = |why: String| InstanceState::Unsupported(why.into());
    let instance = match sight {
        None => return InstanceState::Gone,
        Some(Sight::Hidden) => {
            return unsupported(format!(
                "EC2 neither shows instance {id} nor says that it does not exist, so it belongs to \
                 another account than the controller's credentials (a VPC shared between accounts is \
                 not supported) or is managed by a service that hides it; label the node \
                 signpost.dev/exclude"
            ));
        }
        Some(Sight::There(instance)) => instance,
    };
    match instance.state {
        Name::Terminated | Name::ShuttingDown => return InstanceState::Gone,
        Name::Stopped | Name::Stopping => {
            return unsupported(format!(
                "instance {id} is stopped: start it, or delete the node"
            ));
        }
        _ => {}
    }
    if let (Some(vpc), Some(other)) = (vpc, instance.vpc.as_deref())
        && vpc != other
    {
        return unsupported(format!(
            "instance {id} is in {other}, and the route tables are in {vpc}: correct \
             spec.cloud.aws.vpcID, or label the node signpost.dev/exclude"
        ));
    }
    let Some(primary) = instance.primary() else {
        return unsupported(format!(
            "instance {id} shows no primary network interface (device index 0)"
        ));
    };
    if let Some(problem) = problem(instance, primary) {
        return unsupported(problem);
    }
    let hop = |has: bool| has.then(|| NextHop::Target(Arc::clone(&primary.id)));
    InstanceState::Found(Instance {
        id: Arc::clone(&instance.id),
        next_hop_v4: hop(primary.has_v4),
        next_hop_v6: hop(primary.has_v6),
        forwarding: !primary.checked,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        InstanceIpv6Address, InstanceNetworkInterface, InstanceNetworkInterfaceAttachment, Tag,
    };

    use super::*;

    fn interface(id: &str, device: i32, card: i32) -> InstanceNetworkInterface {
        let attachment = InstanceNetworkInterfaceAttachment::builder()
            .device_index(device)
            .network_card_index(card);
        InstanceNetworkInterface::builder()
            .network_interface_id(id)
            .private_ip_address("10.0.0.9")
            .source_dest_check(true)
            .attachment(attachment.build())
            .build()
    }

    fn instance(name: InstanceStateName) -> types::builders::InstanceBuilder {
        types::Instance::builder()
            .instance_id("i-0a")
            .vpc_id("vpc-1")
            .state(types::InstanceState::builder().name(name).build())
    }

    fn state_of(instance: &types::Instance) -> InstanceState {
        let sight = Sight::There(Arc::new(RawInstance::read(instance).unwrap()));
        state("i-0a", Some(&sight), Some("vpc-1"), |_, _| None)
    }

    #[test]
    fn provider_ids_name_instances() {
        for (id, zone) in [
            ("aws:///eu-west-1a/i-0a1b2c", "eu-west-1a"),
            ("aws:////i-0a1b2c", ""),
            ("aws://i-0a1b2c", ""),
        ] {
            let name = name_of(Some(id)).unwrap();
            assert_eq!((&*name.zone, &*name.id), (zone, "i-0a1b2c"), "{id}");
        }
        for (id, said) in [
            (Some("aws:///eu-west-1a/fargate-ip-10-0-0-1"), "Fargate"),
            (Some("gce://project/zone/name"), "no instance of AWS"),
            (Some("aws:///eu-west-1a/i-"), "names no EC2 instance"),
            (Some("aws:///eu-west-1a/web"), "names no EC2 instance"),
            (None, "no spec.providerID"),
        ] {
            let why = name_of(id).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn routes_lead_to_the_primary_interface_of_all() {
        let instance = instance(InstanceStateName::Running)
            .network_interfaces(interface("eni-b", 1, 0))
            .network_interfaces(interface("eni-c", 0, 1))
            .network_interfaces(interface("eni-a", 0, 0))
            .build();
        let InstanceState::Found(found) = state_of(&instance) else {
            panic!("it runs");
        };
        assert_eq!(found.next_hop_v4, Some(NextHop::Target("eni-a".into())));
        assert_eq!(found.next_hop_v6, None, "it has no IPv6 address");
        assert!(!found.forwarding);
    }

    #[test]
    fn ipv6_and_the_check_are_read() {
        let mut primary = interface("eni-a", 0, 0);
        primary.source_dest_check = Some(false);
        primary.ipv6_addresses = Some(vec![InstanceIpv6Address::builder().build()]);
        let instance = instance(InstanceStateName::Pending).network_interfaces(primary);
        let InstanceState::Found(found) = state_of(&instance.build()) else {
            panic!("it is there");
        };
        assert_eq!(found.next_hop_v6, Some(NextHop::Target("eni-a".into())));
        assert!(found.forwarding);
    }

    #[test]
    fn what_has_ended_is_gone_and_what_cannot_be_routed_to_says_why() {
        let ended = instance(InstanceStateName::Terminated).build();
        assert_eq!(state_of(&ended), InstanceState::Gone);
        assert_eq!(state("i-0a", None, None, |_, _| None), InstanceState::Gone);
        let of = |instance: types::builders::InstanceBuilder| match state_of(&instance.build()) {
            InstanceState::Unsupported(why) => why,
            other => panic!("{other:?}"),
        };
        let primary = interface("eni-a", 0, 0);
        let stopped = instance(InstanceStateName::Stopped).network_interfaces(primary.clone());
        assert!(of(stopped).contains("stopped"));
        let elsewhere = instance(InstanceStateName::Running)
            .network_interfaces(primary)
            .vpc_id("vpc-2");
        assert!(of(elsewhere).contains("vpc-2"));
        assert!(of(instance(InstanceStateName::Running)).contains("device index 0"));
    }

    #[test]
    fn the_clusters_tag_counts_when_owned_or_shared() {
        let tagged = |value: &str| {
            let tag = Tag::builder().key("kubernetes.io/cluster/c").value(value);
            let instance = instance(InstanceStateName::Running).tags(tag.build());
            RawInstance::read(&instance.build())
                .unwrap()
                .belongs_to("kubernetes.io/cluster/c")
        };
        assert!(tagged("owned") && tagged("shared"));
        assert!(!tagged("other"));
    }
}
