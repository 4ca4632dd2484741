//! The address ranges of VPCs.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Refusal;
use crate::model::{Block, Kind, Route, Target, World};
use crate::xml::Fields;

use super::{Request, vpcs};

/// A range in its canonical form, whatever host bits the request has.
pub(super) fn ipv4(name: &str, text: &str) -> Result<Ipv4Net, Refusal> {
    let net: Ipv4Net = text
        .parse()
        .map_err(|_| Refusal::value(name, text, "This is not a valid CIDR block."))?;
    vpcs::sized(net.trunc(), "InvalidVpc.Range")
}

/// Where an IPv6 range comes from.
pub(super) enum Ipv6 {
    Amazon,
    /// A range of one's own, brought as a pool.
    Own {
        net: Ipv6Net,
        pool: String,
    },
}

pub(super) fn wanted_ipv6(request: &mut Request<'_>) -> Result<Option<Ipv6>, Refusal> {
    let amazon: Option<bool> = request.params.parsed("AmazonProvidedIpv6CidrBlock")?;
    let net = request.params.text("Ipv6CidrBlock");
    let pool = request.params.text("Ipv6Pool");
    request.params.ignore(&["Ipv6CidrBlockNetworkBorderGroup"]);
    match (amazon.unwrap_or(false), net, pool) {
        (true, None, None) => Ok(Some(Ipv6::Amazon)),
        (false, None, None) => Ok(None),
        (false, Some(text), Some(pool)) => {
            let net: Ipv6Net = text.parse().map_err(|_| {
                Refusal::value("Ipv6CidrBlock", &text, "This is not a valid CIDR block.")
            })?;
            if !(44..=60).contains(&net.prefix_len()) || !net.prefix_len().is_multiple_of(4) {
                let why = "The prefix length must be one of 44, 48, 52, 56 and 60.";
                return Err(Refusal::value("Ipv6CidrBlock", &text, why));
            }
            Ok(Some(Ipv6::Own {
                net: net.trunc(),
                pool,
            }))
        }
        (false, Some(_), None) => Err(Refusal::missing("Ipv6Pool")),
        _ => Err(Refusal::combination(
            "AmazonProvidedIpv6CidrBlock and Ipv6Pool cannot be used together",
        )),
    }
}

pub(super) fn allot_ipv6(world: &mut World, wanted: &Ipv6) -> Result<Block, Refusal> {
    let (net, pool) = match wanted {
        Ipv6::Own { net, pool } => (*net, pool.clone()),
        Ipv6::Amazon => {
            // A /56 out of one of Amazon's own ranges.
            let number = u128::from(world.random().u32(..1 << 24));
            let bits = 0x2a05_d014_u128 << 96 | number << 72;
            let net = Ipv6Net::new_assert(std::net::Ipv6Addr::from_bits(bits), 56);
            (net, "Amazon".to_owned())
        }
    };
    let net = IpNet::V6(net);
    let taken = world
        .vpcs
        .iter()
        .flat_map(|(_, vpc)| &vpc.blocks)
        .any(|block| overlap(&block.net, &net));
    if taken {
        return Err(conflict(&net));
    }
    Ok(Block {
        association: world.new_id(Kind::CidrAssociation),
        net,
        pool,
    })
}

pub(super) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

fn conflict(net: &IpNet) -> Refusal {
    Refusal::client(
        "CidrConflict",
        format!("The CIDR '{net}' conflicts with another"),
    )
}

pub(super) fn fields(block: &Block) -> Fields {
    let state = Fields::new().text("state", "associated");
    let fields = Fields::new().text("associationId", &block.association);
    match block.net {
        IpNet::V4(net) => fields.text("cidrBlock", net).below("cidrBlockState", state),
        IpNet::V6(net) => fields
            .text("ipv6CidrBlock", net)
            .below("ipv6CidrBlockState", state)
            .text("ipv6Pool", &block.pool),
    }
}

