//! VPCs.

use ipnet::{IpNet, Ipv4Net};

use crate::error::Refusal;
use crate::model::{Association, Block, Kind, Route, Table, Target, View, Vpc, World};
use crate::xml::Fields;

use super::{Request, done, groups, tag_set, tags, vpc_cidrs};

const FILTERS: [&str; 10] = [
    "cidr",
    "cidr-block-association.cidr-block",
    "cidr-block-association.association-id",
    "cidr-block-association.state",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "is-default",
    "owner-id",
    "state",
    "vpc-id",
    "dhcp-options-id",
];

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let cidr = request.params.required("CidrBlock")?;
    let cidr = vpc_cidrs::ipv4("CidrBlock", &cidr)?;
    let ipv6 = vpc_cidrs::wanted_ipv6(request)?;
    let tenancy = request
        .params
        .text("InstanceTenancy")
        .unwrap_or_else(|| "default".to_owned());
    let tags = tags::on_creation(&mut request.params, Kind::Vpc)?;
    request.params.finish()?;
    let world = &mut *request.world;
    if world.vpcs.iter().count() >= world.habits.quotas.vpcs {
        let why = "The maximum number of VPCs has been reached.";
        return Err(Refusal::client("VpcLimitExceeded", why));
    }
    let mut blocks = vec![Block {
        association: world.new_id(Kind::CidrAssociation),
        net: cidr.into(),
        pool: String::new(),
    }];
    if let Some(ipv6) = ipv6 {
        blocks.push(vpc_cidrs::allot_ipv6(world, &ipv6)?);
    }
    let id = world.new_id(Kind::Vpc);
    let vpc = Vpc {
        blocks,
        group: groups::of_vpc(world, &id),
        tenancy,
        dns_support: true,
        dns_hostnames: false,
    };
    let spread = world.spread();
    world.vpcs.put(id.clone(), vpc.clone(), spread);
    let table = new_table(world, &id, &vpc);
    let association = world.new_id(Kind::Association);
    let spread = world.spread();
    let main = Association {
        gateway: None,
        table,
        vpc: id.clone(),
        subnet: None,
    };
    world.associations.put(association, main, spread);
    world.set_tags(&id, &tags);
    Ok(Fields::new().below("vpc", fields(world, View::Truth, &id, &vpc)))
}

/// A table with the routes that every table of the VPC has.
pub(super) fn new_table(world: &mut World, vpc_id: &str, vpc: &Vpc) -> String {
    let id = world.new_id(Kind::Table);
    let spread = world.spread();
    world.tables.put(
        id.clone(),
        Table {
            vpc: vpc_id.to_owned(),
        },
        spread,
    );
    for block in &vpc.blocks {
        let local = Route {
            target: Target::Local,
            implicit: true,
        };
        // They come with the table and are seen with it.
        world.routes.put((id.clone(), block.net), local, spread);
    }
    id
}

pub(super) fn fields(world: &World, view: View, id: &str, vpc: &Vpc) -> Fields {
    let of_family = |ipv4: bool| {
        vpc.blocks
            .iter()
            .filter(move |block| matches!(block.net, IpNet::V4(_)) == ipv4)
    };
    let primary: Option<IpNet> = vpc.blocks.first().map(|block| block.net);
    Fields::new()
        .text("vpcId", id)
        .text("ownerId", &world.account)
        .text("state", "available")
        .maybe("cidrBlock", primary)
        .list(
            "cidrBlockAssociationSet",
            of_family(true).map(vpc_cidrs::fields),
        )
        .list(
            "ipv6CidrBlockAssociationSet",
            of_family(false).map(vpc_cidrs::fields),
        )
        .text("dhcpOptionsId", "default")
        .text("instanceTenancy", &vpc.tenancy)
        .text("isDefault", false)
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
}

