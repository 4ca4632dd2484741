//! What the provider is made from.

use std::time::Duration;

/// Settings of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcpConfig {
    /// The cluster's name, of which the names of its routes are made. No two clusters of a network have
    /// the same.
    pub cluster_name: String,
    /// Id of the project that has the network. `None`: the project of this instance's network.
    pub project: Option<String>,
    /// Name of the network. `None`: the network of this instance.
    pub network: Option<String>,
    /// Priority of the routes, from 0 (wins) to 65535.
    pub priority: u32,
    /// The network tags of the instances for which the routes hold; all if empty.
    pub tags: Vec<String>,
    /// Whether IP forwarding of instances is switched on where it is off.
    pub enable_ip_forwarding: bool,
    /// Where the API is, such as `https://compute.googleapis.com`. `None`: as the credentials' universe
    /// says.
    pub endpoint: Option<String>,
    /// Requests of each quota group in a minute, at most.
    pub requests_per_minute: u32,
    /// The longest that a write may take until it is answered.
    pub longest_write: Duration,
}

impl GcpConfig {
    /// What a route has that says nothing of it (`priority` of `Route` in the API reference).
    pub const DEFAULT_PRIORITY: u32 = 1000;
}
