//! What the controller says in conditions of nodes.

/// The reasons of the node condition `NetworkUnavailable` with status `False` that are Signpost's own: the
/// node's routes were read back, or routes are not its work (provider `none`). For any other reason it was
/// somebody else who put the node into service, and nothing is said of its routes.
pub const IN_SERVICE_REASONS: [&str; 2] = ["SignpostRouteCreated", "SignpostPodCIDRAssigned"];
