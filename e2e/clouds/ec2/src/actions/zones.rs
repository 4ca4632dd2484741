//! Availability zones.

use crate::error::Refusal;
use crate::filters::Filters;
use crate::model::World;
use crate::xml::Fields;

use super::Request;

/// The identifier of a zone, which is the same for all accounts: `euc1-az1` for `eu-central-1a`.
pub(super) fn zone_id(world: &World, zone: &str) -> String {
    let mut short = String::new();
    for part in world.region.split('-') {
        // The area in full, of a direction its first letter.
        short.push_str(if short.is_empty() {
            part
        } else {
            &part[..part.len().min(1)]
        });
    }
    let number = world.zones().iter().position(|of| of == zone).unwrap_or(0) + 1;
    format!("{short}-az{number}")
}

/// Refuses zones that the region does not have.
pub(super) fn check(world: &World, zone: &str) -> Result<(), Refusal> {
    if world.zones().iter().any(|of| of == zone) {
        return Ok(());
    }
    let zones = world.zones().join(", ");
    let why = format!(
        "Subnets can currently only be created in the following availability zones: {zones}."
    );
    Err(Refusal::value("availabilityZone", zone, &why))
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let names = request.params.list("ZoneName");
    let ids = request.params.list("ZoneId");
    request.params.ignore(&["AllAvailabilityZones"]);
    let known = [
        "region-name",
        "state",
        "zone-id",
        "zone-name",
        "zone-type",
        "opt-in-status",
        "group-name",
    ];
    let limit = request.world.habits.quotas.filter_values;
    let filters = Filters::read(&mut request.params, &known, false, limit)?;
    request.params.finish()?;
    let world = &*request.world;
    let zones = world.zones();
    if let Some(unknown) = names.iter().find(|name| !zones.contains(name)) {
        let why = format!("Invalid availability zone: [{unknown}]");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    let shown = zones.iter().filter_map(|zone| {
        let id = zone_id(world, zone);
        let wanted =
            (names.is_empty() || names.contains(zone)) && (ids.is_empty() || ids.contains(&id));
        let pass = filters.pass(&[], |name| {
            vec![match name {
                "region-name" => world.region.clone(),
                "state" => "available".to_owned(),
                "zone-id" => id.clone(),
                "zone-type" => "availability-zone".to_owned(),
                "opt-in-status" => "opt-in-not-required".to_owned(),
                "group-name" => format!("{}-zg-1", world.region),
                _ => zone.clone(),
            }]
        });
        let fields = Fields::new()
            .text("zoneName", zone)
            .text("zoneId", &id)
            .text("zoneState", "available")
            .text("zoneType", "availability-zone")
            .text("regionName", &world.region)
            .text("optInStatus", "opt-in-not-required")
            .text("groupName", format!("{}-zg-1", world.region))
            .text("networkBorderGroup", &world.region);
        (wanted && pass).then_some(fields)
    });
    Ok(Fields::new().list("availabilityZoneInfo", shown))
}

/// "If you describe instances in the rare case where an Availability Zone is experiencing a service
/// disruption and you specify instance IDs that are in the affected zone, or do not specify any
/// instance IDs at all, the call fails" (service model). The error is assumed.
pub(super) fn check_service<'a>(
    world: &World,
    named: impl Iterator<Item = &'a String>,
) -> Result<(), Refusal> {
    let impaired = &world.habits.impaired_zones;
    let mut named = named.peekable();
    let names_none = named.peek().is_none();
    let fails = names_none
        || named.any(|id| {
            let instance = world.instances.get(id);
            instance.is_some_and(|instance| impaired.contains(&instance.zone))
        });
    if impaired.is_empty() || !fails {
        return Ok(());
    }
    let why = "The service is unavailable. Please try again shortly.";
    Err(Refusal::with_status(
        hyper::StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        why,
    ))
}
