//! Prefix lists, of which there is no more than what routes and quotas show.

use crate::error::Refusal;
use crate::model::{Kind, PrefixList, World};
use crate::xml::Fields;

use super::{Request, done};

/// Lists of AWS have no `maxEntries` (the response of `DescribeManagedPrefixLists` in the guide).
fn fields(world: &World, id: &str, list: &PrefixList) -> Fields {
    let family = if list.v6 { "IPv6" } else { "IPv4" };
    let most = (!list.of_aws).then_some(list.weight);
    Fields::new()
        .text("prefixListId", id)
        .text("addressFamily", family)
        .text("state", "create-complete")
        .text("prefixListName", &list.name)
        .maybe("maxEntries", most)
        .text("ownerId", owner(world, list))
}

fn owner<'a>(world: &'a World, list: &PrefixList) -> &'a str {
    if list.of_aws { "AWS" } else { &world.account }
}

/// Makes a list without entries, since only their number counts.
pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let name = request.params.required("PrefixListName")?;
    let family = request.params.required("AddressFamily")?;
    let weight = request.params.required("MaxEntries")?;
    request
        .params
        .ignore(&["Entry", "TagSpecification", "ClientToken"]);
    request.params.finish()?;
    let weight: usize = weight
        .parse()
        .ok()
        .filter(|entries| (1..=1000).contains(entries))
        .ok_or_else(|| Refusal::value("MaxEntries", &weight, "It is no number from 1 to 1000."))?;
    let v6 = match &*family {
        "IPv4" => false,
        "IPv6" => true,
        _ => {
            return Err(Refusal::value(
                "AddressFamily",
                &family,
                "It is neither IPv4 nor IPv6.",
            ));
        }
    };
    let list = PrefixList {
        name,
        v6,
        weight,
        of_aws: false,
    };
    let world = &mut *request.world;
    let id = world.new_id(Kind::PrefixList);
    let spread = world.spread();
    world.prefix_lists.put(id.clone(), list.clone(), spread);
    Ok(Fields::new().below("prefixList", fields(world, &id, &list)))
}

/// The route of a table for a list.
fn key(request: &mut Request<'_>, list: String) -> Result<(String, String), Refusal> {
    Kind::PrefixList.check(&list)?;
    Ok((request.id("RouteTableId", Kind::Table)?, list))
}

/// A route for a list, to an internet gateway.
pub(super) fn lead(request: &mut Request<'_>, list: String) -> Result<Fields, Refusal> {
    let key = key(request, list)?;
    let gateway = request.id("GatewayId", Kind::Gateway)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Table.find(&world.tables, &key.0)?;
    Kind::Gateway.find(&world.gateways, &gateway)?;
    let PrefixList { v6, weight, .. } = Kind::PrefixList.find(&world.prefix_lists, &key.1)?;
    if world.listed.get(&key).is_some() {
        let why = format!("The route identified by {} already exists.", key.1);
        return Err(Refusal::client("RouteAlreadyExists", why));
    }
    if world.counted(&key.0, v6) + weight > world.habits.quotas.routes_per_table {
        let why = "The maximum number of routes has been reached.";
        return Err(Refusal::client("RouteLimitExceeded", why));
    }
    let spread = world.spread();
    world.listed.put(key, gateway, spread);
    Ok(done())
}

/// One route for a list less.
pub(super) fn unlead(request: &mut Request<'_>, list: String) -> Result<Fields, Refusal> {
    let key = key(request, list)?;
    request.params.finish()?;
    let world = &mut *request.world;
    if world.listed.get(&key).is_none() {
        let (table, list) = key;
        let why = format!("no route with destination {list} in route table {table}");
        return Err(Refusal::client("InvalidRoute.NotFound", why));
    }
    let spread = world.spread();
    world.listed.remove(&key, spread);
    Ok(done())
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let known = ["owner-id", "prefix-list-id", "prefix-list-name"];
    let listing = request.listing(Kind::PrefixList, "PrefixListId", &known, 1..=100)?;
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) = Request::select(
        world,
        &world.prefix_lists,
        &listing,
        |_, id, list, name| match name {
            "prefix-list-id" => vec![id.to_owned()],
            "prefix-list-name" => vec![list.name.clone()],
            _ => vec![owner(world, list).to_owned()],
        },
    )?;
    let lists = page.iter().map(|(id, list)| fields(world, id, list));
    Ok(Fields::new()
        .list("prefixListSet", lists)
        .maybe("nextToken", token))
}
