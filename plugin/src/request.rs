//! What a runtime asks for one pod: addresses, and the hardware address of its interface.
//!
//! They come by the conventions for extensions (<https://www.cni.dev/docs/conventions>): in `runtimeConfig`,
//! else in `args.cni` of the network configuration, else in the environment variable `CNI_ARGS`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use signpost_netlink::{Family, Mac};

use crate::address::Pool;
use crate::environment::fault;
use crate::error::{Error, Result};
use crate::input::Input;

/// What is asked for. What is not is chosen as for any pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// At most one address of each subnet, that pods can have.
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) mac: Option<Mac>,
}

impl Request {
    /// `args` is the content of `CNI_ARGS`.
    pub(crate) fn parse(input: &Input, args: &str, subnets: &[IpNet]) -> Result<Self> {
        let args = Args::parse(args)?;
        let places = [
            Place::Config("runtimeConfig", input.get("runtimeConfig")),
            Place::Config(
                "args.cni",
                input.get("args").and_then(|args| args.get("cni")),
            ),
            Place::Args(args),
        ];
        let mut request = Self::default();
        for place in &places {
            let ips = place.ips()?;
            if !ips.is_empty() {
                request.ips = ips_of(place, &ips, subnets)?;
                break;
            }
        }
        let mut macs = places
            .iter()
            .filter_map(|place| Some((place, place.mac()?)));
        if let Some((place, text)) = macs.next() {
            request.mac = Some(mac(place, &text)?);
        }
        Ok(request)
    }
}

/// Where something may be asked for.
enum Place<'a> {
    /// A section of the network configuration.
    Config(&'static str, Option<&'a Value>),
    Args(Args<'a>),
}

impl Place<'_> {
    /// The addresses asked for here, as text.
    fn ips(&self) -> Result<Vec<String>> {
        match self {
            Self::Args(args) => {
                let list = args.ip.into_iter().flat_map(|list| list.split(','));
                Ok(list.map(|ip| ip.trim().to_owned()).collect())
            }
            Self::Config(_, section) => match section.and_then(|section| section.get("ips")) {
                None => Ok(Vec::new()),
                Some(Value::Array(ips)) => {
                    let texts = ips.iter().map(|ip| match ip {
                        Value::String(ip) => ip.clone(),
                        other => other.to_string(),
                    });
                    Ok(texts.collect())
                }
                Some(other) => {
                    let remedy = "list addresses, such as [\"10.244.1.5\"]";
                    Err(self.fault("ips", &format!("{other} is no list"), remedy))
                }
            },
        }
    }

    /// The hardware address asked for here, as text.
    fn mac(&self) -> Option<String> {
        match self {
            Self::Args(args) => args.mac.map(str::to_owned),
            Self::Config(_, section) => match section.as_ref()?.get("mac")? {
                Value::String(mac) => Some(mac.clone()),
                other => Some(other.to_string()),
            },
        }
    }

    fn fault(&self, field: &str, what: &str, remedy: &str) -> Error {
        match self {
            Self::Config(section, _) => Error::config(&format!("{section}.{field}"), what, remedy),
            Self::Args(_) => {
                let name = if field == "mac" { "MAC" } else { "IP" };
                fault("CNI_ARGS", &format!("has an invalid {name}: {what}")).with_details(remedy)
            }
        }
    }
}

fn ips_of(place: &Place, texts: &[String], subnets: &[IpNet]) -> Result<Vec<IpAddr>> {
    let mut ips: Vec<IpAddr> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let fault =
            |what: &str, remedy: &str| Err(place.fault(&format!("ips[{index}]"), what, remedy));
        // Whatever prefix length is given, a pod has its address alone.
        let net = text.parse::<IpNet>().map(|net| net.addr());
        let Ok(ip) = net.or_else(|_| text.parse::<IpAddr>()) else {
            return fault(
                &format!("{text:?} is no address"),
                "write it as in 10.244.1.5",
            );
        };
        let Some(subnet) = subnets.iter().find(|subnet| subnet.contains(&ip)) else {
            let what = format!("{ip} is in none of the node's subnets");
            return fault(&what, &format!("ask for an address of {subnets:?}"));
        };
        if ips.iter().any(|it| Family::of(*it) == Family::of(ip)) {
            let what = format!("{ip} is the second address of its family");
            return fault(&what, "ask for at most one of each family");
        }
        let pool = Pool::new(*subnet);
        if !pool.has(ip) {
            let what = format!("no pod can have {ip}, the network's, gateway's or broadcast one");
            return fault(&what, &format!("ask for one of {pool}"));
        }
        ips.push(ip);
    }
    Ok(ips)
}

fn mac(place: &Place, text: &str) -> Result<Mac> {
    let remedy = "ask for a unicast address of 48 bits, such as 02:00:00:00:00:01";
    let mac: Mac = text
        .parse()
        .map_err(|what: String| place.fault("mac", &what, remedy))?;
    if mac.0[0] & 1 == 1 || mac == Mac([0; 6]) {
        let what = format!("{mac} is no unicast address");
        return Err(place.fault("mac", &what, remedy));
    }
    Ok(mac)
}

