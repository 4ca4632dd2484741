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
    /// It is left out of the answer without a word.
    Hidden,
    /// It does not exist for us, and its interface shows that it belongs to this account.
    Elsewhere(Arc<str>),
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawInstance {
    pub(super) id: Arc<str>,
    pub(super) vpc: Option<Arc<str>>,
    pub(super) zone: Option<Arc<str>>,
    pub(super) state: InstanceStateName,
    pub(super) tags: Vec<(String, String)>,
    /// Those that belong to it: not one that is being detached, which may be another's by the time
    /// this is read.
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
    /// `None` for one that leaves the instance.
    fn read(interface: &types::InstanceNetworkInterface) -> Option<Self> {
        let attachment = interface.attachment();
        let status = attachment.and_then(types::InstanceNetworkInterfaceAttachment::status);
        if status.is_some_and(interfaces::is_leaving) {
            return None;
        }
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
        Some(Sight::Elsewhere(account)) => {
            return unsupported(format!(
                "instance {id} belongs to account {account}, with which the VPC is shared: this is not \
                 supported, since no account may both see the instances and change the tables; label the \
                 node signpost.dev/exclude"
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
mod tests;
