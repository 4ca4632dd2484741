//! Changes of settings, as JSON.

use std::time::Duration;

use serde_json::Value;

/// A checked number of seconds; what is no duration counts as none.
pub fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}

/// Replaces members by those of `change`, objects by what both have. Members named `whole` are maps that
/// are replaced as they are.
pub fn merge(into: &mut Value, change: &Value, whole: &[&str]) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                if whole.contains(&name.as_str()) {
                    into.insert(name.clone(), value.clone());
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value, whole);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_merged_and_maps_replaced() {
        let mut all = json!({"a": 1, "b": {"c": 2, "d": 3}, "map": {"x": 1}});
        merge(&mut all, &json!({"b": {"c": 4}, "map": {"y": 2}}), &["map"]);
        assert_eq!(all, json!({"a": 1, "b": {"c": 4, "d": 3}, "map": {"y": 2}}));
    }
}