fn values(world: &World, id: &str, vpc: &Vpc, name: &str) -> Vec<String> {
    let nets = |ipv4: bool| -> Vec<String> {
        let nets = vpc.blocks.iter().map(|block| block.net);
        nets.filter(|net| matches!(net, IpNet::V4(_)) == ipv4)
            .map(|net| net.to_string())
            .collect()
    };
    match name {
        "cidr" => nets(true).into_iter().take(1).collect(),
        "cidr-block-association.cidr-block" => nets(true),
        "cidr-block-association.association-id" => vpc
            .blocks
            .iter()
            .map(|block| block.association.clone())
            .collect(),
        "cidr-block-association.state" => vec!["associated".to_owned()],
        "ipv6-cidr-block-association.ipv6-cidr-block" => nets(false),
        "is-default" => vec!["false".to_owned()],
        "owner-id" => vec![world.account.clone()],
        "state" => vec!["available".to_owned()],
        "vpc-id" => vec![id.to_owned()],
        _ => vec!["default".to_owned()],
    }
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let listing = request.listing(Kind::Vpc, "VpcId", &FILTERS, 5..=1000)?;
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) = Request::select(world, &world.vpcs, &listing, |_, id, vpc, name| {
        values(world, id, vpc, name)
    })?;
    let vpcs = page
        .iter()
        .map(|(id, vpc)| fields(world, world.seen(), id, vpc));
    Ok(Fields::new().list("vpcSet", vpcs).maybe("nextToken", token))
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("VpcId", Kind::Vpc)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let group = Kind::Vpc.find(&world.vpcs, &id)?.group;
    let main = world
        .main_association(&id)
        .map(|(of, main)| (of.clone(), main.table.clone()));
    let main_table = main.as_ref().map(|(_, table)| table);
    let used = world.subnets_of(&id).next().is_some()
        || world
            .tables
            .iter()
            .any(|(of, table)| table.vpc == id && Some(of) != main_table)
        || world
            .gateways
            .iter()
            .any(|(_, gateway)| gateway.vpc.as_ref() == Some(&id))
        || world
            .groups
            .iter()
            .any(|(of, other)| other.vpc == id && *of != group);
    if used {
        return Err(Refusal::dependency("vpc", &id));
    }
    let spread = world.spread();
    if let Some((association, table)) = main {
        super::tables::drop_table(world, &table);
        world.associations.remove(&association, spread);
    }
    world.groups.remove(&group, spread);
    world.vpcs.remove(&id, spread);
    world.drop_tags(&id);
    Ok(done())
}

pub(super) fn describe_attribute(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("VpcId", Kind::Vpc)?;
    let attribute = request.params.required("Attribute")?;
    request.params.finish()?;
    let world = &*request.world;
    let vpc = world
        .seen()
        .get(&world.vpcs, &id)
        .ok_or_else(|| Kind::Vpc.unknown(&[&id]))?;
    let value = match attribute.as_str() {
        "enableDnsSupport" => vpc.dns_support,
        "enableDnsHostnames" => vpc.dns_hostnames,
        "enableNetworkAddressUsageMetrics" => false,
        _ => return Err(Refusal::value("Attribute", &attribute, "It is not known.")),
    };
    Ok(Fields::new()
        .text("vpcId", &id)
        .below(&attribute, Fields::new().text("value", value)))
}

pub(super) fn modify_attribute(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("VpcId", Kind::Vpc)?;
    let support = request.params.parsed("EnableDnsSupport.Value")?;
    let hostnames = request.params.parsed("EnableDnsHostnames.Value")?;
    request.params.finish()?;
    if support.is_some() == hostnames.is_some() {
        return Err(Refusal::combination(
            "Exactly one attribute can be modified at a time",
        ));
    }
    let world = &mut *request.world;
    let mut vpc = Kind::Vpc.find(&world.vpcs, &id)?;
    vpc.dns_support = support.unwrap_or(vpc.dns_support);
    vpc.dns_hostnames = hostnames.unwrap_or(vpc.dns_hostnames);
    let spread = world.spread();
    world.vpcs.put(id, vpc, spread);
    Ok(done())
}

/// A range of a VPC or subnet may be from /16 to /28.
pub(super) fn sized(net: Ipv4Net, code: &str) -> Result<Ipv4Net, Refusal> {
    if (16..=28).contains(&net.prefix_len()) {
        return Ok(net);
    }
    Err(Refusal::client(
        code,
        format!("The CIDR '{net}' is invalid."),
    ))
}
