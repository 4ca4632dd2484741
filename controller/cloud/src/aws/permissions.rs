//! Which permissions are missing, before the first node needs them.
//!
//! A call with `DryRun` changes nothing: it is answered with `DryRunOperation` if the caller may do it
//! and with `UnauthorizedOperation` if not (`DryRun` in the API reference of each action). Any other
//! answer says nothing of permissions.

use std::sync::Arc;

use ipnet::IpNet;
use signpost_core::cloud::{CloudError, CloudErrorKind, Range};

use super::{
    AwsVpc,
    changes::Mode,
    choice,
    tables::{RawTable, RawTarget},
};

const DRY: Mode = Mode::DryRun;

/// Most tables that are tried: the tag that a policy asks for may be missing on each.
const TABLES: usize = 20;

/// Where no route leads to an interface yet. Whether a route may be created is decided by its table.
const NO_INTERFACE: &str = "eni-00000000000000000";

impl AwsVpc {
    /// Tries the writes on the programmed tables, and on an interface to which one leads already.
    pub(super) async fn try_writes(&self, ranges: &[Range]) -> Vec<CloudError> {
        let (Some(range), Ok((tables, _))) = (ranges.first(), self.tables().await) else {
            // Why they cannot be read is told when they are listed.
            return Vec::new();
        };
        let programmed = |table: &&RawTable| choice::is_programmed(&self.config, table);
        let programmed: Vec<&RawTable> = tables.iter().filter(programmed).take(TABLES).collect();
        let interface: Option<Arc<str>> =
            programmed.iter().find_map(|table| leads_to(table, ranges));
        let block = IpNet::new(range.cidr.network(), range.prefix_len).unwrap_or(range.cidr);
        let mut missing = Vec::new();
        for (index, table) in programmed.iter().enumerate() {
            let target = interface.as_deref().unwrap_or(NO_INTERFACE);
            let create = self.api.create_route(DRY, &table.id, block, target).await;
            missing.extend(denied(create));
            // What the others are denied for want of a tag, they are denied as the first was.
            if index == 0 {
                let replace = self.api.replace_route(DRY, &table.id, block, target).await;
                missing.extend(denied(replace));
                missing.extend(denied(self.api.delete_route(DRY, &table.id, block).await));
            }
        }
        if let Some(interface) = interface {
            missing.extend(denied(self.api.disable_check(DRY, &interface).await));
        }
        missing
    }
}

/// The interface to which a route in one of the ranges leads.
fn leads_to(table: &RawTable, ranges: &[Range]) -> Option<Arc<str>> {
    let mut routes = table.routes.iter();
    routes.find_map(|route| match &route.target {
        RawTarget::Interface(interface) if ranges.iter().any(|it| it.has(&route.destination)) => {
            Some(Arc::clone(interface))
        }
        _ => None,
    })
}

fn denied(answer: Result<(), CloudError>) -> Option<CloudError> {
    answer
        .err()
        .filter(|error| error.kind == CloudErrorKind::Denied)
}
