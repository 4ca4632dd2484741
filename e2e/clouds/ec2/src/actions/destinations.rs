//! Where routes may lead to.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Refusal;
use crate::model::{Kind, Target, World};

/// Whether a table of a VPC may have a route there.
pub(super) fn check(
    world: &World,
    (table, vpc): (&str, &str),
    to: &IpNet,
    target: &Target,
) -> Result<(), Refusal> {
    // Reserved by the network itself, see "Route priority" and "Considerations" in the guide.
    let reserved: [IpNet; 2] = [
        Ipv4Net::new_assert([169, 254, 168, 0].into(), 22).into(),
        Ipv6Net::new_assert([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0].into(), 32).into(),
    ];
    let refuse = |why: String| Err(Refusal::client("InvalidParameterValue", why));
    if reserved.iter().any(|range| range.contains(to)) {
        return refuse(format!("The destination {to} lies in a reserved range"));
    }
    let record = Kind::Vpc.find(&world.vpcs, vpc)?;
    if !record.covers(to) {
        let mut associations = world.associations.iter();
        if associations.any(|(_, of)| of.table == table && of.gateway.is_some()) {
            // "You cannot add routes to any CIDR blocks outside of the ranges in your VPC" ("Gateway
            // route tables"); the code is assumed.
            return refuse(format!(
                "The destination {to} lies outside of the ranges of the VPC"
            ));
        }
        return Ok(());
    }
    if !matches!(target, Target::Interface(_)) {
        // The words of terraform-provider-aws 26018.
        return refuse(
            "Route target is not supported. This route only supports interface and instance targets."
                .to_owned(),
        );
    }
    if world.subnets_of(vpc).any(|(_, subnet)| subnet.is(to)) {
        return Ok(());
    }
    refuse(format!(
        "The destination CIDR block {to} lies in one of this VPC's CIDR blocks and doesn't match the range of any of its subnets"
    ))
}
