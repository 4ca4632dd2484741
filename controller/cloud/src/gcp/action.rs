//! The API methods that are called, each with its permissions and its quota group.

/// A method of the Compute Engine API. Nothing else is ever called, so this is also what the roles must
/// allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// All routes of the network.
    ListRoutes,
    /// One route by its name.
    GetRoute,
    /// A new route.
    InsertRoute,
    /// One route less.
    DeleteRoute,
    /// The network: whether it exists, and whether Google cuts it into subnets.
    GetNetwork,
    /// How many routes the project may have. It may be denied.
    GetProject,
    /// One instance by its name.
    GetInstance,
    /// The instances of a zone.
    ListInstances,
    /// Switches IP forwarding on.
    UpdateInstance,
    /// What is being carried out for the network.
    ListGlobalOperations,
    /// How one change of a route has ended.
    GetGlobalOperation,
    /// How one change of an instance has ended.
    GetZoneOperation,
}

/// What Google counts together, in each project and minute ("Rate quotas" in Compute Engine's document on
/// API quotas).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// What changes something.
    Mutations,
    /// What reads one resource.
    Reads,
    /// What lists resources.
    Lists,
    /// What reads one operation.
    Operations,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mutations, Self::Reads, Self::Lists, Self::Operations];

    /// A name for buckets.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mutations => "mutations",
            Self::Reads => "reads",
            Self::Lists => "lists",
            Self::Operations => "operations",
        }
    }
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::ListRoutes,
        Self::GetRoute,
        Self::InsertRoute,
        Self::DeleteRoute,
        Self::GetNetwork,
        Self::GetProject,
        Self::GetInstance,
        Self::ListInstances,
        Self::UpdateInstance,
        Self::ListGlobalOperations,
        Self::GetGlobalOperation,
        Self::GetZoneOperation,
    ];

    /// The method's id in the discovery document, without `compute.`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListRoutes => "routes.list",
            Self::GetRoute => "routes.get",
            Self::InsertRoute => "routes.insert",
            Self::DeleteRoute => "routes.delete",
            Self::GetNetwork => "networks.get",
            Self::GetProject => "projects.get",
            Self::GetInstance => "instances.get",
            Self::ListInstances => "instances.list",
            Self::UpdateInstance => "instances.update",
            Self::ListGlobalOperations => "globalOperations.list",
            Self::GetGlobalOperation => "globalOperations.get",
            Self::GetZoneOperation => "zoneOperations.get",
        }
    }

    /// What the caller must be allowed to do ("IAM Permissions" of the method in the API reference), the
    /// one that is missing most often first.
    pub const fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::ListRoutes => &["compute.routes.list"],
            Self::GetRoute => &["compute.routes.get"],
            Self::InsertRoute => &[
                "compute.routes.create",
                "compute.networks.updatePolicy",
                "compute.instances.use",
            ],
            Self::DeleteRoute => &["compute.routes.delete", "compute.networks.updatePolicy"],
            Self::GetNetwork => &["compute.networks.get"],
            Self::GetProject => &["compute.projects.get"],
            Self::GetInstance => &["compute.instances.get"],
            Self::ListInstances => &["compute.instances.list"],
            Self::UpdateInstance => &["compute.instances.update"],
            Self::ListGlobalOperations => &["compute.globalOperations.list"],
            Self::GetGlobalOperation => &["compute.globalOperations.get"],
            Self::GetZoneOperation => &["compute.zoneOperations.get"],
        }
    }

    /// Whether it is about an instance, so that the permission is needed in the project of the nodes.
    pub const fn of_nodes(self) -> bool {
        matches!(
            self,
            Self::GetInstance | Self::ListInstances | Self::UpdateInstance | Self::GetZoneOperation
        )
    }

    /// Whether it changes something.
    pub const fn writes(self) -> bool {
        matches!(self.group(), Group::Mutations)
    }

    /// What it is counted with.
    pub const fn group(self) -> Group {
        match self {
            Self::InsertRoute | Self::DeleteRoute | Self::UpdateInstance => Group::Mutations,
            Self::GetRoute | Self::GetNetwork | Self::GetProject | Self::GetInstance => {
                Group::Reads
            }
            Self::ListRoutes | Self::ListInstances | Self::ListGlobalOperations => Group::Lists,
            Self::GetGlobalOperation | Self::GetZoneOperation => Group::Operations,
        }
    }
}
