//! Changes of settings, as JSON.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A checked number of seconds; what is no duration counts as none.
pub fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}

/// Says which of these numbers of seconds, named, is no duration, if one is not.
///
/// # Errors
///
/// If one is negative or beyond all bounds.
pub fn check_durations<const N: usize>(durations: [(&str, f64); N]) -> Result<(), String> {
    for (name, seconds) in durations {
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| format!("{name} {seconds}: {error}"))?;
    }
    Ok(())
}

/// Settings with some replaced by those of a JSON object of the same form; members named
/// `whole` are maps that are replaced as they are.
///
/// # Errors
///
/// If the object has members that are not settings, or of another kind.
pub fn changed<S>(settings: &S, change: &Value, whole: &[&str]) -> Result<S, String>
where
    S: Serialize + DeserializeOwned,
{
    let mut all = serde_json::to_value(settings).map_err(|error| error.to_string())?;
    merge(&mut all, change, whole);
    serde_json::from_value(all).map_err(|error| error.to_string())
}

/// What `merged` makes of the JSON in a file.
///
/// # Errors
///
/// Names the file that cannot be read, is no JSON or is refused.
pub fn from_file<S>(
    path: &Path,
    merged: impl FnOnce(&Value) -> Result<S, String>,
) -> Result<S, String> {
    let in_file = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read(path).map_err(|error| in_file(error.to_string()))?;
    let change = serde_json::from_slice(&text).map_err(|error| in_file(error.to_string()))?;
    merged(&change).map_err(in_file)
}

/// Replaces members by those of `change`, objects by what both have. Members named `whole` are maps that
/// are replaced as they are.
fn merge(into: &mut Value, change: &Value, whole: &[&str]) {
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
