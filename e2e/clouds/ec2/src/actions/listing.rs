//! What describing actions have in common.

use std::collections::BTreeSet;

use crate::error::Refusal;
use crate::filters::Filters;
use crate::model::Kind;
use crate::paging::Page;

/// Which records are asked for: named ones, those that pass filters, or a page of them.
#[derive(Debug)]
pub(super) struct Listing {
    kind: Kind,
    ids: BTreeSet<String>,
    /// What is there and not shown.
    hidden: BTreeSet<String>,
    pub(super) filters: Filters,
    pub(super) page: Page,
}

impl Listing {
    pub(super) fn new(
        kind: Kind,
        ids: Vec<String>,
        filters: Filters,
        page: Page,
    ) -> Result<Self, Refusal> {
        // Documented for instances; of the other kinds, none has more than a page of 1,000 either.
        if ids.len() > 1000 {
            let why = format!("At most 1000 IDs can be named, got {}", ids.len());
            return Err(Refusal::client("InvalidParameterValue", why));
        }
        if matches!(kind, Kind::Instance | Kind::Interface) && !ids.is_empty() && !page.is_whole() {
            return Err(Refusal::combination(
                "The parameter for IDs cannot be used with the parameter maxResults",
            ));
        }
        for id in &ids {
            kind.check(id)?;
        }
        Ok(Self {
            kind,
            ids: ids.into_iter().collect(),
            hidden: BTreeSet::new(),
            filters,
            page,
        })
    }

    /// What is listed.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Leaves these records out, as if they were not there.
    pub(super) fn hide(&mut self, hidden: impl IntoIterator<Item = String>) {
        self.hidden.extend(hidden);
    }

    /// Refuses named records that are not there.
    pub(super) fn check_ids(&self, is: impl Fn(&String) -> bool) -> Result<(), Refusal> {
        let shown = |id: &String| is(id) && !self.hidden.contains(id);
        let unknown: Vec<&String> = self.ids.iter().filter(|id| !shown(id)).collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(self.kind.unknown(&unknown))
        }
    }

    /// The records that are named.
    pub(super) fn named(&self) -> impl Iterator<Item = &String> {
        self.ids.iter()
    }

    /// Whether a record is named, or none is, and it is not hidden.
    pub(super) fn wants(&self, id: &String) -> bool {
        (self.ids.is_empty() || self.ids.contains(id)) && !self.hidden.contains(id)
    }
}
