//! Carries out the entries of a schedule that concern instances.

use crate::{
    cloud::{Machine, MachineState},
    faults::{Entry, Fault},
    scenario::CloudKind,
    world::World,
};

use super::nodes::name;

impl World<'_> {
    pub(crate) fn machine_of(&mut self, name: &str) -> Option<&mut Machine> {
        let id = self.api.nodes.get(name)?.node.provider_id.as_ref()?;
        self.cloud.machines.get_mut(id)
    }

    pub(super) fn apply_to_machine(&mut self, entry: Entry) -> bool {
        if self.scenario.cloud != CloudKind::Cloud {
            return false;
        }
        let hop = self.cloud.next_hop();
        let forwards = self.cloud.limits.forwarding;
        let Some(machine) = self.machine_of(&name(entry.target)) else {
            return false;
        };
        if machine.state != MachineState::Running {
            return false;
        }
        machine.changed = true;
        match entry.fault {
            Fault::InstanceGone => machine.state = MachineState::Gone,
            Fault::InstanceStopped => machine.stopped = entry.ends(),
            Fault::InstanceUnsupported => machine.state = MachineState::Unsupported,
            Fault::InstanceReplaced => {
                machine.v4 = machine.v4.is_some().then(|| hop.clone());
                machine.v6 = machine.v6.is_some().then_some(hop);
            }
            Fault::AddressFamilyLost if entry.amount.is_multiple_of(2) => machine.v4 = None,
            Fault::AddressFamilyLost => machine.v6 = None,
            _ if !forwards || !machine.forwarding => return false,
            _ => machine.forwarding = false,
        }
        true
    }
}
