//! Configuration files of a node's programs.

use serde_json::{Value, json};

use crate::addresses::Link;
use crate::cgroups;
use crate::cluster::{Parts, ProxyMode};
use crate::images;

/// containerd's configuration.
pub(super) fn containerd(snapshotter: &str) -> String {
    let pause = images::PAUSE;
    format!(
        r#"version = 3
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"

[plugins."io.containerd.cri.v1.runtime"]
  # Root in a container or a small machine may not lower scores.
  restrict_oom_score_adj = true
  # A profile would be loaded into the host's kernel and stay there.
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
    use_internal_loopback = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
"#
    )
}

/// The kubelet's configuration.
pub(super) fn kubelet(parts: &Parts, node: &str, link: Link) -> Value {
    let taints = if link == Link::ROUTER {
        json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])
    } else {
        json!([])
    };
    json!({
        "registerWithTaints": taints,
        // A program that ended is started again after a second, not after minutes: tests end it often.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": false},
            "x509": {"clientCAFile": parts.pki.path("ca.crt")},
        },
        // The API server's own certificate is the only one that gets here.
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups::node_root(&parts.id, node),
        "failCgroupV1": false,
        "failSwapOn": false,
        // Nodes share the host's disk, which is not theirs to watch.
        "evictionHard": {
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "oomScoreAdj": 0,
        // A cluster always names one; nobody answers there until a test starts a name server.
        "clusterDNS": ["10.96.0.10"],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "nodeStatusUpdateFrequency": "2s",
        "syncFrequency": "10s",
        "maxPods": 500,
    })
}

/// The network configuration of a node whose pods are all on its own network: it is ready with it, and
/// a pod that should have a network of its own fails.
pub(super) const HOST_NETWORK_ONLY: &str =
    r#"{"cniVersion": "1.0.0", "name": "host-network-only", "plugins": [{"type": "none"}]}"#;

/// kube-proxy's configuration.
pub(super) fn kube_proxy(parts: &Parts, node: &str, kubeconfig: &str) -> Value {
    let mode = match parts.proxy_mode {
        ProxyMode::Iptables => "iptables",
        ProxyMode::Nftables => "nftables",
    };
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "hostnameOverride": node,
        "mode": mode,
        "clusterCIDR": parts.pod_cidrs.join(","),
        "detectLocalMode": "ClusterCIDR",
        // These settings belong to the host's network namespace.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "iptables": {"minSyncPeriod": "0s"},
        "nftables": {"minSyncPeriod": "0s"},
    })
}
