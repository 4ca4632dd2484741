//! What each value does, and what is said to a wrong one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signpost_api::{NAME, PodNetwork};

use crate::support::{Key, chart, find, manifests, rendered};

const CONTROLLER: &str = "signpost-controller";
const NODE: &str = "signpost-node";

/// What `--set-json` makes of the values.
fn with(values: &[(&str, Value)]) -> Result<BTreeMap<Key, Value>, String> {
    let set: Vec<String> = values
        .iter()
        .map(|(name, it)| format!("{name}={it}"))
        .collect();
    let options: Vec<&str> = set.iter().flat_map(|it| ["--set-json", it]).collect();
    rendered(&options)
}

/// The pod of a program, with these values.
fn pod(kind: &str, name: &str, values: &[(&str, Value)]) -> Value {
    find(&with(values).unwrap(), kind, name)["spec"]["template"]["spec"].clone()
}

#[test]
fn a_wrong_value_is_refused_by_its_name() {
    let pool = json!([{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}]);
    let wrong = [
        ("cloud.provider", json!("gce"), "'/cloud/provider'"),
        ("cloud.povider", json!("aws"), "'povider'"),
        ("podNetwork", json!({"datapath": {}}), "'pools'"),
        ("podNetwork.pools", json!([]), "'/podNetwork/pools'"),
        ("podNetwork", json!({"pools": pool, "cloud": {}}), "'cloud'"),
        ("image.tag", json!("1"), "'image'"),
        (
            "controller.image.tag",
            json!(1.5),
            "'/controller/image/tag'",
        ),
        (
            "controller.image.digest",
            json!("abc"),
            "'/controller/image/digest'",
        ),
        ("controller.replicas", json!(0), "'/controller/replicas'"),
        // The router is one machine.
        ("controller.replicas", json!(2), "'/controller/replicas'"),
        (
            "controller.log.format",
            json!("xml"),
            "'/controller/log/format'",
        ),
        ("controller.env", json!({"A": "b"}), "'/controller/env'"),
        (
            "controller.env",
            json!([{"name": "A", "value": 1}]),
            "'/controller/env/0/value'",
        ),
        ("controller.resources.cpu", json!("1"), "'cpu'"),
        (
            "node.image.pullPolicy",
            json!("Sometimes"),
            "'/node/image/pullPolicy'",
        ),
        ("node.tolerations", json!({}), "'/node/tolerations'"),
        ("node.cniBinDir", json!("opt/cni"), "'/node/cniBinDir'"),
        ("node.cniConfDir", json!("/etc"), "'/node/cniConfDir'"),
        ("node.replicas", json!(1), "'replicas'"),
        ("monitoring.enabled", json!("yes"), "'/monitoring/enabled'"),
        (
            "monitoring.podMonitor.interval",
            json!("soon"),
            "'/monitoring/podMonitor/interval'",
        ),
    ];
    for (name, value, field) in wrong {
        let said = with(&[(name, value.clone())]).unwrap_err();
        assert!(said.contains(field), "{name}={value}: {said}");
    }
}

