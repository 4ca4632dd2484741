//! The network configuration on standard input.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde_json::{Map, Value};
use signpost_netlink::Family;

use crate::datapath::Mode;
use crate::dns::dns;
use crate::environment::is_identifier;
use crate::error::{Error, Result};
use crate::host_local;
use crate::input::Input;
use crate::result::CniResult;
use crate::subnets::subnets;
use crate::version::Version;

/// Where the last address given out is remembered, unless configured otherwise.
const DEFAULT_RUN_DIR: &str = "/run/signpost";
/// Largest MTU that a veth takes.
const LARGEST_MTU: u32 = 65_535;

/// A valid configuration. Fields that are not known are ignored, as the specification demands.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    /// The node's pod CIDRs: one or two, of different families.
    pub(crate) subnets: Vec<IpNet>,
    /// MTU of the pod's interface; `None` means what the node's default routes allow.
    pub(crate) mtu: Option<u32>,
    /// The node's addresses, from which it talks to its pods.
    node_addresses: Vec<IpAddr>,
    /// For the result alone.
    pub(crate) dns: Map<String, Value>,
    /// See [`host_local`].
    pub(crate) host_local_dirs: Vec<PathBuf>,
    pub(crate) run_dir: PathBuf,
    /// Without it no pod is added; see [`ready`](crate::ready).
    pub(crate) ready_file: Option<PathBuf>,
    /// Whether STATUS fails while no address is free.
    pub(crate) full_is_unavailable: bool,
    /// What the plugins before this one in the chain have done, or for CHECK what ADD answered.
    pub(crate) previous: Option<CniResult>,
}

/// The name of the network, all that DEL needs of the configuration.
pub(crate) fn network_name(input: &Input) -> Result<String> {
    match input.get("name").and_then(Value::as_str) {
        Some(name) if is_identifier(name) => Ok(name.to_owned()),
        Some(name) => Err(Error::config(
            "name",
            &format!("{name:?} is invalid"),
            "begin with a letter or digit, go on with letters, digits, '_', '.', '-'",
        )),
        None => Err(Error::config(
            "name",
            "is missing",
            "give the network a name",
        )),
    }
}

impl Config {
    /// The node's first address of the family.
    pub(crate) fn node_address(&self, family: Family) -> Option<IpAddr> {
        family.first_of(&self.node_addresses)
    }

    /// Whether pods have IPv6 addresses.
    pub(crate) fn has_ipv6(&self) -> bool {
        self.subnets.iter().any(|subnet| subnet.addr().is_ipv6())
    }

    /// The address families of pods.
    pub(crate) fn families(&self) -> Vec<Family> {
        let addresses = self.subnets.iter().map(IpNet::addr);
        addresses.map(Family::of).collect()
    }

    pub(crate) fn parse(input: &Input, version: Version) -> Result<Self> {
        let mode = mode(input.get("mode"))?;
        let subnets = subnets(input.get("subnets"))?;
        Ok(Self {
            name: network_name(input)?,
            mode,
            mtu: mtu(input.get("mtu"), &subnets)?,
            subnets,
            node_addresses: node_addresses(input.get("nodeAddresses"))?,
            dns: dns(input.get("dns"))?,
            host_local_dirs: host_local::folders(input)?,
            run_dir: path("runDir", input.get("runDir"))?.unwrap_or_else(|| DEFAULT_RUN_DIR.into()),
            ready_file: path("readyFile", input.get("readyFile"))?,
            full_is_unavailable: flag("fullIsUnavailable", input.get("fullIsUnavailable"))?,
            previous: previous(input.get("prevResult"), version)?,
        })
    }
}

fn mode(mode: Option<&Value>) -> Result<Mode> {
    match mode.map(Value::as_str) {
        None | Some(Some("ptp")) => Ok(Mode::Ptp),
        Some(Some("bridge")) => Ok(Mode::Bridge),
        Some(_) => Err(Error::config(
            "mode",
            &format!("{} is not supported", mode.unwrap_or(&Value::Null)),
            "use \"ptp\" or \"bridge\"",
        )),
    }
}

fn flag(field: &str, value: Option<&Value>) -> Result<bool> {
    match value {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => {
            let fault = format!("{other} is invalid");
            Err(Error::config(field, &fault, "use true or false"))
        }
    }
}

fn node_addresses(value: Option<&Value>) -> Result<Vec<IpAddr>> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let texts = value.as_array().into_iter().flatten().map(Value::as_str);
    let addresses: Option<Vec<IpAddr>> = texts.map(|text| text?.parse().ok()).collect();
    addresses.filter(|_| value.is_array()).ok_or_else(|| {
        let remedy = "list addresses of the node, such as [\"192.0.2.10\"]";
        Error::config("nodeAddresses", &format!("{value} is invalid"), remedy)
    })
}

