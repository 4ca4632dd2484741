//! Addresses behind nodes, as pods have them, for tests of the wire itself.

use anyhow::{Result, ensure};
use signpost_e2e::Node;

/// An address of each family behind each of two nodes, and the ranges that they are in.
pub(crate) const BEHIND: [[(&str, &str); 2]; 2] = [
    [
        ("10.244.1.0/24", "10.244.1.1"),
        ("fd44:0:0:1::/64", "fd44:0:0:1::1"),
    ],
    [
        ("10.244.2.0/24", "10.244.2.1"),
        ("fd44:0:0:2::/64", "fd44:0:0:2::1"),
    ],
];

/// Gives a node an address.
pub(crate) async fn put(node: &Node, address: &str) -> Result<()> {
    let argv = ["ip", "address", "replace", address, "dev", "lo"];
    node.machine().run(&argv).await.map(drop)
}

/// Gives the first or second node what is behind it.
pub(crate) async fn put_behind(node: &Node, number: usize) -> Result<()> {
    for (_, address) in BEHIND[number] {
        put(node, address).await?;
    }
    Ok(())
}

/// What is behind the first node reaches what is behind the second, in both families.
pub(crate) async fn together(first: &Node) -> Result<()> {
    for (here, there) in BEHIND[0].into_iter().zip(BEHIND[1]) {
        ping(first, here.1, there.1).await?;
    }
    Ok(())
}

/// It does not, in either family.
pub(crate) async fn apart(first: &Node, why: &str) -> Result<()> {
    for (here, there) in BEHIND[0].into_iter().zip(BEHIND[1]) {
        let reached = ping(first, here.1, there.1).await.is_ok();
        ensure!(!reached, "{} reaches {} {why}", here.1, there.1);
    }
    Ok(())
}

/// Sends one echo request from one of a node's addresses.
pub(crate) async fn ping(node: &Node, from: &str, to: &str) -> Result<()> {
    let argv = ["busybox", "ping", "-c", "1", "-W", "1", "-I", from, to];
    node.machine().run(&argv).await.map(drop)
}
