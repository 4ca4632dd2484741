//! Blocks of the pool 10.244.0.0/16, each a /24. They are handed out in turn, from one on that differs
//! from start to start.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use ipnet::{IpNet, Ipv4Net};

use crate::Cluster;
use crate::routes;

const POOL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16);
const BLOCKS: u32 = 256;

/// The first range of IPv4 among some.
///
/// # Errors
/// If there is none.
pub fn v4_of(cidrs: &[IpNet]) -> Result<Ipv4Net> {
    let v4 = cidrs.iter().find_map(|cidr| match cidr {
        IpNet::V4(cidr) => Some(*cidr),
        IpNet::V6(_) => None,
    });
    v4.with_context(|| format!("an IPv4 block should be among {cidrs:?}"))
}

/// The block of the same size behind this one; the pool's first behind its last.
pub fn following(block: Ipv4Net) -> Result<Ipv4Net> {
    let next = Ipv4Addr::from(block.broadcast().to_bits().wrapping_add(1));
    let next = if POOL.contains(&next) {
        next
    } else {
        POOL.addr()
    };
    Ipv4Net::new(next, block.prefix_len()).context("a block")
}

/// A block that no node has, and none gets before half of the pool was handed out.
pub async fn unused(cluster: &Cluster) -> Result<Ipv4Net> {
    let taken = routes::desired(cluster).await?;
    let some = taken.keys().find_map(|block| match block {
        IpNet::V4(block) if POOL.contains(block) => Some(*block),
        _ => None,
    });
    let mut block = some.unwrap_or(Ipv4Net::new_assert(POOL.addr(), 24));
    for _ in 0..BLOCKS / 2 {
        block = following(block)?;
    }
    while taken.contains_key(&block.into()) {
        block = following(block)?;
    }
    Ok(block)
}
