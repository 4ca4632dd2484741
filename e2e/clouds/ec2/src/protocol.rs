//! Requests of the Query protocol: flat parameters with dotted names, of which none may be left over.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Refusal;

/// The parameters of one request.
///
/// Every parameter that is asked for counts as known; [`Params::finish`] refuses the others.
#[derive(Debug)]
pub(crate) struct Params {
    values: BTreeMap<String, String>,
    known: BTreeSet<String>,
}

impl Params {
    pub(crate) fn new(values: BTreeMap<String, String>) -> Self {
        let known = ["Action", "Version", "DryRun"].map(str::to_owned).into();
        Self { values, known }
    }

    /// The value of a parameter, if the request has it.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.known.insert(name.to_owned());
        self.values.get(name).cloned()
    }

    /// The value of a parameter that must be there and not be empty.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::missing(name))
    }

    /// A value as any type that can be parsed, or `InvalidParameterValue`.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        self.text(name)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| Refusal::value(name, &value, "It cannot be parsed."))
            })
            .transpose()
    }

    /// The values of `NAME.1`, `NAME.2` and so on, in the order of their numbers.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        self.members(name)
            .into_iter()
            .filter_map(|member| self.text(&member))
            .collect()
    }

    /// The prefixes `NAME.1`, `NAME.2` and so on that the request uses, in the order of their numbers.
    pub(crate) fn members(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}.");
        let numbers: BTreeSet<u32> = self
            .values
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix)?.split('.').next()?.parse().ok())
            .collect();
        numbers
            .into_iter()
            .map(|number| format!("{name}.{number}"))
            .collect()
    }

    /// Accepts parameters that have no effect here, with everything below them.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            let below = format!("{name}.");
            let found = self
                .values
                .keys()
                .filter(|key| *key == name || key.starts_with(&below));
            self.known.extend(found.cloned());
        }
    }

    /// Ends the reading of parameters: refuses those that nobody asked for, and dry runs.
    ///
    /// Every action calls it before its first change.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        if let Some(name) = self.values.keys().find(|name| !self.known.contains(*name)) {
            return Err(Refusal::client(
                "UnknownParameter",
                format!("The parameter {name} is not recognized"),
            ));
        }
        match self.parsed("DryRun")? {
            Some(true) => Err(Refusal::with_status(
                hyper::StatusCode::PRECONDITION_FAILED,
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn lists_are_ordered_by_number_not_by_text() {
        let mut params = params(&[("Id.10", "c"), ("Id.2", "b"), ("Id.1", "a")]);
        assert_eq!(params.list("Id"), ["a", "b", "c"]);
        assert_eq!(params.finish(), Ok(()));
    }

    #[test]
    fn what_nobody_asked_for_is_refused() {
        let mut params = params(&[("VpcId", "vpc-1"), ("VpcIdd", "vpc-2")]);
        params.text("VpcId");
        assert_eq!(params.finish().unwrap_err().code, "UnknownParameter");
    }

    #[test]
    fn ignored_structures_are_known_with_all_below_them() {
        let mut params = params(&[("Placement.Tenancy", "default"), ("PlacementX", "1")]);
        params.ignore(&["Placement"]);
        let refusal = params.finish().unwrap_err();
        assert!(refusal.message.contains("PlacementX"), "{refusal:?}");
    }
}
