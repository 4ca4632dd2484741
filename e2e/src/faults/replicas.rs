//! Replicas of the controller on the router machine.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;

use super::Arena;
use crate::binaries::own_binary;
use crate::cluster::Cluster;
use crate::identity::{CONTROLLER, NAMESPACE};
use crate::machine::Service;
use crate::wait::{self, LIMIT};

/// Seconds of the replicas' lease: the shortest that the controller takes.
pub(super) const LEASE: u64 = 6;
/// Where the first replica serves its metrics; the others on the ports behind it.
const FIRST_PORT: u16 = 9450;

/// One of the controller's replicas.
#[derive(Clone, Debug)]
pub struct Replica {
    number: u16,
    service: String,
}

impl Replica {
    pub(super) fn new(number: u16) -> Self {
        let service = format!("{CONTROLLER}-{number}");
        Self { number, service }
    }

    /// The name of its service on the router machine.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Its command line, which a fault may put something in front of.
    pub(super) fn argv(&self, cluster: &Cluster) -> Result<Vec<String>> {
        let kubeconfig = cluster.parts.pki.dir();
        let kubeconfig = kubeconfig.join(format!("{CONTROLLER}.kubeconfig"));
        Ok(vec![
            own_binary(CONTROLLER)?.display().to_string(),
            "run".into(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--http-address=127.0.0.1:{}", self.port()),
            format!("--lease-duration={LEASE}"),
        ])
    }

    /// Starts it as usual; it is started again whenever it ends.
    pub async fn start(&self, cluster: &Cluster) -> Result<()> {
        let service = Service::new(&self.service, self.argv(cluster)?).env("NO_COLOR", "1");
        cluster.router().start(service).await
    }

    /// What it serves under `/metrics`.
    pub async fn metrics(&self, cluster: &Cluster) -> Result<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.port());
        cluster.router().http_get(&url).await
    }

    fn port(&self) -> u16 {
        FIRST_PORT + self.number
    }
}

impl Arena {
    /// All replicas.
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    /// The replica that holds the lease, once one does.
    pub async fn leader(&self) -> Result<Replica> {
        wait::until("a replica to hold the lease", LIMIT, async || {
            self.holder().await
        })
        .await
    }

    /// A replica that does not hold the lease, once another one does.
    pub async fn standby(&self) -> Result<Replica> {
        let leader = self.leader().await?;
        let mut others = self.replicas.iter();
        let other = others.find(|replica| replica.number != leader.number);
        other.cloned().context("there is only one replica")
    }

    /// The replica that the lease names now. Fails if nobody, or a process that is gone, holds it.
    pub async fn holder(&self) -> Result<Replica> {
        let lease = self.lease().await?;
        let identity = lease.spec.and_then(|spec| spec.holder_identity);
        let identity = identity.filter(|identity| !identity.is_empty());
        let identity = identity.context("nobody holds the lease")?;
        // HOST_PROCESS_CHANCE, of which the process is numbered as the machine sees it.
        let process = identity.split('_').nth(1).unwrap_or_default();
        let services = self.cluster().router().services().await?;
        let mut holders = self.replicas.iter().filter(|replica| {
            let status = services.get(&replica.service);
            let pid = status.and_then(|status| status.pid);
            pid.is_some_and(|pid| pid.to_string() == process)
        });
        let holder = holders.next().cloned();
        ensure!(holder.is_some(), "{identity} holds the lease, and is gone");
        holder.context("a holder")
    }

    /// The lease object as the API server has it.
    pub async fn lease(&self) -> Result<Lease> {
        let leases: Api<Lease> = Api::namespaced(self.cluster().client(), NAMESPACE);
        leases.get(CONTROLLER).await.context("reading the lease")
    }
}
