//! The pure engine: address pools, routes and the life cycle of a node subnet.
