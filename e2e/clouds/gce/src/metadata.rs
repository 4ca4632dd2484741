//! The [metadata server](https://docs.cloud.google.com/compute/docs/metadata/predefined-metadata-keys) of
//! an instance: project, zone, network and tokens of its service account.

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use signpost_emulator::{Arrival, Response};

use crate::core::{Core, State};

const ROOT: &str = "/computeMetadata/v1";

/// Answers one request. Without `Metadata-Flavor: Google` it is refused, as it is if it was forwarded.
pub(crate) fn answer(core: &Core, arrival: &Arrival) -> Response {
    // Clients ask for this to find out whether there is a metadata server at all.
    if arrival.path == "/" {
        return plain(StatusCode::OK, "computeMetadata/\n".to_owned(), "text");
    }
    if arrival.header("metadata-flavor") != "Google"
        || arrival.headers.contains_key("x-forwarded-for")
    {
        return plain(StatusCode::FORBIDDEN, String::new(), "html");
    }
    let Some(path) = arrival.path.strip_prefix(ROOT) else {
        return plain(StatusCode::NOT_FOUND, String::new(), "html");
    };
    let recursive = form_urlencoded::parse(arrival.query.as_bytes())
        .any(|(name, value)| name == "recursive" && value.eq_ignore_ascii_case("true"));
    core.with(|state| {
        let path = path.trim_matches('/');
        // A token is given only to who asks for it by name.
        if path.ends_with("/token") && is_account(state, path.trim_end_matches("/token")) {
            let (token, seconds) = state.tokens.token();
            let body =
                json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"});
            return plain(StatusCode::OK, body.to_string(), "json");
        }
        let tree = tree(state);
        let found = path
            .split('/')
            .filter(|part| !part.is_empty())
            .try_fold(&tree, |at, part| match at {
                Value::Array(list) => list.get(part.parse::<usize>().ok()?),
                at => at.get(part),
            });
        match found {
            None => plain(StatusCode::NOT_FOUND, String::new(), "html"),
            Some(value) if recursive => plain(StatusCode::OK, camel(value).to_string(), "json"),
            Some(value) => plain(StatusCode::OK, text(value), "text"),
        }
    })
}

fn is_account(state: &State, path: &str) -> bool {
    let email = &state.tokens.identity.email;
    let name = path.strip_prefix("instance/service-accounts/");
    name.is_some_and(|name| name == "default" || name == email)
}

fn plain(status: StatusCode, body: String, kind: &str) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = match kind {
        "json" => "application/json",
        "html" => "text/html; charset=UTF-8",
        _ => "application/text",
    };
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        hyper::header::HeaderValue::from_static(kind),
    );
    headers.insert(
        "metadata-flavor",
        hyper::header::HeaderValue::from_static("Google"),
    );
    response
}

/// A value as a text: a folder's members, or a list's.
fn text(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let lines = members.iter().map(|(name, member)| match member {
                Value::Object(_) | Value::Array(_) => format!("{name}/\n"),
                _ => format!("{name}\n"),
            });
            lines.collect()
        }
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let lines = list.iter().filter_map(Value::as_str);
            lines
                .flat_map(|line| {
                    [
                        line, "
",
                    ]
                })
                .collect()
        }
        Value::Array(list) => {
            let lines = (0..list.len()).map(|index| {
                index.to_string()
                    + "/
"
            });
            lines.collect()
        }
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Members as they are called in recursive answers: `project-id` is `projectId`.
fn camel(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let renamed = members.iter().map(|(name, member)| {
                let mut parts = name.split('-');
                let mut name = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    let (first, rest) = part.split_at(1.min(part.len()));
                    name.push_str(&first.to_uppercase());
                    name.push_str(rest);
                }
                (name, camel(member))
            });
            Value::Object(renamed.collect())
        }
        Value::Array(list) => list.iter().map(camel).collect(),
        value => value.clone(),
    }
}

/// Everything that is served.
fn tree(state: &State) -> Value {
    let world = &state.world;
    let identity = &state.tokens.identity;
    let project = &identity.project;
    let number = world.projects.get(project).copied().unwrap_or_default();
    let account = json!({
        "aliases": ["default"],
        "email": identity.email,
        "scopes": identity.scopes,
    });
    let mut accounts = Map::new();
    accounts.insert("default".to_owned(), account.clone());
    accounts.insert(identity.email.clone(), account);
    let mut instance = json!({"service-accounts": accounts});
    if !identity.zone.is_empty() {
        let name = &identity.instance;
        instance["name"] = name.as_str().into();
        instance["zone"] = format!("projects/{number}/zones/{}", identity.zone).into();
        instance["hostname"] = format!("{name}.{}.c.{project}.internal", identity.zone).into();
        let path = format!(
            "projects/{project}/zones/{}/instances/{name}",
            identity.zone
        );
        let found = world.get(&path);
        instance["id"] = found.map_or(json!("0"), |found| found["id"].clone());
        let interfaces = found.and_then(|found| found["networkInterfaces"].as_array());
        let interfaces = interfaces.into_iter().flatten().map(|interface| {
            let network = interface["network"].as_str().unwrap_or_default();
            let of = crate::links::project(network);
            let of = world.projects.get(of).copied().unwrap_or_default();
            let name = crate::links::name(network);
            json!({
                "ip": interface["networkIP"],
                "network": format!("projects/{of}/networks/{name}"),
            })
        });
        instance["network-interfaces"] = interfaces.collect();
    }
    json!({
        "instance": instance,
        "project": {"project-id": project, "numeric-project-id": number},
        "universe": {"universe-domain": "googleapis.com"},
    })
}
