//! Links between resources, which Google writes in several ways: as a whole URL of one of its hosts, or from
//! `projects/` on.

use std::{fmt, sync::Arc};

/// An instance: the same name in another zone or project is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InstanceName {
    pub(super) project: Arc<str>,
    pub(super) zone: Arc<str>,
    pub(super) name: Arc<str>,
}

impl fmt::Display for InstanceName {
    /// As a link from `projects/` on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            project,
            zone,
            name,
        } = self;
        write!(f, "projects/{project}/zones/{zone}/instances/{name}")
    }
}

/// A network of a project, which is an id or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetworkName {
    pub(super) project: Arc<str>,
    pub(super) name: Arc<str>,
}

/// What comes after `projects/`.
fn parts(link: &str) -> Option<Vec<&str>> {
    let at = link.find("projects/")?;
    let before = link[..at].chars().next_back();
    let tail = &link[at + "projects/".len()..];
    matches!(before, None | Some('/')).then(|| tail.split('/').collect())
}

/// The instance behind a link.
pub(super) fn instance(link: &str) -> Option<InstanceName> {
    match *parts(link)? {
        [project, "zones", zone, "instances", name] => Some(InstanceName {
            project: project.into(),
            zone: zone.into(),
            name: name.into(),
        }),
        _ => None,
    }
}

/// The network behind a link. The metadata server leaves out `global`.
pub(super) fn network(link: &str) -> Option<NetworkName> {
    match *parts(link)? {
        [project, "global", "networks", name] | [project, "networks", name] => Some(NetworkName {
            project: project.into(),
            name: name.into(),
        }),
        _ => None,
    }
}

/// The name of the route behind a link.
pub(super) fn route(link: &str) -> Option<&str> {
    match *parts(link)? {
        [_, "global", "routes", name] => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_do_not_matter_projects_and_zones_do() {
        let whole = "https://www.googleapis.com/compute/v1/projects/p-1/zones/z-a/instances/n";
        let there = instance(whole).unwrap();
        assert_eq!(there.to_string(), "projects/p-1/zones/z-a/instances/n");
        assert_eq!(instance(&there.to_string()), Some(there.clone()));
        assert_ne!(instance("projects/p-1/zones/z-b/instances/n"), Some(there));
        assert_eq!(instance("projects/p-1/zones/z-a/disks/n"), None);
        assert_eq!(instance("n"), None);
        assert_eq!(instance("myprojects/p/zones/z/instances/n"), None);

        let global = network("https://compute.example/compute/v1/projects/p/global/networks/n");
        assert_eq!(global, network("projects/p/networks/n"));
        assert_eq!(route("projects/p/global/routes/r"), Some("r"));
        assert_eq!(route("projects/p/global/networks/r"), None);
    }
}
