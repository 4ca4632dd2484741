//! Names of resources: paths such as `projects/P/global/routes/R`, and links that lead there.
//!
//! Here everything is named by its path. Links in answers begin with the base that the client used, and
//! links in requests may begin with any, or with none.

use serde_json::Value;

use crate::error::Refusal;

/// Members whose text is a link.
const LINKS: [&str; 18] = [
    "selfLink",
    "network",
    "subnetwork",
    "nextHopInstance",
    "nextHopNetwork",
    "nextHopGateway",
    "nextHopIlb",
    "nextHopVpnTunnel",
    "region",
    "zone",
    "targetLink",
    "zones",
    "subnetworks",
    "machineType",
    "type",
    "source",
    "licenses",
    "selfLinkWithId",
];

/// Makes links of the paths in an answer.
pub(crate) fn render(value: &mut Value, base: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if LINKS.contains(&name.as_str()) {
                    link(member, base);
                } else if name != "labels" && name != "metadata" {
                    render(member, base);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|member| render(member, base)),
        _ => {}
    }
}

fn link(value: &mut Value, base: &str) {
    match value {
        Value::String(text) if text.starts_with("projects/") => text.insert_str(0, base),
        Value::Array(list) => list.iter_mut().for_each(|member| link(member, base)),
        Value::Object(_) => render(value, base),
        _ => {}
    }
}

/// The path that a full or partial link names, seen from a project. `field` is where it stands.
pub(crate) fn path(project: &str, field: &str, text: &str) -> Result<String, Refusal> {
    let rest = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) | (_, Some(rest)) => {
            let found = rest.find("/projects/");
            found.map(|at| &rest[at + 1..]).unwrap_or_default()
        }
        _ => text.trim_start_matches('/'),
    };
    let full = match rest.split('/').next() {
        Some("projects") => rest.to_owned(),
        Some("global" | "zones" | "regions") => format!("projects/{project}/{rest}"),
        _ => String::new(),
    };
    let parts = full.split('/').count();
    if parts < 5 || full.split('/').any(str::is_empty) {
        return Err(Refusal::invalid(field, text, "The URL is malformed."));
    }
    Ok(full)
}

/// The project of a path.
pub(crate) fn project(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The scope of a path, such as `global` or `zones/us-central1-a`.
pub(crate) fn scope(path: &str) -> String {
    let mut parts = path.split('/').skip(2);
    match (parts.next(), parts.next()) {
        (Some(kind @ ("zones" | "regions")), Some(name)) => format!("{kind}/{name}"),
        _ => "global".to_owned(),
    }
}

/// Whether a path is one of a collection, such as `networks`.
pub(crate) fn is_of(path: &str, collection: &str) -> bool {
    path.rsplit('/').nth(1) == Some(collection)
}

/// The region of a zone.
pub(crate) fn region_of(zone: &str) -> &str {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_of_all_kinds_name_the_same() {
        for text in [
            "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i",
            "http://127.0.0.1:1/compute/v1/projects/p/zones/z/instances/i",
            "projects/p/zones/z/instances/i",
            "zones/z/instances/i",
        ] {
            assert_eq!(
                path("p", "f", text).unwrap(),
                "projects/p/zones/z/instances/i"
            );
        }
        for text in [
            "i",
            "",
            "projects/p",
            "https://example.org/",
            "zones//instances/i",
        ] {
            assert!(path("p", "f", text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_links_are_rendered() {
        let mut value = json!({
            "network": "projects/p/global/networks/n",
            "description": "projects/p/global/networks/n",
            "items": [{"zones": ["projects/p/zones/z"]}],
        });
        render(&mut value, "http://x/");
        let wanted = json!({
            "network": "http://x/projects/p/global/networks/n",
            "description": "projects/p/global/networks/n",
            "items": [{"zones": ["http://x/projects/p/zones/z"]}],
        });
        assert_eq!(value, wanted);
    }
}
