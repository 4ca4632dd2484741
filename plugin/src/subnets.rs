//! The subnets of the network configuration.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;
use signpost_netlink::Family;

use crate::error::{Error, Result};

/// Ranges without unicast addresses, or with those that no router passes on (IANA's registries of special
/// purpose addresses).
const SENSELESS: [(IpNet, &str); 8] = [
    (four(0, 0, 8), "addresses of this network"),
    (four(127, 0, 8), "loopback"),
    (four(169, 254, 16), "link-local addresses"),
    (four(224, 0, 4), "multicast"),
    (four(240, 0, 4), "future use and broadcast"),
    (
        six(0, 8),
        "the unspecified, loopback and IPv4-mapped addresses",
    ),
    (six(0xfe80, 10), "link-local addresses"),
    (six(0xff00, 8), "multicast"),
];

const fn four(first: u8, second: u8, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(
        Ipv4Addr::new(first, second, 0, 0),
        length,
    ))
}

const fn six(first: u16, length: u8) -> IpNet {
    let address = Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0);
    IpNet::V6(Ipv6Net::new_assert(address, length))
}

/// The node's pod CIDRs: one or two, of different families.
pub(crate) fn subnets(value: Option<&Value>) -> Result<Vec<IpNet>> {
    let remedy = "list the node's pod CIDRs, such as [\"10.244.1.0/24\", \"fd00:0:0:1::/64\"]";
    let entries = match value {
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        None => return Err(Error::config("subnets", "is missing", remedy)),
        Some(other) => {
            return Err(Error::config(
                "subnets",
                &format!("{other} is invalid"),
                remedy,
            ));
        }
    };
    let mut subnets: Vec<IpNet> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let field = format!("subnets[{index}]");
        let subnet: IpNet = entry
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Error::config(&field, &format!("{entry} is no CIDR"), remedy))?;
        if subnet != subnet.trunc() {
            let fault = format!("{subnet} has bits set behind its prefix length");
            return Err(Error::config(
                &field,
                &fault,
                &format!("write {}", subnet.trunc()),
            ));
        }
        if let Some((range, what)) = senseless(subnet) {
            let fault = format!("{subnet} has addresses of {range}, which is for {what}");
            return Err(Error::config(
                &field,
                &fault,
                "choose a private or public unicast range",
            ));
        }
        // Beside the network's own, the first and in IPv4 the broadcast address one must be left.
        let longest = subnet.max_prefix_len() - 2;
        if subnet.prefix_len() > longest {
            let remedy = format!("choose a prefix length of at most {longest}");
            return Err(Error::config(
                &field,
                &format!("{subnet} has no room for pods"),
                &remedy,
            ));
        }
        let family = Family::of(subnet.addr());
        if subnets
            .iter()
            .any(|other| Family::of(other.addr()) == family)
        {
            let fault = format!("{subnet} is the second subnet of its address family");
            return Err(Error::config(
                &field,
                &fault,
                "give at most one of each family",
            ));
        }
        subnets.push(subnet);
    }
    Ok(subnets)
}

/// The range that no pod can have an address of, if the subnet has some of it, and what it is for.
fn senseless(subnet: IpNet) -> Option<(IpNet, &'static str)> {
    let mut ranges = SENSELESS.into_iter();
    ranges.find(|(range, _)| range.contains(&subnet) || subnet.contains(range))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subnets_faults_name_the_entry_and_a_remedy() {
        for (value, field) in [
            (json!([]), "subnets"),
            (json!("10.244.1.0/24"), "subnets"),
            (json!([null]), "subnets[0]"),
            (json!(["fd00::/64", "ten"]), "subnets[1]"),
            (json!(["10.244.1.1/24"]), "subnets[0]"),
            (json!(["10.244.1.0/31"]), "subnets[0]"),
            (json!(["fd00::/127"]), "subnets[0]"),
            (json!(["10.0.0.0/24", "10.0.1.0/24"]), "subnets[1]"),
        ] {
            let error = subnets(Some(&value)).unwrap_err().to_json("1.0.0");
            assert_eq!(error["code"], 7, "{value}");
            let message = error["msg"].as_str().unwrap();
            assert!(
                message.contains(&format!(": {field}: ")),
                "{value}: {message}"
            );
            assert_ne!(error["details"], "", "{value}");
        }
    }

    #[test]
    fn subnets_that_no_pod_can_have_are_refused_by_name() {
        for (subnet, what) in [
            ("0.0.0.0/0", "this network"),
            ("0.1.0.0/16", "this network"),
            ("127.1.0.0/24", "loopback"),
            ("126.0.0.0/7", "loopback"),
            ("169.254.7.0/24", "link-local"),
            ("239.0.0.0/24", "multicast"),
            ("255.255.255.0/24", "broadcast"),
            ("::/64", "unspecified"),
            ("::ffff:10.0.0.0/112", "IPv4-mapped"),
            ("fe80::/64", "link-local"),
            ("ff02::/64", "multicast"),
        ] {
            let error = subnets(Some(&json!([subnet]))).unwrap_err().to_string();
            assert!(error.contains(subnet) && error.contains(what), "{error}");
            assert!(error.contains("unicast range"), "{error}");
        }
        for subnet in [
            "10.244.1.0/24",
            "100.64.0.0/24",
            "1.0.0.0/24",
            "223.255.0.0/24",
        ] {
            assert!(subnets(Some(&json!([subnet]))).is_ok(), "{subnet}");
        }
        for subnet in ["fd00::/64", "2001:db8::/64", "fc00:1::/64"] {
            assert!(subnets(Some(&json!([subnet]))).is_ok(), "{subnet}");
        }
    }
}
