//! What nodes and descriptions mean.

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
