//! The result of ADD in the formats of the specification's versions.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::version::Version;

/// The result of a chain of plugins. Fields that this plugin does not know are passed on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CniResult {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) interfaces: Vec<Interface>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ips: Vec<Ip>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<Route>,
    #[serde(default)]
    pub(crate) dns: Map<String, Value>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// An interface; those with a sandbox are in the pod, the others on the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) mac: String,
    /// Since 1.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mtu: Option<u32>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) sandbox: String,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ip {
    /// `4` or `6`; demanded before 1.0.0, gone since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Position of its interface in the list of interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<usize>,
    pub(crate) address: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<IpAddr>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// A route in the pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) dst: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gw: Option<IpAddr>,
    /// Fields of a route made here that came with 1.1.0.
    #[serde(skip)]
    pub(crate) newer: Map<String, Value>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

impl CniResult {
    /// Reads a previous result, of whichever version: fields that came or went are optional here.
    pub(crate) fn parse(value: &Value) -> serde_json::Result<Self> {
        let mut result: Self = serde_json::from_value(value.clone())?;
        result.rest.remove("cniVersion");
        Ok(result)
    }

    /// This result after those of the plugins before it in the chain.
    pub(crate) fn after(mut self, previous: Option<CniResult>) -> Self {
        let Some(mut merged) = previous else {
            return self;
        };
        let offset = merged.interfaces.len();
        for ip in &mut self.ips {
            ip.interface = ip.interface.map(|position| position + offset);
        }
        merged.interfaces.extend(self.interfaces);
        merged.ips.extend(self.ips);
        merged.routes.extend(self.routes);
        if merged.dns.is_empty() {
            merged.dns = self.dns;
        }
        merged
    }

    /// The result in the format of `version`.
    pub(crate) fn to_json(&self, version: Version) -> Value {
        let mut result = self.clone();
        for ip in &mut result.ips {
            let family = if ip.address.addr().is_ipv4() {
                "4"
            } else {
                "6"
            };
            ip.version = (version < Version::V1_0_0).then(|| family.to_owned());
        }
        if version < Version::V1_1_0 {
            for interface in &mut result.interfaces {
                interface.mtu = None;
            }
            // Without its table it would be taken for one that all packets follow.
            result
                .routes
                .retain(|route| !route.newer.contains_key("table"));
        } else {
            for route in &mut result.routes {
                route.rest.append(&mut route.newer);
            }
        }
        result
            .rest
            .insert("cniVersion".into(), Value::from(version.as_str()));
        serde_json::to_value(&result).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result() -> CniResult {
        let interface = |name: &str, mac: &str, sandbox: &str| Interface {
            name: name.into(),
            mac: mac.into(),
            mtu: Some(1500),
            sandbox: sandbox.into(),
            ..Interface::default()
        };
        let ip = |address: &str, gateway: &str| Ip {
            version: None,
            interface: Some(1),
            address: address.parse().unwrap(),
            gateway: gateway.parse().ok(),
            rest: Map::new(),
        };
        CniResult {
            interfaces: vec![
                interface("sgnx", "02:00:00:00:00:01", ""),
                interface("eth0", "02:00:00:00:00:02", "/run/netns/x"),
            ],
            ips: vec![
                ip("10.244.1.5/32", "169.254.1.1"),
                ip("fd00::5/128", "fe80::1"),
            ],
            routes: vec![Route {
                dst: "0.0.0.0/0".parse().unwrap(),
                gw: "169.254.1.1".parse().ok(),
                newer: Map::new(),
                rest: Map::new(),
            }],
            ..CniResult::default()
        }
    }

    #[test]
    fn result_before_1_0_0_tells_the_family_of_addresses() {
        for version in [Version::V0_3_0, Version::V0_3_1, Version::V0_4_0] {
            assert_eq!(
                result().to_json(version),
                json!({
                    "cniVersion": version.as_str(),
                    "interfaces": [
                        {"name": "sgnx", "mac": "02:00:00:00:00:01"},
                        {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x"},
                    ],
                    "ips": [
                        {"version": "4", "interface": 1, "address": "10.244.1.5/32", "gateway": "169.254.1.1"},
                        {"version": "6", "interface": 1, "address": "fd00::5/128", "gateway": "fe80::1"},
                    ],
                    "routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}],
                    "dns": {},
                })
            );
        }
    }

    #[test]
    fn result_of_1_0_0_drops_the_family() {
        let json = result().to_json(Version::V1_0_0);
        assert_eq!(
            json["ips"][0],
            json!({"interface": 1, "address": "10.244.1.5/32", "gateway": "169.254.1.1"})
        );
        assert_eq!(json["interfaces"][0].get("mtu"), None);
        assert_eq!(json["cniVersion"], "1.0.0");
    }

    #[test]
    fn result_of_1_1_0_has_the_mtu_of_interfaces() {
        let json = result().to_json(Version::V1_1_0);
        assert_eq!(json["interfaces"][1]["mtu"], 1500);
        assert_eq!(json["ips"][0].get("version"), None);
    }

    /// The example of the specification's section on ADD, version 1.1.0.
    #[test]
    fn result_of_the_specification_survives_reading_and_writing() {
        let example = json!({
            "cniVersion": "1.1.0",
            "ips": [{"address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 2}],
            "routes": [{"dst": "0.0.0.0/0", "mtu": 1400, "table": 100, "scope": 0}],
            "interfaces": [
                {"name": "cni0", "mac": "00:11:22:33:44:55"},
                {"name": "veth3243", "mac": "55:44:33:22:11:11"},
                {
                    "name": "eth0",
                    "mac": "99:88:77:66:55:44",
                    "sandbox": "/var/run/netns/blue",
                    "socketPath": "/run/x",
                    "pciID": "0000:00:1f.6",
                },
            ],
            "dns": {"nameservers": ["10.1.0.1"]},
        });
        let read = CniResult::parse(&example).unwrap();
        assert_eq!(read.to_json(Version::V1_1_0), example);
    }

    #[test]
    fn result_of_a_chain_keeps_what_came_before() {
        let previous = CniResult::parse(&json!({
            "interfaces": [{"name": "dummy0", "sandbox": "/run/netns/x"}],
            "ips": [{"version": "4", "address": "192.0.2.7/24", "interface": 0}],
            "dns": {"domain": "example"},
        }))
        .unwrap();
        let json = result().after(Some(previous)).to_json(Version::V1_0_0);
        let names: Vec<_> = json["interfaces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| &i["name"])
            .collect();
        assert_eq!(names, ["dummy0", "sgnx", "eth0"]);
        let positions: Vec<_> = json["ips"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ip| &ip["interface"])
            .collect();
        assert_eq!(positions, [0, 2, 2]);
        assert_eq!(json["dns"]["domain"], "example");
    }
}
