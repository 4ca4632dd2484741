//! Which networks overlap a network.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::{
    span::{Span, bits, network},
    types::Family,
};

/// A map by network that finds what overlaps a network without looking at all of it.
///
/// Two networks overlap only if one contains the other. What lies inside a network is a range of
/// the order of [`IpNet`] (address, then prefix length); for what contains it, one key for each
/// shorter prefix length in use is looked up.
#[derive(Debug, Clone)]
pub(super) struct NetMap<V> {
    map: BTreeMap<IpNet, V>,
    /// How many networks of each prefix length there are.
    lengths: BTreeMap<(Family, u8), usize>,
}

impl<V> Default for NetMap<V> {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            lengths: BTreeMap::new(),
        }
    }
}

impl<V> NetMap<V> {
    pub(super) fn get(&self, cidr: IpNet) -> Option<&V> {
        self.map.get(&cidr)
    }

    pub(super) fn get_mut(&mut self, cidr: IpNet) -> Option<&mut V> {
        self.map.get_mut(&cidr)
    }

    pub(super) fn insert(&mut self, cidr: IpNet, value: V) {
        if self.map.insert(cidr, value).is_none() {
            *self.lengths.entry(length(cidr)).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, cidr: IpNet) -> Option<V> {
        let value = self.map.remove(&cidr)?;
        if let Some(count) = self.lengths.get_mut(&length(cidr)) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length(cidr));
            }
        }
        Some(value)
    }

    /// In ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpNet, &V)> {
        self.map.iter().map(|(cidr, value)| (*cidr, value))
    }

    /// Every network that contains `cidr`, is `cidr` or lies in it.
    pub(super) fn overlapping(&self, cidr: IpNet) -> impl Iterator<Item = (IpNet, &V)> {
        let (family, prefix_length) = length(cidr);
        let span = Span::of(cidr);
        let containing = self
            .lengths
            .range((family, 0)..(family, prefix_length))
            .filter_map(move |((_, shorter), _)| {
                self.map
                    .get_key_value(&network(family, span.first, *shorter))
            });
        let inside = self
            .map
            .range(cidr.trunc()..=network(family, span.last, bits(family)));
        containing.chain(inside).map(|(cidr, value)| (*cidr, value))
    }
}

impl NetMap<()> {
    /// Holds just these networks from now on. Returns those that came or went.
    pub(super) fn replace(&mut self, wanted: &BTreeSet<IpNet>) -> Vec<IpNet> {
        let gone = self.map.keys().filter(|cidr| !wanted.contains(cidr));
        let come = wanted.iter().filter(|cidr| !self.map.contains_key(cidr));
        let (gone, come): (Vec<_>, Vec<_>) = (gone.copied().collect(), come.copied().collect());
        for cidr in &gone {
            self.remove(*cidr);
        }
        for cidr in &come {
            self.insert(*cidr, ());
        }
        gone.into_iter().chain(come).collect()
    }
}

fn length(cidr: IpNet) -> (Family, u8) {
    (Family::of(&cidr), cidr.prefix_len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_net() -> impl Strategy<Value = IpNet> {
        // Few addresses, so that networks often overlap.
        prop_oneof![
            (0u128..16, 24u8..=32).prop_map(|(n, len)| network(Family::V4, n << 4, len)),
            (0u128..16, 0u8..=128).prop_map(|(n, len)| network(Family::V6, n << 60, len)),
        ]
    }

    proptest! {
        #[test]
        fn finds_just_what_overlaps(
            nets in prop::collection::btree_set(any_net(), 0..40),
            removed in prop::collection::vec(any_net(), 0..20),
            asked in any_net(),
        ) {
            let mut map = NetMap::default();
            for net in &nets {
                map.insert(*net, ());
            }
            let mut nets = nets;
            for net in removed {
                prop_assert_eq!(map.remove(net).is_some(), nets.remove(&net));
            }
            let expected: Vec<_> = nets
                .into_iter()
                .filter(|net| net.contains(&asked) || asked.contains(net))
                .collect();
            let mut found: Vec<_> = map.overlapping(asked).map(|(net, ())| net).collect();
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
