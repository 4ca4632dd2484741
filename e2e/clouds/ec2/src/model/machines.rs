//! Instances and network interfaces.

use std::net::{Ipv4Addr, Ipv6Addr};

use signpost_emulator::Time;

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Whether the instance is gone or on its way there.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// The account that launched it.
    pub(crate) owner: String,
    pub(crate) reservation: String,
    pub(crate) launch_index: usize,
    pub(crate) state: InstanceState,
    pub(crate) image: String,
    pub(crate) machine: String,
    pub(crate) key: Option<String>,
    /// Name of the instance profile, whose role its metadata hand out.
    pub(crate) profile: Option<String>,
    pub(crate) token: String,
    pub(crate) launched: Time,
    pub(crate) zone: String,
    /// Interfaces in the order of their device index, which starts with the primary one at 0.
    pub(crate) interfaces: Vec<String>,
}

impl Instance {
    /// How many interfaces such a machine can have.
    ///
    /// The real number depends on family and size; for the common families it is this one.
    pub(crate) fn interface_limit(&self) -> usize {
        match self.machine.rsplit('.').next().unwrap_or("") {
            "nano" | "micro" => 2,
            "small" | "medium" | "large" => 3,
            "xlarge" | "2xlarge" => 4,
            "4xlarge" | "8xlarge" | "9xlarge" | "12xlarge" => 8,
            _ => 15,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Interface {
    /// The account that made it, which is that of its instance.
    pub(crate) owner: String,
    pub(crate) subnet: String,
    pub(crate) vpc: String,
    pub(crate) zone: String,
    pub(crate) description: String,
    pub(crate) mac: String,
    /// The first is the primary address.
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) ipv6: Vec<Ipv6Addr>,
    pub(crate) groups: Vec<String>,
    pub(crate) source_dest_check: bool,
    pub(crate) attachment: Option<Attachment>,
}

impl Interface {
    /// `in-use` from the first moment of an attachment to its last: `available` and `in-use` are the
    /// only ones that the filter `status` of `DescribeNetworkInterfaces` knows, and the example of
    /// `run-instances` has an interface `in-use` whose attachment is `attaching`. While detaching:
    /// assumed.
    pub(crate) fn status(&self) -> &'static str {
        if self.attachment.is_some() {
            "in-use"
        } else {
            "available"
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) device_index: u32,
    /// The network card of the machine, each of which counts its devices apart.
    pub(crate) card: u32,
    pub(crate) delete_on_termination: bool,
    pub(crate) attached: Time,
    pub(crate) progress: Progress,
}

/// How far an attachment has come: `AttachmentStatus` in the service model, of which `detached` is
/// shown of nothing, since the attachment goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Attaching,
    Attached,
    Detaching,
}

impl Progress {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Attaching => "attaching",
            Self::Attached => "attached",
            Self::Detaching => "detaching",
        }
    }
}