/// Which fields there are is written down once more in the schema of the values.
#[test]
fn the_schema_knows_the_fields_of_the_network() {
    let read = |path: String| {
        serde_yaml::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let crd = read(format!(
        "{}/crd/podnetworks.signpost.dev.yaml",
        manifests().display()
    ));
    let spec =
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
            .as_object()
            .unwrap();
    let schema = read(format!("{}/values.schema.json", chart()));
    let values = |name: &str| {
        schema["properties"][name]["properties"]
            .as_object()
            .unwrap()
    };
    let fields: Vec<&String> = spec.keys().filter(|it| *it != "cloud").collect();
    let mut known: Vec<&String> = values("podNetwork").keys().collect();
    known.sort();
    assert_eq!(known, fields);
    for field in values("cloud").keys() {
        assert!(spec["cloud"]["properties"].get(field).is_some(), "{field}");
    }
}

#[test]
fn images_are_named_by_tag_or_digest() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (program, kind, name) in [
        ("controller", "Deployment", CONTROLLER),
        ("node", "DaemonSet", NODE),
    ] {
        let image = |field: &str| format!("{program}.image.{field}");
        let (repository, tag, named) = (image("repository"), image("tag"), image("digest"));
        let (policy, secrets) = (image("pullPolicy"), json!([{"name": "registry"}]));
        let values = [
            (repository.as_str(), json!("registry.example/signpost")),
            (tag.as_str(), json!("1.2.3")),
            (policy.as_str(), json!("Always")),
            ("imagePullSecrets", secrets.clone()),
        ];
        let tagged = pod(kind, name, &values);
        assert_eq!(
            tagged["containers"][0]["image"],
            "registry.example/signpost:1.2.3"
        );
        assert_eq!(tagged["containers"][0]["imagePullPolicy"], "Always");
        assert_eq!(tagged["imagePullSecrets"], secrets);
        let pinned = pod(kind, name, &[values[0].clone(), (&named, json!(digest))]);
        assert_eq!(
            pinned["containers"][0]["image"],
            format!("registry.example/signpost@{digest}")
        );
    }
}

#[test]
fn programs_run_where_and_with_what_the_values_say() {
    let tolerations = json!([{"key": "example.com/own", "operator": "Exists"}]);
    let selector = json!({"example.com/router": "yes"});
    let affinity = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}});
    let variables = json!([{"name": "AWS_REGION", "value": "eu-central-1"}]);
    for (program, kind, name) in [
        ("controller", "Deployment", CONTROLLER),
        ("node", "DaemonSet", NODE),
    ] {
        let values = json!({
            "tolerations": tolerations,
            "nodeSelector": selector,
            "affinity": affinity,
            "env": variables,
            "resources": {"requests": {"cpu": "50m"}, "limits": {"cpu": 1}},
        });
        let pod = pod(kind, name, &[(program, values)]);
        assert_eq!(pod["tolerations"], tolerations);
        assert_eq!(
            pod["nodeSelector"], selector,
            "in place of the router's label"
        );
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        let seen = &pod["affinity"]["nodeAffinity"];
        assert_eq!(seen[preferred], affinity["nodeAffinity"][preferred]);
        let required = &seen["requiredDuringSchedulingIgnoredDuringExecution"];
        assert_eq!(
            required.is_null(),
            program == "controller",
            "what is left alone stays so"
        );
        let container = &pod["containers"][0];
        assert_eq!(
            container["env"].as_array().unwrap().last(),
            variables.get(0)
        );
        assert_eq!(container["resources"]["requests"]["cpu"], "50m");
        assert_eq!(container["resources"]["limits"]["cpu"], 1);
        assert!(
            !container["resources"]["limits"]["memory"].is_null(),
            "what is not given stays"
        );
    }
}

#[test]
fn logs_and_folders_are_as_the_values_say() {
    let format = ("controller.log.format", json!("json"));
    let level = ("controller.log.level", json!("info,signpost_cloud=debug"));
    let controller = pod("Deployment", CONTROLLER, &[format, level]);
    let arguments = json!([
        "run",
        "--log-format=json",
        "--log-level=info,signpost_cloud=debug"
    ]);
    assert_eq!(controller["containers"][0]["args"], arguments);
    let values = [
        ("node.log.format", json!("json")),
        ("node.log.level", json!("debug")),
        ("node.cniBinDir", json!("/var/lib/cni/bin")),
        ("node.cniConfDir", json!("/var/lib/cni/net.d")),
    ];
    let folders = json!([
        "--sysctl-dir=/host/proc/sys/net",
        "--cni-bin-dir=/var/lib/cni/bin",
        "--cni-conf-dir=/var/lib/cni/net.d",
        "--log-format=json"
    ]);
    let node = pod("DaemonSet", NODE, &values);
    let level = json!({"name": "RUST_LOG", "value": "debug"});
    assert_eq!(node["containers"][0]["env"][2], level);
    assert_eq!(node["containers"][0]["args"], folders);
    let mounts = node["containers"][0]["volumeMounts"].as_array().unwrap();
    let paths: Vec<_> = mounts.iter().map(|mount| &mount["mountPath"]).collect();
    assert_eq!(
        paths,
        ["/var/lib/cni", "/run/signpost", "/host/proc/sys/net"]
    );
    assert_eq!(node["volumes"][0]["hostPath"]["path"], "/var/lib/cni");
}

