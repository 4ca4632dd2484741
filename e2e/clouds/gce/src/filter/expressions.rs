//! The language of regular expressions: `name eq cluster-.*`, or several such terms in parentheses, all
//! of which have to hold.

use regex::Regex;
use serde_json::Value;

use super::{text, values};

/// One comparison.
#[derive(Debug)]
pub(crate) struct Term {
    field: String,
    negated: bool,
    pattern: Regex,
}

/// What a filter is to this language.
pub(super) enum Reading {
    Understood(Vec<Term>),
    Wrong,
    OfTheOther,
}

/// Reads a filter if it is one of this language.
pub(super) fn read(filter: &str) -> Reading {
    match ours(filter) {
        Some(terms) => terms.map_or(Reading::Wrong, Reading::Understood),
        None => Reading::OfTheOther,
    }
}

#[expect(clippy::option_option, reason = "not ours, wrong, or understood")]
fn ours(filter: &str) -> Option<Option<Vec<Term>>> {
    let filter = filter.trim();
    if let Some((_, _, literal)) = words(filter) {
        // Words of the other language would be part of the literal.
        let mixed = [" AND ", " OR "].iter().any(|word| literal.contains(word));
        return Some(term(filter).filter(|_| !mixed).map(|term| vec![term]));
    }
    if !filter.starts_with('(') {
        return None;
    }
    let groups = groups(filter)?;
    let count = groups.iter().filter(|group| words(group).is_some()).count();
    if count == 0 {
        return None;
    }
    let whole = count == groups.len();
    let terms = groups.into_iter().map(term).collect::<Option<Vec<_>>>();
    Some(terms.filter(|_| whole))
}

/// Field, operator and literal.
fn words(term: &str) -> Option<(&str, &str, &str)> {
    let (field, rest) = term.trim().split_once(' ')?;
    let rest = rest.trim_start();
    let (operator, literal) = rest.split_once(' ').unwrap_or((rest, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
    let known = matches!(operator, "eq" | "ne") && field.bytes().all(plain);
    known.then_some((field, operator, literal.trim()))
}

fn term(text: &str) -> Option<Term> {
    let (field, operator, literal) = words(text)?;
    let literal = ['"', '\'']
        .iter()
        .find_map(|quote| literal.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(literal);
    if literal.is_empty() {
        return None;
    }
    let pattern = Regex::new(&format!("^(?:{literal})$")).ok()?;
    Some(Term {
        field: field.to_owned(),
        negated: operator == "ne",
        pattern,
    })
}

/// What stands in the outer parentheses; nothing if there is something between them, or they don't
/// match. Parentheses in quotes are part of a literal.
fn groups(filter: &str) -> Option<Vec<&str>> {
    let mut groups = Vec::new();
    let (mut depth, mut start, mut quote) = (0_u32, 0, None);
    for (at, letter) in filter.char_indices() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) if depth > 0 => quote = Some(letter),
            ('(', None) => {
                if depth == 0 {
                    start = at + 1;
                }
                depth += 1;
            }
            (')', None) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    groups.push(&filter[start..at]);
                }
            }
            (letter, None) if depth == 0 && !letter.is_whitespace() => {
                // `AND` and `OR` belong to the other language. A group of this one beside them is wrong.
                let any = groups.iter().any(|group| words(group).is_some());
                return any.then(|| vec![groups[0], "mixed"]);
            }
            _ => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some(groups)
}

impl Term {
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// A field that is not there counts as an empty text (assumed).
    pub(super) fn passes(&self, resource: &Value) -> bool {
        let values = values(resource, &self.field);
        let mut texts = values.into_iter().filter_map(text).peekable();
        let matches = if texts.peek().is_none() {
            self.pattern.is_match("")
        } else {
            texts.any(|text| self.pattern.is_match(&text))
        };
        matches != self.negated
    }
}
