//! Subnets.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Refusal;
use crate::model::{Block, Kind, Subnet, View, Vpc, World};
use crate::xml::Fields;

use super::{Request, done, tag_set, tags, vpc_cidrs, vpcs, zones};

const FILTERS: [&str; 12] = [
    "availability-zone",
    "availability-zone-id",
    "available-ip-address-count",
    "cidr-block",
    "default-for-az",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "map-public-ip-on-launch",
    "owner-id",
    "state",
    "subnet-arn",
    "subnet-id",
    "vpc-id",
];

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let vpc_id = request.id("VpcId", Kind::Vpc)?;
    let cidr = request.params.required("CidrBlock")?;
    let ipv6 = request.params.text("Ipv6CidrBlock");
    let zone = request.params.text("AvailabilityZone");
    let tags = tags::on_creation(&mut request.params, Kind::Subnet)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let vpc = Kind::Vpc.find(&world.vpcs, &vpc_id)?;
    let net: Ipv4Net = cidr
        .parse()
        .map_err(|_| Refusal::value("CidrBlock", &cidr, "This is not a valid CIDR block."))?;
    let net = vpcs::sized(net.trunc(), "InvalidSubnet.Range")?;
    check_range(world, &vpc_id, &vpc, &net.into())?;
    let ipv6 = ipv6
        .map(|text| ipv6_block(world, &vpc_id, &vpc, &text))
        .transpose()?;
    let zone = zone.unwrap_or_else(|| format!("{}a", world.region));
    zones::check(world, &zone)?;
    if world.subnets_of(&vpc_id).count() >= world.habits.quotas.subnets_per_vpc {
        let why = "The maximum number of subnets has been reached.";
        return Err(Refusal::client("SubnetLimitExceeded", why));
    }
    let id = world.new_id(Kind::Subnet);
    let subnet = Subnet {
        vpc: vpc_id,
        cidr: net,
        ipv6,
        zone,
        assign_ipv6: false,
        map_public: false,
    };
    let spread = world.spread();
    world.subnets.put(id.clone(), subnet.clone(), spread);
    world.set_tags(&id, &tags);
    Ok(Fields::new().below("subnet", fields(world, View::Truth, &id, &subnet)))
}

/// A subnet lies in one of the VPC's ranges and overlaps no other.
fn check_range(world: &World, vpc_id: &str, vpc: &Vpc, net: &IpNet) -> Result<(), Refusal> {
    if !vpc.covers(net) {
        let why = format!("The CIDR '{net}' is invalid.");
        return Err(Refusal::client("InvalidSubnet.Range", why));
    }
    let conflict = world.subnets_of(vpc_id).any(|(_, subnet)| {
        vpc_cidrs::overlap(&subnet.cidr.into(), net)
            || subnet
                .ipv6
                .as_ref()
                .is_some_and(|block| vpc_cidrs::overlap(&block.net, net))
    });
    if conflict {
        let why = format!("The CIDR '{net}' conflicts with another subnet");
        return Err(Refusal::client("InvalidSubnet.Conflict", why));
    }
    Ok(())
}

fn ipv6_block(world: &mut World, vpc_id: &str, vpc: &Vpc, text: &str) -> Result<Block, Refusal> {
    let net: Ipv6Net = text
        .parse()
        .map_err(|_| Refusal::value("Ipv6CidrBlock", text, "This is not a valid CIDR block."))?;
    if net.prefix_len() != 64 {
        let why = "The prefix length must be 64.";
        return Err(Refusal::value("Ipv6CidrBlock", text, why));
    }
    let net = IpNet::V6(net.trunc());
    check_range(world, vpc_id, vpc, &net)?;
    let association = world.new_id(Kind::CidrAssociation);
    let association = association.replace(Kind::CidrAssociation.prefix(), "subnet-cidr-assoc-");
    Ok(Block {
        association,
        net,
        pool: String::new(),
    })
}

fn ipv6_fields(block: &Block) -> Fields {
    Fields::new()
        .text("associationId", &block.association)
        .text("ipv6CidrBlock", block.net)
        .below(
            "ipv6CidrBlockState",
            Fields::new().text("state", "associated"),
        )
}

