//! The one call of Service Quotas that tells how many routes a table may have.
//!
//! A service of its own with another protocol (JSON 1.1), at the same address.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::model::World;

/// The code of "Routes per route table".
pub(crate) const ROUTES_PER_TABLE: &str = "L-93826ACB";

/// The action that the header `X-Amz-Target` names, if it is one of this service.
pub(crate) fn action(target: &str) -> Option<&str> {
    target.strip_prefix("ServiceQuotasV20190624.")
}

/// The members of a request's body that are texts.
pub(crate) fn parameters(body: &[u8]) -> BTreeMap<String, String> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return BTreeMap::new();
    };
    let texts = members.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    });
    texts.collect()
}

/// The answer to `GetServiceQuota`.
pub(crate) fn get(world: &World, parameters: &BTreeMap<String, String>) -> Result<String, Refusal> {
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let quotas = &world.habits.quotas;
    let (name, value) = match (parameter("ServiceCode"), parameter("QuotaCode")) {
        ("vpc", ROUTES_PER_TABLE) => ("Routes per route table", quotas.routes_per_table),
        ("vpc", "L-589F43AA") => ("Route tables per VPC", quotas.tables_per_vpc),
        ("vpc", "L-407747CB") => ("Subnets per VPC", quotas.subnets_per_vpc),
        ("vpc", "L-F678F1CE") => ("VPCs per Region", quotas.vpcs),
        _ => {
            let why = "The request failed because the specified quota does not exist.";
            return Err(Refusal::client("NoSuchResourceException", why));
        }
    };
    // A number with a fraction, as the service itself writes it.
    let value = u32::try_from(value).map_or(f64::MAX, f64::from);
    let code = parameter("QuotaCode");
    let arn = format!(
        "arn:{}:servicequotas:{}:{}:vpc/{code}",
        world.partition(),
        world.region,
        world.caller
    );
    let quota = json!({
        "ServiceCode": "vpc",
        "ServiceName": "Amazon Virtual Private Cloud (Amazon VPC)",
        "QuotaArn": arn,
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": true,
        "GlobalQuota": false,
    });
    Ok(json!({"Quota": quota}).to_string())
}

/// A refusal with the codes of this service.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    let code = match refusal.status {
        StatusCode::SERVICE_UNAVAILABLE => "TooManyRequestsException",
        StatusCode::FORBIDDEN => "AccessDeniedException",
        StatusCode::INTERNAL_SERVER_ERROR => "ServiceException",
        _ if refusal.code == "RequestExpired" => "ExpiredTokenException",
        _ => &refusal.code,
    };
    json!({"__type": code, "Message": refusal.message}).to_string()
}
