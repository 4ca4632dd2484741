//! Instances, as they truly are.

use ipnet::IpNet;
use signpost_core::cloud::NextHop;

/// Whether routes can lead to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineState {
    Running,
    Gone,
    Unsupported,
}

/// An instance.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) state: MachineState,
    pub(crate) v4: Option<NextHop>,
    pub(crate) v6: Option<NextHop>,
    pub(crate) forwarding: bool,
    /// It does not run until then.
    pub(crate) stopped: u64,
    /// Something of it was ever changed.
    pub(crate) changed: bool,
}

impl Machine {
    pub(crate) fn hop(&self, destination: IpNet) -> Option<&NextHop> {
        match destination {
            IpNet::V4(_) => self.v4.as_ref(),
            IpNet::V6(_) => self.v6.as_ref(),
        }
    }
}