#[test]
fn accounts_get_their_own_annotations() {
    const ROLE: &str = "eks.amazonaws.com/role-arn";
    let annotations = json!({ROLE: "arn:aws:iam::111122223333:role/signpost"});
    let objects = with(&[("controller.serviceAccount.annotations", annotations.clone())]).unwrap();
    let of = |name| &find(&objects, "ServiceAccount", name)["metadata"]["annotations"];
    assert_eq!(*of(CONTROLLER), annotations);
    assert!(of(NODE).is_null());
}

#[test]
fn another_namespace_is_everywhere() {
    let text = serde_json::to_string(
        &rendered(&["--namespace", "kube-system"])
            .unwrap()
            .into_values()
            .filter(|it| it["kind"] != "CustomResourceDefinition")
            .collect::<Vec<_>>(),
    )
    .unwrap();
    assert!(
        text.contains(r#""resourceNames":["kube-system","signpost-controller"]"#),
        "{text}"
    );
    assert!(!text.contains("signpost-system"), "{text}");
}

#[test]
fn monitoring_listens_where_the_kubelet_and_prometheus_look() {
    let enabled = ("monitoring.enabled", json!(true));
    for (ipv6, address) in [(false, "$(HOST_IP):9450"), (true, "[$(HOST_IP)]:9450")] {
        let values = [enabled.clone(), ("monitoring.ipv6", json!(ipv6))];
        let pod = pod("Deployment", CONTROLLER, &values);
        let environment = pod["containers"][0]["env"].as_array().unwrap();
        // A variable is expanded only behind the one that it names.
        let mut rest = environment.iter();
        let host = rest.find(|it| it["name"] == "HOST_IP").unwrap();
        assert_eq!(host["valueFrom"]["fieldRef"]["fieldPath"], "status.hostIP");
        let listens = rest.find(|it| it["name"] == "SIGNPOST_HTTP_ADDRESS");
        assert_eq!(listens.unwrap()["value"], address);
    }

    let monitor = (
        "monitoring.podMonitor",
        json!({"labels": {"release": "prometheus"}, "interval": "30s"}),
    );
    let objects = with(&[enabled, monitor]).unwrap();
    let deployment = &find(&objects, "Deployment", CONTROLLER)["spec"];
    let container = &deployment["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        // Without a host the kubelet takes the pod's address, which is the node's.
        assert!(container[probe]["httpGet"]["host"].is_null(), "{probe}");
    }
    let monitor = find(&objects, "PodMonitor", CONTROLLER);
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["selector"], deployment["selector"]);
    let endpoint = json!([{"port": "http", "path": "/metrics", "interval": "30s"}]);
    assert_eq!(monitor["spec"]["podMetricsEndpoints"], endpoint);
    assert_eq!(container["ports"][0]["name"], "http");
}

#[test]
fn the_network_is_made_of_both_its_sections() {
    let pools = json!([{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}]);
    let objects = with(&[
        ("podNetwork.pools", pools),
        (
            "cloud",
            json!({"provider": "aws", "aws": {"clusterName": "c"}}),
        ),
    ])
    .unwrap();
    let object = find(&objects, "PodNetwork", NAME);
    assert_eq!(
        object["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );
    let network: PodNetwork = serde_json::from_value(object.clone()).unwrap();
    network.spec.parse().unwrap();
    assert_eq!(object["spec"]["cloud"]["aws"]["clusterName"], "c");
}
