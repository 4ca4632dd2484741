//! How the agent comes to the API server.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use signpost_testing::ControlPlane;

use crate::world::{ACCOUNT, World, in_namespace, run};

/// The API server by the cluster IP of its Service, as pods are told it.
fn by_cluster_ip(control_plane: &ControlPlane) -> PathBuf {
    let direct = fs::read_to_string(control_plane.kubeconfig_for(ACCOUNT).unwrap()).unwrap();
    let there = format!("\"{}\"", control_plane.url());
    let service = r#""https://10.96.0.1:443", tls-server-name: localhost"#;
    assert!(direct.contains(&there));
    let path = control_plane.dir().join("service.kubeconfig");
    fs::write(&path, direct.replace(&there, service)).unwrap();
    path
}

/// As kube-proxy does for a Service with this cluster IP.
fn translate(cluster_ip: &str, control_plane: &ControlPlane) {
    let url = control_plane.url();
    let server = url.trim_start_matches("https://");
    run(&format!(
        "nft add rule ip services output ip daddr {cluster_ip} tcp dport 443 dnat to {server}"
    ));
}

/// On a node that boots, the agent may be faster than kube-proxy. The kernel then remembers of the
/// connection that its address is not translated, and whatever is sent again goes nowhere too.
#[test]
fn agent_connects_anew_when_the_service_was_not_there_yet() {
    in_namespace(async || {
        // What is sent to the gateway is lost, not refused.
        let world = World::start_by(|control_plane| {
            run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev uplink");
            run("nft add table ip services");
            run("nft add chain ip services output { type nat hook output priority -100 ; }");
            // Connections are remembered from the first rule on.
            translate("10.96.0.9", control_plane);
            by_cluster_ip(control_plane)
        })
        .await;
        let begun = || {
            let sockets = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
            // SYN_SENT to 10.96.0.1:443.
            sockets.contains(" 0100600A:01BB 02 ")
        };
        world.eventually("a connection that is begun", begun).await;
        translate("10.96.0.1", &world.control_plane);
        let heard = world.logs("this machine's Node object");
        // An attempt that is waited for as long as clients usually do takes 30 seconds.
        let heard = tokio::time::timeout(Duration::from_secs(20), heard).await;
        assert!(heard.is_ok(), "{}", world.log());
    });
}