/// What `CNI_ARGS` has: keys and values as in `FOO=BAR;ABC=123`.
#[derive(Default)]
struct Args<'a> {
    ip: Option<&'a str>,
    mac: Option<&'a str>,
}

impl<'a> Args<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let mut args = Self::default();
        let mut unknown = Vec::new();
        let mut ignore_unknown = false;
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(
                    fault("CNI_ARGS", &format!("has {pair:?}, which is no pair"))
                        .with_details("write it as in IP=10.244.1.5;IgnoreUnknown=1"),
                );
            };
            match key {
                "IP" => args.ip = Some(value).filter(|value| !value.is_empty()),
                "MAC" => args.mac = Some(value).filter(|value| !value.is_empty()),
                "IgnoreUnknown" => {
                    ignore_unknown = matches!(value.to_ascii_lowercase().as_str(), "1" | "true");
                }
                _ => unknown.push(key),
            }
        }
        if unknown.is_empty() || ignore_unknown {
            return Ok(args);
        }
        let keys = unknown.join(", ");
        Err(
            fault("CNI_ARGS", &format!("has keys that are not known: {keys}"))
                .with_details("leave them out, or add IgnoreUnknown=1"),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: &Value, args: &str) -> Result<Request> {
        let subnets = ["10.244.1.0/24", "fd00::/64"].map(|net| net.parse().unwrap());
        Request::parse(config.as_object().unwrap(), args, &subnets)
    }

    #[test]
    fn request_is_read_from_the_first_place_that_has_one() {
        let args = "IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.244.1.9,fd00::9;MAC=02:00:00:00:00:09";
        let mut config = json!({});
        let request = parse(&config, args).unwrap();
        assert_eq!(format!("{:?}", request.ips), "[10.244.1.9, fd00::9]");
        assert_eq!(request.mac.unwrap().to_string(), "02:00:00:00:00:09");
        config["args"] = json!({"cni": {"ips": ["10.244.1.8/24"], "labels": []}, "other": 1});
        let request = parse(&config, args).unwrap();
        assert_eq!(format!("{:?}", request.ips), "[10.244.1.8]");
        assert_eq!(request.mac.unwrap().to_string(), "02:00:00:00:00:09");
        config["runtimeConfig"] = json!({"ips": ["fd00::7"], "mac": "C2:11:22:33:44:55"});
        let request = parse(&config, args).unwrap();
        assert_eq!(format!("{:?}", request.ips), "[fd00::7]");
        assert_eq!(request.mac.unwrap().to_string(), "c2:11:22:33:44:55");
        config["runtimeConfig"] = json!({"ips": [], "portMappings": []});
        config["args"] = json!({});
        assert_eq!(parse(&config, "").unwrap(), Request::default());
    }

    #[test]
    fn request_faults_name_the_place_and_a_remedy() {
        for (runtime, named) in [
            (json!({"ips": "10.244.1.5"}), "runtimeConfig.ips"),
            (json!({"ips": ["10.244.1"]}), "runtimeConfig.ips[0]"),
            (json!({"ips": [7]}), "runtimeConfig.ips[0]"),
            (json!({"ips": ["10.244.1.5", "10.244.2.5"]}), "none of"),
            (json!({"ips": ["10.244.1.5", "10.244.1.6"]}), "second"),
            (json!({"ips": ["10.244.1.0"]}), "no pod can have"),
            (json!({"ips": ["10.244.1.1"]}), "no pod can have"),
            (json!({"ips": ["10.244.1.255"]}), "no pod can have"),
            (json!({"ips": ["fd00::1"]}), "no pod can have"),
            (json!({"mac": "02:00:00:00:00"}), "runtimeConfig.mac"),
            (json!({"mac": "01:00:5e:00:00:01"}), "unicast"),
            (json!({"mac": "00:00:00:00:00:00"}), "unicast"),
            (json!({"mac": 7}), "runtimeConfig.mac"),
        ] {
            let config = json!({"runtimeConfig": runtime});
            let error = parse(&config, "").unwrap_err().to_json("1.0.0");
            assert_eq!(error["code"], 7, "{config}");
            assert!(error["msg"].as_str().unwrap().contains(named), "{error}");
            assert_ne!(error["details"], "", "{config}");
        }
    }

    #[test]
    fn request_in_the_environment_is_held_to_the_same_and_unknown_keys_are_told() {
        for (args, named) in [
            ("K8S_POD_NAME=web", "K8S_POD_NAME"),
            ("K8S_POD_NAME=web;IgnoreUnknown=0", "K8S_POD_NAME"),
            ("IP", "no pair"),
            ("IP=10.244.1.255", "no pod can have"),
            ("IP=192.0.2.1", "none of"),
            ("MAC=33:33:00:00:00:01", "unicast"),
        ] {
            let error = parse(&json!({}), args).unwrap_err().to_json("1.0.0");
            assert_eq!(error["code"], 4, "{args}");
            assert!(error["msg"].as_str().unwrap().contains(named), "{error}");
            assert_ne!(error["details"], "", "{args}");
        }
    }
}