pub(super) fn associate_cidr(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("SubnetId", Kind::Subnet)?;
    let text = request.params.required("Ipv6CidrBlock")?;
    request.params.finish()?;
    let world = &mut *request.world;
    let mut subnet = Kind::Subnet.find(&world.subnets, &id)?;
    if subnet.ipv6.is_some() {
        let why = format!("The subnet '{id}' has met its maximum number of allowed CIDRs");
        return Err(Refusal::client(
            "SubnetCidrBlockAssociationLimitExceeded",
            why,
        ));
    }
    let vpc = Kind::Vpc.find(&world.vpcs, &subnet.vpc)?;
    let block = ipv6_block(world, &subnet.vpc, &vpc, &text)?;
    subnet.ipv6 = Some(block.clone());
    let spread = world.spread();
    world.subnets.put(id.clone(), subnet, spread);
    Ok(Fields::new()
        .below("ipv6CidrBlockAssociation", ipv6_fields(&block))
        .text("subnetId", id))
}

fn arn(world: &World, id: &str) -> String {
    let (partition, region) = (world.partition(), &world.region);
    format!("arn:{partition}:ec2:{region}:{}:subnet/{id}", world.account)
}

pub(super) fn fields(world: &World, view: View, id: &str, subnet: &Subnet) -> Fields {
    Fields::new()
        .text("subnetId", id)
        .text("subnetArn", arn(world, id))
        .text("state", "available")
        .text("ownerId", &world.account)
        .text("vpcId", &subnet.vpc)
        .text("cidrBlock", subnet.cidr)
        .list(
            "ipv6CidrBlockAssociationSet",
            subnet.ipv6.iter().map(ipv6_fields),
        )
        .text("assignIpv6AddressOnCreation", subnet.assign_ipv6)
        .text("availableIpAddressCount", world.free_ipv4(id, subnet))
        .text("availabilityZone", &subnet.zone)
        .text("availabilityZoneId", zones::zone_id(world, &subnet.zone))
        .text("defaultForAz", false)
        .text("mapPublicIpOnLaunch", subnet.map_public)
        .text("ipv6Native", false)
        .text("enableDns64", false)
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
}

fn values(world: &World, id: &str, subnet: &Subnet, name: &str) -> Vec<String> {
    vec![match name {
        "availability-zone" => subnet.zone.clone(),
        "availability-zone-id" => zones::zone_id(world, &subnet.zone),
        "available-ip-address-count" => world.free_ipv4(id, subnet).to_string(),
        "cidr-block" => subnet.cidr.to_string(),
        "default-for-az" => "false".to_owned(),
        "ipv6-cidr-block-association.ipv6-cidr-block" => {
            return subnet
                .ipv6
                .iter()
                .map(|block| block.net.to_string())
                .collect();
        }
        "map-public-ip-on-launch" => subnet.map_public.to_string(),
        "owner-id" => world.account.clone(),
        "state" => "available".to_owned(),
        "subnet-arn" => arn(world, id),
        "subnet-id" => id.to_owned(),
        _ => subnet.vpc.clone(),
    }]
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let listing = request.listing(Kind::Subnet, "SubnetId", &FILTERS, 5..=1000)?;
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) = Request::select(world, &world.subnets, &listing, |_, id, subnet, name| {
        values(world, id, subnet, name)
    })?;
    let subnets = page
        .iter()
        .map(|(id, subnet)| fields(world, world.seen(), id, subnet));
    Ok(Fields::new()
        .list("subnetSet", subnets)
        .maybe("nextToken", token))
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("SubnetId", Kind::Subnet)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Subnet.find(&world.subnets, &id)?;
    if world
        .interfaces
        .iter()
        .any(|(_, interface)| interface.subnet == id)
    {
        return Err(Refusal::dependency("subnet", &id));
    }
    let spread = world.spread();
    let association = world
        .associations
        .iter()
        .find(|(_, association)| association.subnet.as_ref() == Some(&id))
        .map(|(id, _)| id.clone());
    if let Some(association) = association {
        world.associations.remove(&association, spread);
    }
    world.subnets.remove(&id, spread);
    world.used.remove(&id);
    world.drop_tags(&id);
    Ok(done())
}

pub(super) fn modify(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("SubnetId", Kind::Subnet)?;
    let assign = request.params.parsed("AssignIpv6AddressOnCreation.Value")?;
    let public = request.params.parsed("MapPublicIpOnLaunch.Value")?;
    request.params.finish()?;
    if assign.is_some() == public.is_some() {
        return Err(Refusal::combination(
            "Exactly one attribute can be modified at a time",
        ));
    }
    let world = &mut *request.world;
    let mut subnet = Kind::Subnet.find(&world.subnets, &id)?;
    if assign == Some(true) && subnet.ipv6.is_none() {
        let why = format!("Subnet '{id}' has no IPv6 CIDR block");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    subnet.assign_ipv6 = assign.unwrap_or(subnet.assign_ipv6);
    subnet.map_public = public.unwrap_or(subnet.map_public);
    let spread = world.spread();
    world.subnets.put(id, subnet, spread);
    Ok(done())
}
