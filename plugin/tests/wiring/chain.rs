//! Among other plugins of a chain, and on to the runtime.

use serde_json::json;

use crate::node::{Node, Pod};

#[test]
fn add_passes_on_the_name_service_and_what_it_does_not_know() {
    let mut node = Node::new();
    let dns = json!({
        "nameservers": ["10.96.0.10", "fd96::10"],
        "domain": "example",
        "search": ["svc.example", "example"],
        "options": ["ndots:5"],
    });
    node.config["dns"] = dns.clone();
    assert_eq!(node.add(&Pod::new("one"))["dns"], dns);
    // Others know more keys, in later versions too.
    let previous = json!({
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": "dummy0", "mac": "02:00:00:00:00:01", "mtu": 9000, "sandbox": "/run/x",
             "socketPath": "/run/s", "pciID": "0000:00:1f.6", "future": {"a": [1]}},
        ],
        "ips": [
            {"address": "198.51.100.7/24", "gateway": "198.51.100.1", "interface": 0, "future": 1},
        ],
        "routes": [
            {"dst": "198.51.100.0/25", "gw": "198.51.100.1", "mtu": 1400, "advmss": 1360,
             "priority": 7, "table": 100, "scope": 253, "future": true},
        ],
        "dns": {},
        "future": {"b": "c"},
    });
    node.config["prevResult"] = previous.clone();
    for version in ["1.0.0", "1.1.0"] {
        node.config["cniVersion"] = json!(version);
        let result = node.add(&Pod::new(version));
        let mut known = previous.clone();
        known["cniVersion"] = json!(version);
        if version < "1.1.0" {
            known["interfaces"][0]
                .as_object_mut()
                .unwrap()
                .remove("mtu");
        }
        for key in ["cniVersion", "future"] {
            assert_eq!(result[key], known[key], "{version}");
        }
        for key in ["interfaces", "ips", "routes"] {
            assert_eq!(result[key][0], known[key][0], "{version}");
        }
        assert_eq!(result["dns"], dns, "{version}");
    }
    node.config["prevResult"]["dns"] = json!({"nameservers": ["198.51.100.1"]});
    let result = node.add(&Pod::new("two"));
    assert_eq!(result["dns"], node.config["prevResult"]["dns"]);
}
