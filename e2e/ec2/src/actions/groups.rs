//! Security groups: each VPC has its default one and no other.

use crate::error::Refusal;
use crate::filters::Filters;
use crate::model::{Kind, Vpc};
use crate::paging::Page;
use crate::xml::Fields;

use super::Request;

/// The groups of a new interface: those named, or the VPC's default one.
pub(super) fn named(vpc: &Vpc, wanted: Vec<String>) -> Result<Vec<String>, Refusal> {
    if let Some(unknown) = wanted.iter().find(|id| **id != vpc.group) {
        Kind::Group.check(unknown)?;
        return Err(Kind::Group.unknown(&[unknown]));
    }
    Ok(if wanted.is_empty() {
        vec![vpc.group.clone()]
    } else {
        wanted
    })
}

/// Groups as interfaces list them.
pub(super) fn fields(groups: &[String]) -> Vec<Fields> {
    groups
        .iter()
        .map(|id| {
            Fields::new()
                .text("groupId", id)
                .text("groupName", "default")
        })
        .collect()
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
    let default = "default".to_owned();
    let found = world.seen().iter(&world.vpcs).filter_map(|(vpc, record)| {
        let group = &record.group;
        let wanted = (ids.is_empty() || ids.contains(group))
            && (names.is_empty() || names.contains(&default));
        let pass = filters.pass(&[], |name| {
            vec![match name {
                "description" => "default VPC security group".to_owned(),
                "group-id" => group.clone(),
                "group-name" => default.clone(),
                "owner-id" => world.account.clone(),
                _ => vpc.clone(),
            }]
        });
        let fields = Fields::new()
            .text("groupId", group)
            .text("groupName", "default")
            .text("groupDescription", "default VPC security group")
            .text("ownerId", &world.account)
            .text("vpcId", vpc);
        (wanted && pass).then(|| (group.clone(), fields))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
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
