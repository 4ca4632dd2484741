//! Synchronous netlink: links, addresses, routes, neighbours, namespaces, nftables.
