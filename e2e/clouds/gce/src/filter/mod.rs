//! Filters of lists. There are two languages, which cannot be mixed in one filter; both are described
//! at the parameter `filter` of every list in the discovery document.

use serde_json::Value;

use crate::error::Refusal;

mod aip;
mod expressions;

use expressions::Reading;

/// A filter that was understood.
#[derive(Debug)]
pub(crate) enum Filter {
    /// Everything passes.
    None,
    /// Regular expressions with `eq` and `ne`.
    Expressions(Vec<expressions::Term>),
    /// What AIP-160 describes.
    Aip(aip::Node),
}

impl Filter {
    /// Reads a filter of resources that have these fields.
    pub(crate) fn read(text: &str, fields: &[&str]) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self::None);
        }
        let filter = match expressions::read(text) {
            Reading::Understood(terms) => Some(Self::Expressions(terms)),
            Reading::Wrong => None,
            Reading::OfTheOther => aip::read(text).map(Self::Aip),
        };
        let filter = filter.filter(|filter| {
            let mut named = filter.fields().into_iter();
            named.all(|field| {
                let top = field.split('.').next().unwrap_or_default();
                fields.contains(&top)
            })
        });
        filter.ok_or_else(|| Refusal::invalid("filter", text, "Invalid list filter expression."))
    }

    fn fields(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Expressions(terms) => terms.iter().map(expressions::Term::field).collect(),
            Self::Aip(node) => node.fields(),
        }
    }

    /// Whether a resource passes, as it is shown.
    pub(crate) fn passes(&self, resource: &Value) -> bool {
        match self {
            Self::None => true,
            Self::Expressions(terms) => terms.iter().all(|term| term.passes(resource)),
            Self::Aip(node) => node.passes(resource),
        }
    }
}

/// The values of a field such as `networkInterfaces.network`: of lists, those of all members.
fn values<'v>(value: &'v Value, field: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for part in field.split('.') {
        let mut next = Vec::new();
        for value in found {
            match value {
                Value::Array(list) => next.extend(list.iter().filter_map(|of| of.get(part))),
                value => next.extend(value.get(part)),
            }
        }
        found = next;
    }
    let mut flat = Vec::new();
    for value in found {
        match value {
            Value::Array(list) => flat.extend(list),
            value => flat.push(value),
        }
    }
    flat
}

/// A value as a text; nothing if it is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: [&str; 9] = [
        "name",
        "network",
        "description",
        "status",
        "priority",
        "tags",
        "labels",
        "items",
        "flag",
    ];

    fn passes(filter: &str) -> Option<bool> {
        let route = json!({
            "name": "cluster-a-1",
            "network": "http://127.0.0.1/compute/v1/projects/p/global/networks/net",
            "description": "k8s-node-route",
            "status": "DONE",
            "priority": 1000,
            "labels": {"owner": "me"},
            "flag": true,
            "tags": ["x", "y"],
            "items": [{"name": "one"}, {"name": "two"}],
        });
        let filter = Filter::read(filter, &FIELDS).ok()?;
        Some(filter.passes(&route))
    }

    #[test]
    fn regular_expressions_match_whole_values() {
        for (filter, wanted) in [
            ("name eq cluster-a-.*", true),
            ("name eq cluster", false),
            ("name ne cluster", true),
            ("name eq 'cluster-a-1'", true),
            ("name eq \"cluster-.-1\"", true),
            // The incumbent route controller.
            (
                "(name eq cluster-a-.*) (network eq http://127.0.0.1/compute/v1/projects/p/global/networks/net) (description eq k8s-node-route)",
                true,
            ),
            (
                "(name eq cluster-b-.*) (description eq k8s-node-route)",
                false,
            ),
            // gcloud.
            ("network eq \".*\\bnet\\b.*\"", true),
            ("(name eq \".*(^cluster-a-1$).*\")(priority eq 1000)", true),
            ("name eq \".*(^r).*\"", false),
            ("name eq \"(one|cluster-a-1)\"", true),
            ("nothing eq x", true),
        ] {
            let expected = (!filter.starts_with("nothing")).then_some(wanted);
            assert_eq!(passes(filter), expected, "{filter}");
        }
    }

    #[test]
    fn the_other_language_compares() {
        for (filter, wanted) in [
            ("name = cluster-a-1", true),
            ("name=\"cluster-a-1\"", true),
            ("name = cluster", false),
            ("name != cluster", true),
            ("name = \"cluster-*\"", true),
            ("name:cluster", true),
            ("name:other", false),
            ("status != DONE", false),
            ("priority >= 1000", true),
            ("priority<1000", false),
            ("flag = true", true),
            ("labels.owner:*", true),
            ("labels.other:*", false),
            ("tags:x", true),
            ("items.name = two", true),
            ("(name = a) (status = DONE)", false),
            ("(name = cluster-a-1) AND (status = DONE)", true),
            ("name = a OR name = cluster-a-1", true),
            // OR binds tighter than AND.
            ("(name = a) OR (status = DONE) AND (priority = 1)", false),
            ("NOT (name = a)", true),
            ("-name = a", true),
            (
                "network=\"http://127.0.0.1/compute/v1/projects/p/global/networks/net\" AND status=DONE",
                true,
            ),
        ] {
            assert_eq!(passes(filter), Some(wanted), "{filter}");
        }
    }

    #[test]
    fn nonsense_and_mixtures_are_refused() {
        for filter in [
            "name",
            "name =",
            "name eq",
            "(name = a",
            "name = a)",
            "name eq a AND status = DONE",
            "(name eq a) (status = DONE)",
            "(name eq a) OR (name eq b)",
            "name eq a(",
            "unknown = a",
            "= a",
            "name ~ a",
        ] {
            assert_eq!(passes(filter), None, "{filter}");
        }
    }
}
