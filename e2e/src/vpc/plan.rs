//! What the router's kernel has to do so that packets go as in an emulated network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addresses::{EXTERNAL_V4, EXTERNAL_V6, Link};
use crate::topology::EXTERNAL_DEVICE;

/// Where kernel tables begin that stand for route tables.
const FIRST_TABLE: u32 = 1000;

/// The kernel's devices that are up, and their indexes: a device that went and came has another.
pub(super) type Devices = BTreeMap<String, u32>;

/// Kernel tables, by the names of what they stand for, in the order in which these were first seen.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    pub(super) fn of(&mut self, name: &str) -> u32 {
        let next = FIRST_TABLE + u32::try_from(self.0.len()).unwrap_or_default();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

/// Where a packet goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nowhere, and nobody is told.
    Drop,
    /// Out of a device.
    Out(Exit),
    /// Out of one of several devices; packets of one flow take the same.
    Spread(Vec<Exit>),
}

/// A device by which packets leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) device: String,
    pub(super) index: u32,
    /// The neighbour that gets it; without one, whoever has the destination's address.
    pub(super) via: Option<IpAddr>,
}

/// The whole state of the kernel that follows from the network's.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Routes of kernel tables.
    pub(super) routes: BTreeMap<(u32, IpNet), Way>,
    /// The kernel table that decides about what comes in by a device.
    pub(super) rules: BTreeMap<String, u32>,
    /// Addresses of the instance behind a device.
    pub(super) own: BTreeSet<(String, IpAddr)>,
    /// Devices whose instance may send from and receive for other addresses than its own.
    pub(super) unchecked: BTreeSet<String>,
}

/// The device behind which the machine with one of these addresses is.
pub(super) fn device_of(
    addresses: impl Iterator<Item = IpAddr>,
    devices: &Devices,
) -> Option<(&str, u32)> {
    let mut v4 = addresses.filter_map(|address| match address {
        IpAddr::V4(address) => Link::of_node(address),
        IpAddr::V6(_) => None,
    });
    let (device, index) = devices.get_key_value(&v4.next()?.router_device())?;
    Some((device, *index))
}

/// The way to the internet.
pub(super) fn outside(v4: bool, devices: &Devices) -> Way {
    let via = if v4 {
        EXTERNAL_V4.into()
    } else {
        EXTERNAL_V6.into()
    };
    match devices.get(EXTERNAL_DEVICE) {
        Some(index) => Way::Out(Exit {
            device: EXTERNAL_DEVICE.to_owned(),
            index: *index,
            via: Some(via),
        }),
        None => Way::Drop,
    }
}
