//! What an account may do to what is another's.

use std::collections::BTreeMap;

use hyper::StatusCode;

use crate::error::Refusal;
use crate::model::{Kind, View, World};

/// Actions that make what only the owner of VPCs has here: other accounts keep no networks.
const OWNERS: [&str; 3] = [
    "CreateInternetGateway",
    "CreateManagedPrefixList",
    "CreateVpc",
];

/// What can be used though it is another's, by action and member. Instances, interfaces and security
/// groups are made in shared subnets and their VPC. That the owner can lead a route to a participant's
/// interface shows `FSx`, which does it ("Creating `FSx` for ONTAP file systems in shared subnets"), and a
/// route's `instanceOwnerId`.
const USES: [(&str, &str); 5] = [
    ("CreateNetworkInterface", "SubnetId"),
    ("CreateRoute", "NetworkInterfaceId"),
    ("CreateSecurityGroup", "VpcId"),
    ("ReplaceRoute", "NetworkInterfaceId"),
    ("RunInstances", "SubnetId"),
];

/// The refusal of what the caller may not do.
pub(crate) fn unauthorized() -> Refusal {
    let why = "You are not authorized to perform this operation.";
    Refusal::with_status(StatusCode::FORBIDDEN, "UnauthorizedOperation", why)
}

/// Refuses what names anything that the caller does not see, as if it did not exist, and what changes
/// what it sees and does not own. With which codes is not documented: assumed.
///
/// What listings show is decided as they are read.
pub(crate) fn check(
    world: &World,
    action: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    if !world.is_owner() && OWNERS.contains(&action) {
        let why = "This emulator keeps networks of one account only";
        return Err(Refusal::client("UnsupportedOperation", why));
    }
    let describes = action.starts_with("Describe");
    if describes && !action.ends_with("Attribute") {
        return Ok(());
    }
    for (name, id) in parameters {
        let Some((member, kind)) = named(name, id) else {
            continue;
        };
        if world.owner_of(View::Truth, kind, id).is_none() || world.owns(View::Truth, kind, id) {
            continue;
        }
        if !world.sees(View::Truth, kind, id) {
            return Err(kind.unknown(&[id]));
        }
        if !describes && !USES.contains(&(action, member)) {
            return Err(unauthorized());
        }
    }
    Ok(())
}

/// The member that a parameter is, without its number, if it names something.
fn named<'a>(name: &'a str, id: &str) -> Option<(&'a str, Kind)> {
    let mut parts = name.rsplit('.');
    let member = parts.find(|part| part.parse::<u32>().is_err())?;
    let kind = member.ends_with("Id").then(|| Kind::named(id))??;
    Some((member, kind))
}
