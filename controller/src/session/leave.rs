//! From one provider to another: the routes of the old one go first, since the new one does not know
//! them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use signpost_core::{
    Summary, Time,
    action::{Notice, Reason, Subject},
};

use crate::network::Valid;

/// How long the old provider is given to remove its routes.
const LONGEST: Duration = Duration::from_secs(120);

/// Routes that an earlier session of this process left, and knew no way to remove.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// The object by which they were made; `None`: there are none.
    by: Option<Arc<Valid>>,
    /// How many there were in each table.
    routes: BTreeMap<Arc<str>, usize>,
    told: bool,
}

/// The old provider removes its routes.
#[derive(Debug)]
pub(super) struct Leaving {
    /// When it is given up.
    pub(super) until: Time,
    /// Every route is removed.
    pub(super) done: bool,
}

impl Leaving {
    pub(super) fn begin(now: Time) -> Self {
        Self {
            until: now.after(LONGEST),
            done: false,
        }
    }

    pub(super) fn is_over(&self, now: Time) -> bool {
        self.done || now >= self.until
    }
}

impl Left {
    /// Takes note of what a session leaves behind that ends for another provider.
    pub(super) fn note(&mut self, by: &Arc<Valid>, summary: &Summary) {
        let tables = summary.tables.iter();
        let routes: BTreeMap<_, _> = tables
            .map(|table| (Arc::clone(&table.table.0), table.programmed + table.stale))
            .filter(|(_, routes)| *routes > 0)
            .collect();
        // What was left before that is not this session's to clean up.
        if !routes.is_empty() {
            *self = Self {
                by: Some(Arc::clone(by)),
                routes,
                told: false,
            };
        }
    }

    /// Forgets what the provider of `valid` takes care of: its routes in the tables that it lists.
    pub(super) fn take_over(&mut self, valid: &Valid, summary: &Summary) {
        let same = |by: &Arc<Valid>| valid.same_routes(by);
        if !summary.recovered || !self.by.as_ref().is_some_and(same) {
            return;
        }
        for table in &summary.tables {
            self.routes.remove(&table.table.0);
        }
        if self.routes.is_empty() {
            self.by = None;
        }
    }

    /// What is left, for people; `None` if nothing is, or while it is not known yet whether the
    /// provider of `valid` takes care of it.
    pub(super) fn problem(&self, valid: &Valid, summary: &Summary) -> Option<String> {
        let by = self.by.as_ref()?;
        if valid.same_routes(by) && !summary.recovered {
            return None;
        }
        let provider = by.cloud.provider.as_str();
        let tables = self.routes.iter();
        let tables: Vec<_> = tables
            .map(|(table, routes)| format!("{routes} in {table}"))
            .collect();
        let remedy = if valid.same_routes(by) {
            "choose these tables again, or remove the routes by hand"
        } else {
            "change spec.cloud back to have them removed, or remove them by hand"
        };
        Some(format!(
            "routes of provider {provider} are left that nobody looks after any more ({}): {remedy}",
            tables.join(", ")
        ))
    }

    /// The same as an event, once.
    pub(super) fn notice(&mut self, problem: &str) -> Option<Notice> {
        (!std::mem::replace(&mut self.told, true)).then(|| Notice {
            subject: Subject::Network,
            reason: Reason::TableForgotten,
            message: problem.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};
    use signpost_core::{cloud::TableId, summary::TableUse};

    use super::*;
    use crate::network::{self, Wish};

    fn valid(cloud: serde_json::Value) -> Arc<Valid> {
        let mut object = json!({
            "apiVersion": "signpost.dev/v1alpha1", "kind": "PodNetwork",
            "metadata": {"name": "default", "uid": "u"},
            "spec": {"pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}]},
        });
        object["spec"]["cloud"] = cloud;
        match network::read(&from_value(object).unwrap()) {
            Wish::Valid(valid) => valid,
            other => panic!("{other:?}"),
        }
    }

    fn aws(tables: &[&str]) -> Arc<Valid> {
        let aws = json!({"clusterName": "c", "routeTableIDs": tables});
        valid(json!({"provider": "aws", "aws": aws}))
    }

    fn summary(tables: &[(&str, usize)]) -> Summary {
        let table = |(name, programmed): &(&str, usize)| TableUse {
            table: TableId((*name).into()),
            desired: *programmed,
            programmed: *programmed,
            missing: 0,
            stale: 0,
            foreign: 0,
            v4: None,
            v6: None,
        };
        Summary {
            recovered: true,
            tables: tables.iter().map(table).collect(),
            ..Summary::default()
        }
    }

    #[test]
    fn a_table_that_is_chosen_no_more_is_named_once_with_its_routes() {
        let (old, new) = (aws(&["rtb-1", "rtb-2"]), aws(&["rtb-1"]));
        let mut left = Left::default();
        left.note(&old, &summary(&[("rtb-1", 3), ("rtb-2", 2)]));
        let unread = Summary::default();
        left.take_over(&new, &unread);
        assert_eq!(left.problem(&new, &unread), None, "not read yet");
        let now = summary(&[("rtb-1", 3)]);
        left.take_over(&new, &now);
        let problem = left.problem(&new, &now).unwrap();
        assert!(
            problem.contains("2 in rtb-2") && !problem.contains("rtb-1"),
            "{problem}"
        );
        assert!(left.notice(&problem).is_some());
        assert!(left.notice(&problem).is_none());
        left.take_over(&old, &summary(&[("rtb-1", 3), ("rtb-2", 2)]));
        assert_eq!(left.problem(&old, &now), None);
    }

    #[test]
    fn routes_of_another_provider_stay_named_until_it_is_back() {
        let linux = valid(json!({"provider": "linux"}));
        let none = valid(json!({"provider": "none"}));
        let mut left = Left::default();
        left.note(&linux, &summary(&[("main", 3)]));
        left.take_over(&none, &summary(&[]));
        left.note(&none, &summary(&[]));
        let problem = left.problem(&none, &summary(&[])).unwrap();
        assert!(
            problem.contains("provider linux") && problem.contains("3 in main"),
            "{problem}"
        );
        left.take_over(&linux, &summary(&[("main", 3)]));
        assert_eq!(left.problem(&none, &summary(&[])), None);
    }

    #[test]
    fn nothing_is_left_where_nothing_was() {
        let linux = valid(json!({"provider": "linux"}));
        let mut left = Left::default();
        left.note(&linux, &summary(&[("main", 0)]));
        let none = valid(json!({"provider": "none"}));
        assert_eq!(left.problem(&none, &summary(&[])), None);
    }
}
