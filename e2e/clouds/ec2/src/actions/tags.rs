//! Tags, on creation and later.

use crate::error::Refusal;
use crate::filters::Filters;
use crate::model::{Kind, View, World};
use crate::paging::Page;
use crate::protocol::Params;
use crate::xml::Fields;

use super::{Request, done};

type Tags = Vec<(String, String)>;

/// The tags that `TagSpecification` gives to resources of this kind.
pub(super) fn on_creation(params: &mut Params, kind: Kind) -> Result<Tags, Refusal> {
    let [tags] = for_each(params, [kind.resource_type().unwrap_or_default()])?;
    Ok(tags)
}

/// The tags that `TagSpecification` gives to each of these resource types.
pub(super) fn for_each<const N: usize>(
    params: &mut Params,
    types: [&str; N],
) -> Result<[Tags; N], Refusal> {
    let mut all = [(); N].map(|()| Tags::new());
    for member in params.members("TagSpecification") {
        let of = params.required(&format!("{member}.ResourceType"))?;
        let index = types.iter().position(|known| *known == of).ok_or_else(|| {
            let why = format!("'{of}' is not a valid taggable resource type for this operation.");
            Refusal::client("InvalidParameterValue", why)
        })?;
        let tags = read(params, &format!("{member}.Tag"))?;
        all[index].extend(tags);
    }
    Ok(all)
}

fn read(params: &mut Params, name: &str) -> Result<Tags, Refusal> {
    let mut tags = Tags::new();
    for member in params.members(name) {
        let key = params.required(&format!("{member}.Key"))?;
        let value = params.text(&format!("{member}.Value")).unwrap_or_default();
        if key.chars().count() > 127 || value.chars().count() > 255 {
            let why = format!("Tag '{key}' exceeds the maximum length of 127 or 255 characters.");
            return Err(Refusal::client("InvalidParameterValue", why));
        }
        if key.to_lowercase().starts_with("aws:") {
            let why = "Tag keys starting with 'aws:' are reserved for internal use";
            return Err(Refusal::client("InvalidParameterValue", why));
        }
        if tags.iter().any(|(of, _)| *of == key) {
            let why = format!("Duplicate tag key '{key}' specified.");
            return Err(Refusal::client("InvalidParameterValue", why));
        }
        tags.push((key, value));
    }
    Ok(tags)
}

/// The kind of an existing resource that can have tags.
fn kind_of(world: &World, id: &str) -> Result<Kind, Refusal> {
    let kind = Kind::of(id)
        .ok_or_else(|| Refusal::client("InvalidID", format!("The ID '{id}' is not valid")))?;
    match kind {
        Kind::Vpc => kind.find(&world.vpcs, id).map(drop),
        Kind::Subnet => kind.find(&world.subnets, id).map(drop),
        Kind::Table => kind.find(&world.tables, id).map(drop),
        Kind::Instance => kind.find(&world.instances, id).map(drop),
        Kind::Interface => kind.find(&world.interfaces, id).map(drop),
        Kind::Gateway => kind.find(&world.gateways, id).map(drop),
        _ => kind.find(&world.peerings, id).map(drop),
    }?;
    Ok(kind)
}

fn resources(request: &mut Request<'_>) -> Result<Vec<String>, Refusal> {
    let ids = request.params.list("ResourceId");
    if ids.is_empty() {
        return Err(Refusal::missing("ResourceId"));
    }
    for id in &ids {
        kind_of(request.world, id)?;
    }
    Ok(ids)
}

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let ids = resources(request)?;
    let tags = read(&mut request.params, "Tag")?;
    if tags.is_empty() {
        return Err(Refusal::missing("Tag"));
    }
    request.params.finish()?;
    for id in &ids {
        let before = request.world.tags_of(View::Truth, id);
        let fresh = tags
            .iter()
            .filter(|(key, _)| !before.iter().any(|(of, _)| of == key))
            .count();
        if before.len() + fresh > 50 {
            let why = format!("The maximum number of tags (50) for {id} has been reached.");
            return Err(Refusal::client("TagLimitExceeded", why));
        }
    }
    for id in ids {
        request.world.set_tags(&id, &tags);
    }
    Ok(done())
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let ids = resources(request)?;
    let mut wanted = Vec::new();
    for member in request.params.members("Tag") {
        let key = request.params.required(&format!("{member}.Key"))?;
        wanted.push((key, request.params.text(&format!("{member}.Value"))));
    }
    request.params.finish()?;
    for id in ids {
        for (key, value) in request.world.tags_of(View::Truth, &id) {
            // A tag without a value in the request goes whatever its value is.
            let named = wanted
                .iter()
                .any(|(of, with)| *of == key && with.as_ref().is_none_or(|with| *with == value));
            if named || wanted.is_empty() {
                let spread = request.world.spread();
                request.world.tags.remove(&(id.clone(), key), spread);
            }
        }
    }
    Ok(done())
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let known = ["key", "value", "resource-id", "resource-type"];
    let limit = request.world.habits.quotas.filter_values;
    let filters = Filters::read(&mut request.params, &known, false, limit)?;
    let page = Page::read(&mut request.params, 5..=1000, filters.fingerprint())?;
    request.params.finish()?;
    let world = &*request.world;
    let found = world
        .seen()
        .iter(&world.tags)
        .filter_map(|((id, key), value)| {
            let kind = Kind::of(id).filter(|_| world.owns_tagged(world.seen(), id))?;
            let kind = kind.resource_type()?;
            let pass = filters.pass(&[], |name| match name {
                "key" => vec![key.clone()],
                "value" => vec![value.clone()],
                "resource-id" => vec![id.clone()],
                _ => vec![kind.to_owned()],
            });
            let fields = Fields::new()
                .text("resourceId", id)
                .text("resourceType", kind)
                .text("key", key)
                .text("value", value);
            pass.then(|| (format!("{id}/{key}"), fields))
        });
    let (page, token) = page.cut(found);
    let tags = page.into_iter().map(|(_, fields)| fields);
    Ok(Fields::new().list("tagSet", tags).maybe("nextToken", token))
}
