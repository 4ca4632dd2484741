//! What may still happen in the small world, and how it may lie.

/// How often things may still go wrong or change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) joins: u8,
    pub(crate) leaves: u8,
    pub(crate) crashes: u8,
    pub(crate) releases: u8,
    pub(crate) losses: u8,
}

/// How the world breaks what it promised to the engine, to see that this is noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    #[default]
    None,
    /// Listings leave out our routes.
    HiddenRoutes,
    /// Listings show routes that nobody made.
    InventedRoutes,
    /// Listings show the foreign route as ours.
    StolenRoute,
    /// A lease is taken over while writes of who held it before are under way.
    HastyElection,
}
