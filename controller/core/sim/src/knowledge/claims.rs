//! Which blocks an engine tried to give to whom.

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;
use signpost_core::{
    NodeKey,
    event::{ApiError, ApiErrorKind},
};

/// Pod CIDRs whose fate an engine cannot know.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// By UID. The answer was lost: the node may have them.
    doubtful: BTreeSet<(Arc<str>, Vec<IpNet>)>,
}

impl Claims {
    pub(super) fn written(
        &mut self,
        node: &NodeKey,
        cidrs: Option<&[IpNet]>,
        result: &Result<(), ApiError>,
    ) {
        let lost = result
            .as_ref()
            .is_err_and(|error| error.kind == ApiErrorKind::Unknown);
        if let (true, Some(cidrs)) = (lost, cidrs) {
            self.doubtful.insert((node.uid.clone(), cidrs.to_vec()));
        }
    }

    /// The same was tried before, and may have happened.
    pub(crate) fn may_have(&self, node: &NodeKey, cidrs: &[IpNet]) -> bool {
        self.doubtful.contains(&(node.uid.clone(), cidrs.to_vec()))
    }
}
