//! Whether what an instance sends follows a table that is programmed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    choice,
    config::AwsConfig,
    instances::{OwnInterface, RawInstance},
    tables::RawTable,
};

/// Which table each subnet follows.
#[derive(Debug)]
pub(super) struct Layout {
    /// By subnet.
    associated: HashMap<Arc<str>, Arc<str>>,
    /// By VPC: the table of all other subnets.
    main: HashMap<Arc<str>, Arc<str>>,
    programmed: HashSet<Arc<str>>,
    /// The accounts of the VPC's tables.
    owners: HashMap<Arc<str>, Arc<str>>,
    /// From before the tables were read.
    pub(super) at: Instant,
}

impl Layout {
    /// As all tables of the VPC show it.
    pub(super) fn of(tables: &[RawTable], config: &AwsConfig, at: Instant) -> Self {
        let associated = tables.iter().flat_map(|table| {
            let subnets = table.subnets.iter();
            subnets.map(|subnet| (Arc::clone(subnet), Arc::clone(&table.id)))
        });
        let main = tables.iter().filter(|table| table.main);
        let programmed = tables.iter();
        let programmed = programmed.filter(|table| choice::is_programmed(config, table));
        let owners = tables.iter().filter_map(|table| {
            let owner = table.owner.as_ref()?;
            Some((Arc::clone(&table.vpc), Arc::clone(owner)))
        });
        Self {
            associated: associated.collect(),
            main: main
                .map(|table| (Arc::clone(&table.vpc), Arc::clone(&table.id)))
                .collect(),
            programmed: programmed.map(|table| Arc::clone(&table.id)).collect(),
            owners: owners.collect(),
            at,
        }
    }

    /// Why it cannot be said of an instance that it is gone, which EC2 says of those of other accounts
    /// too: the tables are not of our own account.
    pub(super) fn shared_by_another(&self, own: &str, id: &str) -> Option<String> {
        let other = self.owners.values().find(|it| ***it != *own)?;
        Some(format!(
            "account {own} of the controller's credentials has no instance {id}, and the route tables \
             belong to account {other}, which shares the VPC: this is not supported, since no account \
             may both see the instances and change the tables; label the node signpost.dev/exclude"
        ))
    }

    /// Why routes do not serve what comes from this interface; `None` if they do, or if nothing is
    /// known against it.
    pub(super) fn problem(
        &self,
        config: &AwsConfig,
        instance: &RawInstance,
        primary: &OwnInterface,
    ) -> Option<String> {
        let vpc = instance.vpc.as_ref()?;
        let id = &instance.id;
        if let (Some(tables), Some(own)) = (self.owners.get(vpc), &primary.owner)
            && tables != own
        {
            return Some(format!(
                "instance {id} belongs to account {own} and the route tables of {vpc} to account \
                 {tables}, which shares the VPC: this is not supported, since no account may both \
                 see the instances and change the tables; label the node signpost.dev/exclude"
            ));
        }
        let subnet = primary.subnet.as_ref()?;
        let (table, how) = match self.associated.get(subnet) {
            Some(table) => (table, "is associated with"),
            None => (self.main.get(vpc)?, "follows the VPC's main table,"),
        };
        if self.programmed.contains(table) {
            return None;
        }
        Some(format!(
            "subnet {subnet} of instance {id} {how} {table}, which is not programmed, so its pods \
             would reach no others: {}, or associate the subnet with a table that is",
            choice::remedy(config, table)
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use aws_sdk_ec2::types::{
        Instance, InstanceNetworkInterface, InstanceNetworkInterfaceAttachment, RouteTable,
        RouteTableAssociation, Tag,
    };

    use super::*;
    use crate::aws::config::TableChoice;

    fn config() -> AwsConfig {
        AwsConfig {
            cluster_name: "blue".to_owned(),
            region: None,
            vpc_id: None,
            tables: TableChoice::ClusterTag,
            rates: BTreeMap::new(),
            longest_write: Duration::from_secs(5),
        }
    }

    /// A table of account 1.
    fn table(id: &str, tagged: bool, association: RouteTableAssociation) -> RawTable {
        let tag = Tag::builder().key("kubernetes.io/cluster/blue");
        let tag = tag.value(if tagged { "shared" } else { "other" });
        let table = RouteTable::builder()
            .route_table_id(id)
            .vpc_id("vpc-1")
            .owner_id("111111111111")
            .tags(tag.build())
            .associations(association);
        RawTable::read(&table.build()).unwrap()
    }

    /// What is wrong with an instance of this account in this subnet.
    fn problem(owner: &str, subnet: &str) -> Option<String> {
        let main = RouteTableAssociation::builder().main(true).build();
        let own = RouteTableAssociation::builder().subnet_id("subnet-own");
        let tables = [
            table("rtb-main", false, main),
            table("rtb-own", true, own.build()),
        ];
        let layout = Layout::of(&tables, &config(), Instant::now());
        let attachment = InstanceNetworkInterfaceAttachment::builder().device_index(0);
        let interface = InstanceNetworkInterface::builder()
            .network_interface_id("eni-1")
            .owner_id(owner)
            .subnet_id(subnet)
            .attachment(attachment.build());
        let instance = Instance::builder()
            .instance_id("i-1")
            .vpc_id("vpc-1")
            .network_interfaces(interface.build());
        let instance = RawInstance::read(&instance.build()).unwrap();
        layout.problem(&config(), &instance, instance.primary().unwrap())
    }

    #[test]
    fn a_subnet_follows_its_own_table_or_the_main_one() {
        assert_eq!(problem("111111111111", "subnet-own"), None);
        let why = problem("111111111111", "subnet-other").unwrap();
        for part in ["rtb-main", "kubernetes.io/cluster/blue", "subnet-other"] {
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn an_instance_in_another_accounts_vpc_is_refused_with_the_reason() {
        let why = problem("222222222222", "subnet-own").unwrap();
        for part in ["111111111111", "222222222222", "signpost.dev/exclude"] {
            assert!(why.contains(part), "{why}");
        }
    }
}
