//! The name service that the network configuration gives pods, for the result alone: the runtime writes the
//! pod's `resolv.conf`.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

const LISTS: [&str; 3] = ["nameservers", "search", "options"];

/// The section `dns` as it is given, if its keys have the types of the specification.
pub(crate) fn dns(value: Option<&Value>) -> Result<Map<String, Value>> {
    let Some(value) = value else {
        return Ok(Map::new());
    };
    let Value::Object(dns) = value else {
        let remedy = "write it as in {\"nameservers\": [\"10.96.0.10\"]}";
        return Err(Error::config(
            "dns",
            &format!("{value} is no object"),
            remedy,
        ));
    };
    for (key, value) in dns {
        let (valid, remedy) = if LISTS.contains(&key.as_str()) {
            let list = value.as_array();
            let valid = list.is_some_and(|list| list.iter().all(Value::is_string));
            (valid, "give a list of strings")
        } else {
            (key != "domain" || value.is_string(), "give a string")
        };
        if !valid {
            let fault = format!("{value} is invalid");
            return Err(Error::config(&format!("dns.{key}"), &fault, remedy));
        }
    }
    Ok(dns.clone())
}