fn mtu(value: Option<&Value>, subnets: &[IpNet]) -> Result<Option<u32>> {
    let families = subnets.iter().map(|subnet| Family::of(subnet.addr()));
    let least = families.map(Family::least_mtu).max().unwrap_or_default();
    let given = match value {
        None => Some(0),
        Some(value) => value.as_u64().and_then(|mtu| u32::try_from(mtu).ok()),
    };
    match (given, value) {
        (Some(0), _) => Ok(None),
        (Some(mtu), _) if (least..=LARGEST_MTU).contains(&mtu) => Ok(Some(mtu)),
        (_, value) => Err(Error::config(
            "mtu",
            &format!("{} is invalid", value.unwrap_or(&Value::Null)),
            &format!("use {least} to {LARGEST_MTU}, or 0 for what the node's default routes allow"),
        )),
    }
}

fn path(field: &str, value: Option<&Value>) -> Result<Option<PathBuf>> {
    match value {
        None => Ok(None),
        Some(Value::String(path)) if path.starts_with('/') => Ok(Some(PathBuf::from(path))),
        Some(other) => Err(Error::config(
            field,
            &format!("{other} is invalid"),
            "give an absolute path",
        )),
    }
}

fn previous(value: Option<&Value>, version: Version) -> Result<Option<CniResult>> {
    let Some(value) = value else { return Ok(None) };
    CniResult::parse(value).map(Some).map_err(|error| {
        let fault = format!("is no result of CNI version {version}: {error}");
        Error::config(
            "prevResult",
            &fault,
            "the runtime fills it in; report this to its makers",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(change: &Value) -> Result<Config> {
        let mut config = json!({
            "cniVersion": "1.0.0",
            "name": "signpost",
            "type": "signpost-cni",
            "mode": "ptp",
            "subnets": ["10.244.1.0/24", "fd00:0:0:1::/64"],
            "mtu": 0,
            "somethingElse": {"a": 1},
        });
        for (field, value) in change.as_object().unwrap() {
            match value {
                Value::Null => config.as_object_mut().unwrap().remove(field),
                value => config
                    .as_object_mut()
                    .unwrap()
                    .insert(field.clone(), value.clone()),
            };
        }
        let input = config.as_object().unwrap();
        network_name(input)?;
        Config::parse(input, Version::V1_0_0)
    }

    #[test]
    fn config_that_is_valid_is_read_and_unknown_fields_are_ignored() {
        let config = parse(&json!({"mtu": 1400})).unwrap();
        assert_eq!(config.name, "signpost");
        assert_eq!(config.subnets.len(), 2);
        assert_eq!(config.mtu, Some(1400));
        assert_eq!(config.run_dir, PathBuf::from("/run/signpost"));
    }

    #[test]
    fn config_defaults_apply() {
        let config = parse(&json!({"mtu": null, "mode": null})).unwrap();
        assert_eq!(config.mtu, None);
        assert_eq!(parse(&json!({"mtu": 0})).unwrap().mtu, None);
        let four = json!({"mtu": 1200, "subnets": ["10.244.1.0/24"]});
        assert_eq!(
            parse(&four).unwrap().mtu,
            Some(1200),
            "what IPv4 alone takes"
        );
    }

    #[test]
    fn config_faults_name_the_field_and_a_remedy() {
        for (change, field) in [
            (json!({"name": null}), "name"),
            (json!({"name": "a/b"}), "name"),
            (json!({"mode": "overlay"}), "mode"),
            (json!({"subnets": null}), "subnets"),
            (json!({"mtu": 1279}), "mtu"),
            (json!({"mtu": 67, "subnets": ["10.244.1.0/24"]}), "mtu"),
            (json!({"mtu": 65_536}), "mtu"),
            (json!({"mtu": -1}), "mtu"),
            (json!({"mtu": "1500"}), "mtu"),
            (json!({"runDir": "relative"}), "runDir"),
            (json!({"nodeAddresses": "192.0.2.10"}), "nodeAddresses"),
            (json!({"nodeAddresses": ["192.0.2.10/24"]}), "nodeAddresses"),
            (json!({"readyFile": 1}), "readyFile"),
            (json!({"hostLocalDirs": "/var"}), "hostLocalDirs"),
            (json!({"hostLocalDirs": ["var"]}), "hostLocalDirs"),
            (json!({"fullIsUnavailable": "no"}), "fullIsUnavailable"),
            (json!({"dns": []}), "dns"),
            (
                json!({"dns": {"nameservers": "10.96.0.10"}}),
                "dns.nameservers",
            ),
            (json!({"dns": {"search": [7]}}), "dns.search"),
            (json!({"dns": {"options": {}}}), "dns.options"),
            (json!({"dns": {"domain": []}}), "dns.domain"),
            (json!({"prevResult": {"ips": 7}}), "prevResult"),
        ] {
            let error = parse(&change).unwrap_err().to_json("1.0.0");
            assert_eq!(error["code"], 7, "{change}");
            let message = error["msg"].as_str().unwrap();
            assert!(
                message.contains(&format!(": {field}: ")),
                "{change}: {message}"
            );
            assert_ne!(error["details"], "", "{change}");
        }
    }
}
