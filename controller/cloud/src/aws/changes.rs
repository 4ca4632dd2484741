//! The requests that change something, and whether they would be permitted.

use aws_sdk_ec2::types::AttributeBooleanValue;
use ipnet::IpNet;
use signpost_core::cloud::CloudError;

use super::{action::Action, api::Api};

/// Whether a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Once, as soon as it is asked for: it has [passed](Api::pass).
    Real,
    /// With `DryRun`, when it may be sent: nothing changes, and the answer says whether it would be
    /// permitted.
    DryRun,
}

impl Mode {
    /// The parameter `DryRun`.
    fn dry_run(self) -> Option<bool> {
        (self == Self::DryRun).then_some(true)
    }
}

impl Api {
    /// A route to a network interface. Refused if the destination has a route, unless it is the
    /// same.
    pub(super) async fn create_route(
        &self,
        mode: Mode,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> Result<(), CloudError> {
        let (v4, v6) = by_family(destination);
        let request = self
            .writes
            .create_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .network_interface_id(interface)
            .set_dry_run(mode.dry_run());
        self.calls
            .write(mode, Action::CreateRoute, table, request.send())
            .await
    }

    /// Leads whatever route the destination has to a network interface.
    pub(super) async fn replace_route(
        &self,
        mode: Mode,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> Result<(), CloudError> {
        let (v4, v6) = by_family(destination);
        let request = self
            .writes
            .replace_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .network_interface_id(interface)
            .set_dry_run(mode.dry_run());
        self.calls
            .write(mode, Action::ReplaceRoute, table, request.send())
            .await
    }

    /// Removes whatever route the destination has.
    pub(super) async fn delete_route(
        &self,
        mode: Mode,
        table: &str,
        destination: IpNet,
    ) -> Result<(), CloudError> {
        let (v4, v6) = by_family(destination);
        let request = self
            .writes
            .delete_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .set_dry_run(mode.dry_run());
        self.calls
            .write(mode, Action::DeleteRoute, table, request.send())
            .await
    }

    /// Has a network interface take packets that are not addressed to it.
    pub(super) async fn disable_check(
        &self,
        mode: Mode,
        interface: &str,
    ) -> Result<(), CloudError> {
        let action = Action::ModifyNetworkInterfaceAttribute;
        let off = AttributeBooleanValue::builder().value(false).build();
        let request = self
            .writes
            .modify_network_interface_attribute()
            .network_interface_id(interface)
            .source_dest_check(off)
            .set_dry_run(mode.dry_run());
        self.calls
            .write(mode, action, interface, request.send())
            .await
    }
}

/// The destination as one of two parameters.
fn by_family(destination: IpNet) -> (Option<String>, Option<String>) {
    match destination {
        IpNet::V4(_) => (Some(destination.to_string()), None),
        IpNet::V6(_) => (None, Some(destination.to_string())),
    }
}
