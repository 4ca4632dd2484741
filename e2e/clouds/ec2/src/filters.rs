//! Filters of describing actions: unknown ones are refused, known ones compared with wildcards.

use crate::error::Refusal;
use crate::protocol::Params;

/// The filters of one request. All must match; of each, one value must.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads `Filter.N.Name` and `Filter.N.Value.M`. With `tags`, `tag:KEY` and `tag-key` are known too.
    pub(crate) fn read(
        params: &mut Params,
        known: &[&str],
        tags: bool,
        limit: usize,
    ) -> Result<Self, Refusal> {
        let mut filters = Vec::new();
        for member in params.members("Filter") {
            let name = params.required(&format!("{member}.Name"))?;
            let values = params.list(&format!("{member}.Value"));
            let tag = tags && (name.starts_with("tag:") || name == "tag-key");
            if !tag && !known.contains(&name.as_str()) {
                let why = format!("The filter '{name}' is invalid");
                return Err(Refusal::client("InvalidParameterValue", why));
            }
            if values.is_empty() {
                let why = format!("The filter '{name}' has no values");
                return Err(Refusal::client("InvalidParameterValue", why));
            }
            filters.push((name, values));
        }
        if filters
            .iter()
            .map(|(_, values)| values.len())
            .sum::<usize>()
            > limit
        {
            let why = format!(
                "The maximum number of filter values specified on a single call is {limit}"
            );
            return Err(Refusal::client("FilterLimitExceeded", why));
        }
        Ok(Self(filters))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a resource passes; `values` gives what it has for a filter's name.
    pub(crate) fn pass(
        &self,
        tags: &[(String, String)],
        values: impl Fn(&str) -> Vec<String>,
    ) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let has = if let Some(key) = name.strip_prefix("tag:") {
                let with_key = tags.iter().filter(|(of, _)| of == key);
                with_key.map(|(_, value)| value.clone()).collect()
            } else if name == "tag-key" {
                tags.iter().map(|(key, _)| key.clone()).collect()
            } else {
                values(name)
            };
            has.iter()
                .any(|value| patterns.iter().any(|pattern| matches(pattern, value)))
        })
    }

    /// A number that differs between different filters, to bind page tokens to them.
    pub(crate) fn fingerprint(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }
}

/// Compares with `*` for any text and `?` for any letter; `\` takes a wildcard's meaning away.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // reached[i]: the pattern so far matches the first i letters.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut letters = pattern.iter().copied();
    while let Some(letter) = letters.next() {
        if letter == '*' {
            let first = reached.iter().position(|&is| is).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        let literal = if letter == '\\' {
            letters.next().unwrap_or('\\')
        } else {
            letter
        };
        for i in (1..reached.len()).rev() {
            reached[i] = reached[i - 1] && (letter == '?' || text[i - 1] == literal);
        }
        reached[0] = false;
    }
    reached[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_documented() {
        for (pattern, text, expected) in [
            ("10.0.0.0/16", "10.0.0.0/16", true),
            ("10.*", "10.0.0.0/16", true),
            ("10.?.0.0/16", "10.0.0.0/16", true),
            ("*", "", true),
            ("?", "", false),
            ("*a*", "bab", true),
            ("a", "A", false),
            ("\\*a", "*a", true),
            ("\\*a", "ba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
