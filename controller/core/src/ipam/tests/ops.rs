//! Random operations on a ledger.

use proptest::{prelude::*, sample::Index};

use super::model::CREATED;
use super::*;

#[derive(Debug, Clone)]
pub(super) enum Op {
    Claim(usize, IpNet),
    Allocate(usize, bool),
    /// One of its claims, or a network that it mostly does not claim.
    Release(usize, Index, IpNet),
    Orphaned(IpNet),
    Free(Index),
    Foreign(BTreeSet<IpNet>),
    Barred(BTreeSet<IpNet>),
    /// Whether the address lies in a pool.
    Address(usize, bool),
    /// A listing ends that was begun so many seconds ago.
    Covered(u64),
    Reconfigure(Config),
}

fn any_net() -> impl Strategy<Value = IpNet> {
    let four = (0u8..=128, 26u8..=30).prop_map(|(low, len)| format!("10.0.0.{low}/{len}"));
    let six = (0u8..16, 58u8..=63).prop_map(|(low, len)| format!("fd00:0:0:{low:x}::/{len}"));
    prop_oneof![
        8 => four,
        4 => six,
        1 => Just("10.0.0.0/24".to_owned()),
        1 => Just("0.0.0.0/0".to_owned()),
        1 => Just("fd00::/60".to_owned()),
    ]
    .prop_map(|text| net(&text).trunc())
}

pub(super) fn any_config() -> impl Strategy<Value = Config> {
    // These overlap, so only one of them is configured at a time; removed ones overlap it.
    let whole = prop_oneof![
        Just(None),
        Just(Some(pool("a", "10.0.0.0/26", 28))),
        Just(Some(pool("b", "10.0.0.0/26", 29))),
        Just(Some(pool("c", "10.0.0.0/27", 28))),
        Just(Some(pool("g", "10.0.0.0/26", 30))),
    ];
    let mut zone = pool("d", "10.0.0.64/26", 28);
    zone.node_selector = labels(&[("zone", "b")]);
    let others = vec![
        zone,
        pool("e", "fd00::/60", 62),
        pool("f", "10.0.0.128/28", 28),
    ];
    let others = prop::sample::subsequence(others, 0..=3);
    let reserved = prop::collection::vec(any_net(), 0..2);
    (whole, others, reserved, any::<[bool; 4]>(), any::<bool>()).prop_map(
        |(whole, others, reserved, draining, reverse)| {
            let mut pools: Vec<_> = whole.into_iter().chain(others).collect();
            for (pool, draining) in pools.iter_mut().zip(draining) {
                if draining {
                    pool.state = PoolState::Draining;
                }
            }
            if reverse {
                pools.reverse();
            }
            Config {
                reserved,
                ..config(pools)
            }
        },
    )
}

pub(super) fn any_op() -> impl Strategy<Value = Op> {
    let node = 0..CREATED.len();
    let few = |most| prop::collection::btree_set(any_net(), 0..most);
    prop_oneof![
        8 => (node.clone(), any_net()).prop_map(|(node, net)| Op::Claim(node, net)),
        12 => (node.clone(), any::<bool>()).prop_map(|(node, zone)| Op::Allocate(node, zone)),
        8 => (node.clone(), any::<Index>(), any_net())
            .prop_map(|(node, claim, net)| Op::Release(node, claim, net)),
        4 => any_net().prop_map(Op::Orphaned),
        8 => any::<Index>().prop_map(Op::Free),
        4 => few(4).prop_map(Op::Foreign),
        2 => few(2).prop_map(Op::Barred),
        2 => (node, any::<bool>()).prop_map(|(node, inside)| Op::Address(node, inside)),
        6 => (0u64..8).prop_map(Op::Covered),
        4 => any_config().prop_map(Op::Reconfigure),
    ]
}
