//! What callers may do: permissions by bearer token and project.
//!
//! Which ones a method needs stands in its reference under "IAM Permissions", for instance of
//! [routes.insert](https://docs.cloud.google.com/compute/docs/reference/rest/v1/routes/insert). Of
//! `instances.insert` only those are looked at that concern networks, and that of the instance itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Refusal;

/// Permissions by token and project. A token of which nothing is said may do everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Permissions(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Permissions {
    /// What a token may do in a project. In projects of which nothing is said it may then do nothing.
    pub(crate) fn set(&mut self, token: &str, project: &str, permissions: BTreeSet<String>) {
        let projects = self.0.entry(token.to_owned()).or_default();
        projects.insert(project.to_owned(), permissions);
    }

    pub(crate) fn all(&self) -> &BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        &self.0
    }

    pub(crate) fn replace(
        &mut self,
        permissions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    ) {
        self.0 = permissions;
    }

    /// Refuses a caller who may not do this to a resource of a project. Both names of a caller count:
    /// the token, and the account that it was handed out for.
    pub(crate) fn check(
        &self,
        callers: [&str; 2],
        project: &str,
        permission: &str,
        path: &str,
    ) -> Result<(), Refusal> {
        let Some(projects) = callers.iter().find_map(|caller| self.0.get(*caller)) else {
            return Ok(());
        };
        let allowed = projects.get(project);
        if allowed.is_some_and(|set| set.contains(permission)) {
            Ok(())
        } else {
            Err(Refusal::forbidden(permission, path))
        }
    }
}
