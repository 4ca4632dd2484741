//! Security groups, of which only matters whose they are.

use crate::error::Refusal;
use crate::filters::Filters;
use crate::model::{Group, Interface, Kind, Vpc, World};
use crate::paging::Page;
use crate::xml::Fields;

use super::{Request, done};

const DEFAULT: &str = "default";

/// The default group of a new VPC.
pub(super) fn of_vpc(world: &mut World, vpc: &str) -> String {
    let group = Group {
        vpc: vpc.to_owned(),
        name: DEFAULT.to_owned(),
        description: "default VPC security group".to_owned(),
        owner: world.account.clone(),
    };
    let id = world.new_id(Kind::Group);
    let spread = world.spread();
    world.groups.put(id.clone(), group, spread);
    id
}

/// The groups of a new interface: those named, or the VPC's default one, which is its owner's
/// ("Participants can't launch instances using the default security group for the VPC"). That it is
/// refused as an unknown one is assumed.
pub(super) fn named(
    world: &World,
    vpc_id: &str,
    vpc: &Vpc,
    wanted: Vec<String>,
) -> Result<Vec<String>, Refusal> {
    let groups = if wanted.is_empty() {
        vec![vpc.group.clone()]
    } else {
        wanted
    };
    for id in &groups {
        let of = Kind::Group.find(&world.groups, id)?;
        if of.vpc != vpc_id || of.owner != world.caller {
            return Err(Kind::Group.unknown(&[id]));
        }
    }
    Ok(groups)
}

/// Groups as interfaces list them.
pub(super) fn fields(world: &World, groups: &[String]) -> Vec<Fields> {
    let fields = |id: &String| {
        let group = world.groups.get(id);
        Fields::new()
            .text("groupId", id)
            .text("groupName", group.map_or("", |group| &group.name))
    };
    groups.iter().map(fields).collect()
}

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let name = request.params.required("GroupName")?;
    let description = request.params.required("GroupDescription")?;
    let vpc = request.id("VpcId", Kind::Vpc)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Vpc.find(&world.vpcs, &vpc)?;
    let group = Group {
        vpc,
        name,
        description,
        owner: world.caller.clone(),
    };
    // Each account has names of its own: assumed, since it does not see those of others.
    let repeated = world.groups.iter().any(|(_, other)| {
        (&other.vpc, &other.name, &other.owner) == (&group.vpc, &group.name, &group.owner)
    });
    if repeated {
        let why = format!("The security group '{}' already exists", group.name);
        return Err(Refusal::client("InvalidGroup.Duplicate", why));
    }
    let id = world.new_id(Kind::Group);
    let spread = world.spread();
    world.groups.put(id.clone(), group, spread);
    Ok(Fields::new().text("groupId", id))
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("GroupId", Kind::Group)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let group = Kind::Group.find(&world.groups, &id)?;
    if group.name == DEFAULT {
        let why = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted");
        return Err(Refusal::client("CannotDelete", why));
    }
    let used = |(_, interface): (&String, &Interface)| interface.groups.contains(&id);
    if world.interfaces.iter().any(used) {
        let why = format!("resource {id} has a dependent object");
        return Err(Refusal::client("DependencyViolation", why));
    }
    let spread = world.spread();
    world.groups.remove(&id, spread);
    Ok(done())
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let ids = request.params.list("GroupId");
    let names = request.params.list("GroupName");
    let known = [
        "description",
        "group-id",
        "group-name",
        "owner-id",
        "vpc-id",
    ];
    let limit = request.world.habits.quotas.filter_values;
    let filters = Filters::read(&mut request.params, &known, true, limit)?;
    let page = Page::read(&mut request.params, 5..=1000, filters.fingerprint())?;
    request.params.finish()?;
    let world = &*request.world;
    let view = world.seen();
    let seen = view.iter(&world.groups);
    let seen = seen.filter(|(id, _)| world.sees(view, Kind::Group, id));
    let found: Vec<(String, Fields)> = seen
        .filter(|(id, group)| {
            (ids.is_empty() || ids.contains(id))
                && (names.is_empty() || names.contains(&group.name))
                && filters.pass(&[], |name| vec![value(id, group, name)])
        })
        .map(|(id, group)| (id.clone(), shown(id, group)))
        .collect();
    if let Some(unknown) = ids.iter().find(|id| !found.iter().any(|(of, _)| of == *id))
        && filters.is_empty()
    {
        Kind::Group.check(unknown)?;
        return Err(Kind::Group.unknown(&[unknown]));
    }
    let (page, token) = page.cut(found.into_iter());
    let groups = page.into_iter().map(|(_, fields)| fields);
    Ok(Fields::new()
        .list("securityGroupInfo", groups)
        .maybe("nextToken", token))
}

fn value(id: &str, group: &Group, name: &str) -> String {
    match name {
        "description" => group.description.clone(),
        "group-id" => id.to_owned(),
        "group-name" => group.name.clone(),
        "owner-id" => group.owner.clone(),
        _ => group.vpc.clone(),
    }
}

fn shown(id: &str, group: &Group) -> Fields {
    Fields::new()
        .text("groupId", id)
        .text("groupName", &group.name)
        .text("groupDescription", &group.description)
        .text("ownerId", &group.owner)
        .text("vpcId", &group.vpc)
}
