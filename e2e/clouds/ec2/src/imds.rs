//! The instance metadata service, version 2: region, zone, network and a role's credentials.

use std::time::Duration;

use hyper::{HeaderMap, Method, Response, StatusCode};
use serde_json::json;

use crate::core::{Core, State};
use crate::model::{Instance, Interface};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const LIFETIME: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Answers one request; every one but that for a token needs a token.
pub(crate) fn answer(
    core: &Core,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Response<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if path == "/latest/api/token" {
        if method != Method::PUT {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        // A forwarded request did not come from the instance.
        if headers.contains_key("x-forwarded-for") {
            return plain(StatusCode::FORBIDDEN, "");
        }
        let lifetime = header(LIFETIME).and_then(|value| value.parse::<u64>().ok());
        let Some(lifetime) = lifetime.filter(|seconds| (1..=21_600).contains(seconds)) else {
            return plain(StatusCode::BAD_REQUEST, "");
        };
        let session = Duration::from_secs(lifetime);
        let token = core.with(|state| state.metadata.session(session));
        let mut response = plain(StatusCode::OK, token);
        response.headers_mut().insert(LIFETIME, lifetime.into());
        return response;
    }
    if method != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    core.with(|state| {
        if !header(TOKEN).is_some_and(|token| state.metadata.is_session(token)) {
            return plain(StatusCode::UNAUTHORIZED, "");
        }
        match value(state, path) {
            Some(value) => plain(StatusCode::OK, value),
            None => plain(StatusCode::NOT_FOUND, ""),
        }
    })
}

fn plain(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        "content-type",
        hyper::header::HeaderValue::from_static("text/plain"),
    );
    response
}

fn value(state: &mut State, path: &str) -> Option<String> {
    let world = &state.world;
    let id = state.metadata.identity.instance.clone();
    let instance = id.as_ref().and_then(|id| world.instances.get(id)).cloned();
    if path == "/latest/dynamic/instance-identity/document" {
        return document(state, id.as_deref(), instance.as_ref());
    }
    let path = path
        .strip_prefix("/latest/meta-data/")?
        .trim_end_matches('/');
    let interfaces: Vec<Interface> = instance
        .iter()
        .flat_map(|instance| &instance.interfaces)
        .filter_map(|id| world.interfaces.get(id).cloned())
        .collect();
    let zone = || {
        instance
            .as_ref()
            .map_or_else(|| world.zones().swap_remove(0), |of| of.zone.clone())
    };
    if let Some(rest) = path.strip_prefix("network/interfaces/macs") {
        let mut parts = rest.trim_start_matches('/').splitn(2, '/');
        return match (parts.next().filter(|mac| !mac.is_empty()), parts.next()) {
            (None, _) => {
                let macs: Vec<String> =
                    interfaces.iter().map(|of| format!("{}/", of.mac)).collect();
                (!macs.is_empty()).then(|| macs.join("\n"))
            }
            (Some(mac), field) => {
                let interface = interfaces.iter().find(|of| of.mac == mac)?;
                network(state, interface, field.unwrap_or(""))
            }
        };
    }
    match path {
        "instance-id" => id.filter(|_| instance.is_some()),
        "instance-type" => Some(instance?.machine),
        "ami-id" => Some(instance?.image),
        "placement/region" => Some(world.region.clone()),
        "placement/availability-zone" => Some(zone()),
        "mac" => Some(interfaces.first()?.mac.clone()),
        "local-ipv4" => Some(interfaces.first()?.addresses.first()?.to_string()),
        "ipv6" => Some(interfaces.first()?.ipv6.first()?.to_string()),
        "iam/security-credentials" => instance?.profile,
        "iam/info" => {
            let Instance { owner, profile, .. } = instance?;
            let arn = format!(
                "arn:{}:iam::{owner}:instance-profile/{}",
                world.partition(),
                profile?
            );
            Some(json!({"Code": "Success", "InstanceProfileArn": arn}).to_string())
        }
        _ => {
            let role = path.strip_prefix("iam/security-credentials/")?;
            (instance?.profile? == role).then(|| credentials(state, role))
        }
    }
}

fn network(state: &State, interface: &Interface, field: &str) -> Option<String> {
    let lines = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join("\n"));
    let subnet = state.world.subnets.get(&interface.subnet);
    let vpc = state.world.vpcs.get(&interface.vpc);
    let attachment = interface.attachment.as_ref();
    match field {
        "" => Some("device-number\ninterface-id\nlocal-ipv4s\nmac\nowner-id\nsubnet-id\nsubnet-ipv4-cidr-block\nvpc-id\nvpc-ipv4-cidr-block\nvpc-ipv4-cidr-blocks\nvpc-ipv6-cidr-blocks".to_owned()),
        "vpc-id" => Some(interface.vpc.clone()),
        "subnet-id" => Some(interface.subnet.clone()),
        "mac" => Some(interface.mac.clone()),
        "owner-id" => Some(interface.owner.clone()),
        "device-number" => Some(attachment?.device_index.to_string()),
        "interface-id" => {
            let instance = state.world.instances.get(&attachment?.instance)?;
            let is = |id: &&String| {
                state.world.interfaces.get(*id).is_some_and(|of| of.mac == interface.mac)
            };
            instance.interfaces.iter().find(is).cloned()
        }
        "local-ipv4s" => lines(interface.addresses.iter().map(ToString::to_string).collect()),
        "ipv6s" => lines(interface.ipv6.iter().map(ToString::to_string).collect()),
        "subnet-ipv4-cidr-block" => Some(subnet?.cidr.to_string()),
        "vpc-ipv4-cidr-block" => Some(vpc?.blocks.first()?.net.to_string()),
        "vpc-ipv4-cidr-blocks" | "vpc-ipv6-cidr-blocks" => {
            let ipv4 = field == "vpc-ipv4-cidr-blocks";
            let nets = vpc?.blocks.iter().map(|block| block.net);
            let nets = nets.filter(|net| matches!(net, ipnet::IpNet::V4(_)) == ipv4);
            lines(nets.map(|net| net.to_string()).collect())
        }
        _ => None,
    }
}

fn credentials(state: &mut State, role: &str) -> String {
    let credentials = state.metadata.credentials(role);
    let date = |time: jiff::Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "Code": "Success",
        "LastUpdated": date(credentials.issued),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret,
        "Token": credentials.token,
        "Expiration": date(credentials.expires),
    })
    .to_string()
}

fn document(state: &State, id: Option<&str>, instance: Option<&Instance>) -> Option<String> {
    let world = &state.world;
    let instance = instance?;
    let primary = instance
        .interfaces
        .first()
        .and_then(|id| world.interfaces.get(id));
    let address = primary
        .and_then(|of| of.addresses.first())
        .map(ToString::to_string);
    Some(
        json!({
            "accountId": instance.owner,
            "architecture": "x86_64",
            "availabilityZone": instance.zone,
            "imageId": instance.image,
            "instanceId": id,
            "instanceType": instance.machine,
            "privateIp": address,
            "region": world.region,
            "version": "2017-09-30",
        })
        .to_string(),
    )
}
