//! R16: pods beside a service proxy.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams};
use signpost_e2e::{Cluster, PodSpec, wait};

use super::paths::delete;
use crate::support::place::{PORT, Place, run_server};
use crate::support::{LIMIT, objects};

pub(crate) async fn r16_a_service_is_reached_from_everywhere(cluster: &Cluster) -> Result<()> {
    service(cluster).await
}

pub(crate) async fn r16_a_service_is_reached_from_everywhere_dual_stack(
    cluster: &Cluster,
) -> Result<()> {
    ensure!(cluster.dual_stack());
    service(cluster).await
}

/// A cluster IP leads to its pod: from a pod on another node, from one on the same node, from both
/// nodes, and from the very pod. Other pods keep their address on the way.
pub(super) async fn service(cluster: &Cluster) -> Result<()> {
    let app = "r16";
    let server = run_server(
        cluster,
        PodSpec::new("r16-server").on("node-1").label("app", app),
    )
    .await?;
    let beside = cluster
        .run_pod(PodSpec::new("r16-beside").on("node-1"))
        .await?;
    let far = cluster
        .run_pod(PodSpec::new("r16-far").on("node-2"))
        .await?;
    let nodes = [cluster.node("node-1")?, cluster.node("node-2")?];
    let cluster_ips = objects::create_service(cluster, app, PORT).await?;
    let families = if cluster.dual_stack() { 2 } else { 1 };
    ensure!(
        cluster_ips.len() == families,
        "{families} cluster IPs expected: {cluster_ips:?}"
    );

    for (family, ip) in cluster_ips.into_iter().enumerate() {
        let service = SocketAddr::new(ip, 80);
        // kube-proxy on each node takes its time; once it has, every request has to arrive.
        for place in [Place::from(&beside), Place::from(&far)] {
            let what = format!("kube-proxy's rules for {service} where {} is", place.name());
            wait::until(&what, LIMIT, async || place.seen_at(service).await).await?;
        }
        for client in [&beside, &far] {
            let own = client.addresses()[family];
            let seen = Place::from(client).seen_at(service).await?;
            ensure!(
                seen == own,
                "{} ({own}) asked {service}, and the server saw {seen}",
                client.name()
            );
        }
        for place in [
            Place::from(&server),
            Place::from(&*nodes[0]),
            Place::from(&*nodes[1]),
        ] {
            let answer = place.seen_at(service).await;
            // What comes back the way it went is masqueraded by the proxy: any address will do.
            let _: IpAddr =
                answer.with_context(|| format!("from {} to {service}", place.name()))?;
        }
    }
    let services: Api<Service> = Api::namespaced(cluster.client(), "default");
    services.delete(app, &DeleteParams::default()).await?;
    delete(cluster, &[server, beside, far]).await
}
