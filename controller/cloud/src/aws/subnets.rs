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
