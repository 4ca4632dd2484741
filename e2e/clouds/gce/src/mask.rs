//! Partial answers: the parameter `fields`, such as `items(name,tags/items),nextPageToken`.

use serde_json::{Map, Value};

/// Leaves of a value only what a mask names. A mask that is not understood leaves everything (assumed;
/// Google refuses it).
pub(crate) fn apply(mask: &str, value: Value) -> Value {
    match read(&mut mask.chars().peekable()) {
        Some(fields) => select(&fields, &value).unwrap_or(Value::Object(Map::new())),
        None => value,
    }
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

#[derive(Debug)]
struct Field {
    name: String,
    /// What is wanted of it; everything if empty.
    below: Vec<Field>,
}

fn read(letters: &mut Letters<'_>) -> Option<Vec<Field>> {
    let mut fields = vec![field(letters)?];
    while letters.next_if_eq(&',').is_some() {
        fields.push(field(letters)?);
    }
    Some(fields)
}

fn field(letters: &mut Letters<'_>) -> Option<Field> {
    let mut name = String::new();
    while let Some(letter) = letters.next_if(|letter| !matches!(letter, ',' | '(' | ')' | '/')) {
        name.push(letter);
    }
    let below = if letters.next_if_eq(&'/').is_some() {
        vec![field(letters)?]
    } else if letters.next_if_eq(&'(').is_some() {
        let below = read(letters)?;
        letters.next_if_eq(&')')?;
        below
    } else {
        Vec::new()
    };
    (!name.is_empty()).then_some(Field { name, below })
}

fn select(fields: &[Field], value: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => {
            let list = list.iter().filter_map(|value| select(fields, value));
            Some(Value::Array(list.collect()))
        }
        Value::Object(members) => {
            let mut left = Map::new();
            for (name, member) in members {
                let wanted = fields.iter().find(|of| of.name == *name || of.name == "*");
                let member = match wanted {
                    None => None,
                    Some(field) if field.below.is_empty() => Some(member.clone()),
                    Some(field) => select(&field.below, member),
                };
                if let Some(member) = member {
                    left.insert(name.clone(), member);
                }
            }
            Some(Value::Object(left))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mask_leaves_what_it_names() {
        let value = json!({
            "kind": "k",
            "nextPageToken": "t",
            "items": [{"name": "a", "id": "1", "tags": {"items": ["x"], "fingerprint": "f"}}],
        });
        let masked = apply("items(name,tags/items),nextPageToken", value.clone());
        let wanted =
            json!({"items": [{"name": "a", "tags": {"items": ["x"]}}], "nextPageToken": "t"});
        assert_eq!(masked, wanted);
        assert_eq!(
            apply("items/name", value.clone()),
            json!({"items": [{"name": "a"}]})
        );
        assert_eq!(apply("*", value.clone()), value);
    }
}
