//! The requests that change something, and whether they would be permitted.

use aws_sdk_ec2::{
    operation::{
        create_route::builders::CreateRouteFluentBuilder,
        delete_route::builders::DeleteRouteFluentBuilder,
        modify_network_interface_attribute::builders::ModifyNetworkInterfaceAttributeFluentBuilder,
        replace_route::builders::ReplaceRouteFluentBuilder,
    },
    types::AttributeBooleanValue,
};
use ipnet::IpNet;
use signpost_core::cloud::CloudError;

use super::{action::Action, api::Api};

impl Api {
    /// A route to a network interface. Refused if the destination has a route, unless it is the
    /// same.
    pub(super) async fn create_route(
        &self,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> Result<(), CloudError> {
        let request = self.creation(table, destination, interface);
        self.calls
            .send(Action::CreateRoute, Some(table), request.send())
            .await
            .map(drop)
    }

    /// Whether [`create_route`](Self::create_route) is permitted.
    pub(super) async fn try_create(
        &self,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> Result<(), CloudError> {
        let request = self.creation(table, destination, interface).dry_run(true);
        self.calls
            .try_out(Action::CreateRoute, table, request.send())
            .await
    }

    fn creation(
        &self,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> CreateRouteFluentBuilder {
        let (v4, v6) = by_family(destination);
        self.writes
            .create_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .network_interface_id(interface)
    }

    /// Leads whatever route the destination has to a network interface.
    pub(super) async fn replace_route(
        &self,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> Result<(), CloudError> {
        let request = self.replacement(table, destination, interface);
        self.calls
            .send(Action::ReplaceRoute, Some(table), request.send())
            .await
            .map(drop)
    }

    /// Whether [`replace_route`](Self::replace_route) is permitted.
    pub(super) async fn try_replace(
        &self,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> Result<(), CloudError> {
        let request = self.replacement(table, destination, interface);
        let request = request.dry_run(true);
        self.calls
            .try_out(Action::ReplaceRoute, table, request.send())
            .await
    }

    fn replacement(
        &self,
        table: &str,
        destination: IpNet,
        interface: &str,
    ) -> ReplaceRouteFluentBuilder {
        let (v4, v6) = by_family(destination);
        self.writes
            .replace_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .network_interface_id(interface)
    }

    /// Removes whatever route the destination has.
    pub(super) async fn delete_route(
        &self,
        table: &str,
        destination: IpNet,
    ) -> Result<(), CloudError> {
        let request = self.deletion(table, destination);
        self.calls
            .send(Action::DeleteRoute, Some(table), request.send())
            .await
            .map(drop)
    }

    /// Whether [`delete_route`](Self::delete_route) is permitted.
    pub(super) async fn try_delete(
        &self,
        table: &str,
        destination: IpNet,
    ) -> Result<(), CloudError> {
        let request = self.deletion(table, destination).dry_run(true);
        self.calls
            .try_out(Action::DeleteRoute, table, request.send())
            .await
    }

    fn deletion(&self, table: &str, destination: IpNet) -> DeleteRouteFluentBuilder {
        let (v4, v6) = by_family(destination);
        self.writes
            .delete_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
    }

    /// Has a network interface take packets that are not addressed to it.
    pub(super) async fn disable_check(&self, interface: &str) -> Result<(), CloudError> {
        let request = self.switch(interface);
        self.calls
            .send(
                Action::ModifyNetworkInterfaceAttribute,
                Some(interface),
                request.send(),
            )
            .await
            .map(drop)
    }

    /// Whether [`disable_check`](Self::disable_check) is permitted.
    pub(super) async fn try_disable_check(&self, interface: &str) -> Result<(), CloudError> {
        let action = Action::ModifyNetworkInterfaceAttribute;
        let request = self.switch(interface).dry_run(true);
        self.calls.try_out(action, interface, request.send()).await
    }

    fn switch(&self, interface: &str) -> ModifyNetworkInterfaceAttributeFluentBuilder {
        let off = AttributeBooleanValue::builder().value(false).build();
        self.writes
            .modify_network_interface_attribute()
            .network_interface_id(interface)
            .source_dest_check(off)
    }
}

/// The destination as one of two parameters.
fn by_family(destination: IpNet) -> (Option<String>, Option<String>) {
    match destination {
        IpNet::V4(_) => (Some(destination.to_string()), None),
        IpNet::V6(_) => (None, Some(destination.to_string())),
    }
}
