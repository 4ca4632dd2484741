//! Lists and their pages.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use crate::error::Refusal;
use crate::filter::Filter;
use crate::links;
use crate::request::{Request, Result};

/// Which part of a list is asked for.
#[derive(Debug)]
struct Page {
    filter: Filter,
    most: usize,
    /// The last key of the page before.
    after: Option<String>,
    /// Whether the newest come first.
    newest: bool,
    /// Binds tokens to the rest of the request.
    fingerprint: u64,
    short: bool,
}

/// The largest page, which is also the usual one (discovery document).
const MOST: usize = 500;

impl Page {
    fn read(request: &Request<'_>, collection: &str, fields: &[&str]) -> Result<Self> {
        let filter = Filter::read(request.parameter("filter"), fields)?;
        let most = match request.parameter("maxResults") {
            "" => MOST,
            text => match text.parse::<usize>() {
                // That none stands for as many as usual is assumed.
                Ok(0) => MOST,
                Ok(most) if most <= MOST => most,
                _ => {
                    let why = "Value should be between 0 and 500, inclusive.";
                    return Err(Refusal::invalid("maxResults", text, why));
                }
            },
        };
        let newest = match request.parameter("orderBy") {
            "" | "name" => false,
            "creationTimestamp desc" => true,
            text => {
                let why = "Only sorting by name or creationTimestamp desc is supported.";
                return Err(Refusal::invalid("orderBy", text, why));
            }
        };
        let mut hasher = DefaultHasher::new();
        (collection, request.parameter("filter"), newest).hash(&mut hasher);
        let fingerprint = hasher.finish();
        let after = match request.parameter("pageToken") {
            "" => None,
            text => {
                let token = decode(text);
                let parts = token.as_deref().and_then(|token| token.split_once(' '));
                match parts {
                    Some((of, key)) if of == format!("{fingerprint:016x}") => Some(key.to_owned()),
                    _ => {
                        let why = "The token does not belong to this request.";
                        return Err(Refusal::invalid("pageToken", text, why));
                    }
                }
            }
        };
        Ok(Self {
            filter,
            most,
            after,
            newest,
            fingerprint,
            short: request.world.settings.short_pages,
        })
    }

    /// Cuts the page out of what there is, ordered by its keys.
    fn cut(
        &self,
        mut all: Vec<(String, Value)>,
        base: &str,
    ) -> (Vec<(String, Value)>, Option<String>) {
        if self.newest {
            let dated = all.into_iter().map(|(key, value)| {
                let date = value["creationTimestamp"].as_str();
                let date = date.or(value["insertTime"].as_str()).unwrap_or_default();
                (format!("{date} {key}"), value)
            });
            all = dated.collect();
            all.sort_by(|(one, _), (other, _)| other.cmp(one));
        }
        let beyond = |key: &String| {
            self.after.as_ref().is_none_or(|after| {
                if self.newest {
                    key < after
                } else {
                    key > after
                }
            })
        };
        if self.short && self.after.is_none() && !all.is_empty() {
            let before = if self.newest { "~" } else { " " };
            return (Vec::new(), Some(self.token(before)));
        }
        let most = if self.short {
            (self.most / 2).max(1)
        } else {
            self.most
        };
        let mut rest = all.into_iter().filter_map(|(key, mut value)| {
            links::render(&mut value, base);
            (beyond(&key) && self.filter.passes(&value)).then_some((key, value))
        });
        let page: Vec<_> = rest.by_ref().take(most).collect();
        let more = rest.next().is_some();
        let token = page.last().filter(|_| more).map(|(key, _)| self.token(key));
        (page, token)
    }

    fn token(&self, key: &str) -> String {
        encode(&format!("{:016x} {key}", self.fingerprint))
    }
}

fn encode(text: &str) -> String {
    let digit = |bits: u8| char::from_digit(bits.into(), 16).unwrap_or('0');
    text.bytes()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let digits = text.is_ascii().then_some(text)?;
    let bytes = (0..digits.len()).step_by(2);
    let bytes = bytes.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// The list of a collection, such as `projects/p/global/routes`, out of all that is in it.
pub(crate) fn list(
    request: &Request<'_>,
    kind: &str,
    collection: &str,
    fields: &[&str],
    all: Vec<(String, Value)>,
) -> Result<Value> {
    let page = Page::read(request, collection, fields)?;
    let (items, token) = page.cut(all, request.base);
    let mut list = json!({
        "kind": format!("compute#{kind}List"),
        "id": collection,
        "selfLink": collection,
    });
    // A list without members has no `items`: what Google's answers look like.
    if !items.is_empty() {
        list["items"] = items.into_iter().map(|(_, value)| value).collect();
    }
    if let Some(token) = token {
        list["nextPageToken"] = token.into();
    }
    Ok(list)
}

/// A list over scopes, such as `zones/us-central1-a`: those in `scopes`, and those that the items are in.
pub(crate) fn aggregated(
    request: &Request<'_>,
    (kind, plural): (&str, &str),
    scopes: Vec<String>,
    fields: &[&str],
    all: Vec<(String, Value)>,
) -> Result<Value> {
    let collection = format!("projects/{}/aggregated/{plural}", request.project);
    let page = Page::read(request, &collection, fields)?;
    let (found, token) = page.cut(all, request.base);
    let mut items: BTreeMap<String, Vec<Value>> = scopes
        .into_iter()
        .map(|scope| (scope, Vec::new()))
        .collect();
    for (_, value) in found {
        let link = value["selfLink"].as_str().unwrap_or_default();
        let path = links::path("", "", link).unwrap_or_default();
        items.entry(links::scope(&path)).or_default().push(value);
    }
    let members = items.into_iter().map(|(scope, values)| {
        let member = if values.is_empty() {
            json!({"warning": {
                "code": "NO_RESULTS_ON_PAGE",
                "message": format!("There are no results for scope '{scope}' on this page."),
                "data": [{"key": "scope", "value": scope}],
            }})
        } else {
            json!({ plural: values })
        };
        (scope, member)
    });
    let mut list = json!({
        "kind": format!("compute#{kind}AggregatedList"),
        "id": collection,
        "selfLink": collection,
        "items": members.collect::<serde_json::Map<_, _>>(),
    });
    if let Some(token) = token {
        list["nextPageToken"] = token.into();
    }
    Ok(list)
}