pub(super) fn associate(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("VpcId", Kind::Vpc)?;
    let ipv6 = wanted_ipv6(request)?;
    let ipv4_text = request.params.text("CidrBlock");
    let ipv4 = ipv4_text.map(|text| ipv4("CidrBlock", &text)).transpose()?;
    request.params.finish()?;
    let world = &mut *request.world;
    let mut vpc = Kind::Vpc.find(&world.vpcs, &id)?;
    let block = match (ipv4, ipv6) {
        (Some(net), None) => {
            let net = IpNet::V4(net);
            if vpc.blocks.iter().any(|block| overlap(&block.net, &net)) {
                return Err(conflict(&net));
            }
            Block {
                association: world.new_id(Kind::CidrAssociation),
                net,
                pool: String::new(),
            }
        }
        (None, Some(ipv6)) => allot_ipv6(world, &ipv6)?,
        (None, None) => return Err(Refusal::missing("CidrBlock")),
        (Some(_), Some(_)) => {
            return Err(Refusal::combination(
                "One CIDR block can be associated at a time",
            ));
        }
    };
    let same_family =
        |other: &&Block| matches!(other.net, IpNet::V4(_)) == matches!(block.net, IpNet::V4(_));
    if vpc.blocks.iter().filter(same_family).count() >= world.habits.quotas.cidrs_per_vpc {
        let why = format!("This network '{id}' has met its maximum number of allowed CIDRs");
        return Err(Refusal::client("CidrLimitExceeded", why));
    }
    let tables: Vec<String> = world
        .tables
        .iter()
        .filter(|(_, table)| table.vpc == id)
        .map(|(id, _)| id.clone())
        .collect();
    // A new range must not cover the destination of any route, see "VPC CIDR blocks" in the guide.
    let covered = tables.iter().any(|table| {
        let mut routes = world.routes_of(crate::model::View::Truth, table);
        routes.any(|(to, _)| block.net.contains(to))
    });
    if covered {
        return Err(conflict(&block.net));
    }
    let spread = world.spread();
    for table in tables {
        let local = Route {
            target: Target::Local,
            implicit: true,
        };
        world.routes.put((table, block.net), local, spread);
    }
    vpc.blocks.push(block.clone());
    world.vpcs.put(id.clone(), vpc, spread);
    Ok(association(&id, &block))
}

fn association(id: &str, block: &Block) -> Fields {
    let name = match block.net {
        IpNet::V4(_) => "cidrBlockAssociation",
        IpNet::V6(_) => "ipv6CidrBlockAssociation",
    };
    Fields::new().below(name, fields(block)).text("vpcId", id)
}

pub(super) fn disassociate(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let wanted = request.id("AssociationId", Kind::CidrAssociation)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let found = world.vpcs.iter().find_map(|(id, vpc)| {
        let index = vpc
            .blocks
            .iter()
            .position(|block| block.association == wanted)?;
        Some((id.clone(), vpc.clone(), index))
    });
    let (id, mut vpc, index) = found.ok_or_else(|| Kind::CidrAssociation.unknown(&[&wanted]))?;
    let block = vpc.blocks[index].clone();
    if index == 0 {
        let why = format!("The primary CIDR of {id} cannot be disassociated");
        return Err(Refusal::client("OperationNotPermitted", why));
    }
    let used = world.subnets_of(&id).any(|(_, subnet)| {
        block.net.contains(&IpNet::V4(subnet.cidr))
            || subnet
                .ipv6
                .as_ref()
                .is_some_and(|ipv6| block.net.contains(&ipv6.net))
    });
    if used {
        return Err(Refusal::dependency("association", &wanted));
    }
    vpc.blocks.remove(index);
    let spread = world.spread();
    let tables: Vec<String> = world
        .tables
        .iter()
        .filter(|(_, table)| table.vpc == id)
        .map(|(id, _)| id.clone())
        .collect();
    for table in tables {
        world.routes.remove(&(table, block.net), spread);
    }
    world.vpcs.put(id.clone(), vpc, spread);
    Ok(association(&id, &block))
}
