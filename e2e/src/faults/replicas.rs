//! Replicas of the controller on the router machine, each with its own way to the API server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;

use super::Arena;
use crate::addresses::API_V4;
use crate::binaries::own_binary;
use crate::cluster::Cluster;
use crate::control_plane::api_url;
use crate::identity::{self, CONTROLLER, NAMESPACE};
use crate::relay::{Mode, Relay};
use crate::wait::{self, LIMIT};

/// Seconds of the replicas' lease: the shortest that the controller takes.
pub(super) const LEASE: u64 = 6;
/// Where the first replica serves its metrics; the others on the ports behind it.
const FIRST_PORT: u16 = 9450;
/// Where the first replica finds the API server; the others on the ports behind it.
const FIRST_RELAY_PORT: u16 = 7450;

/// One of the controller's replicas.
#[derive(Clone, Debug)]
pub struct Replica {
    number: u8,
    service: String,
    relay: Relay,
    /// The program and its arguments.
    argv: Vec<String>,
    /// What its process wrote into the lease when it was found to hold it.
    identity: Option<String>,
}

impl Replica {
    /// A replica that is not started, and its relay, which is.
    pub(super) async fn new(cluster: &Cluster, number: u8) -> Result<Self> {
        let service = format!("{CONTROLLER}-{number}");
        let port = |first: u16| first + u16::from(number);
        // By its source address the audit log tells one replica from the other.
        let relay = Relay::new(
            &format!("relay-{number}"),
            &cluster.parts.dir.join("router"),
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, port(FIRST_RELAY_PORT)),
            Ipv4Addr::new(127, 0, 0, 10 + number),
            SocketAddrV4::new(API_V4, 6443),
        )?;
        cluster.router().start(relay.service()?).await?;

        let folder = cluster.parts.pki.dir();
        let shared = folder.join(format!("{CONTROLLER}.kubeconfig"));
        let text =
            fs::read_to_string(&shared).with_context(|| format!("reading {}", shared.display()))?;
        let text = text.replace(&api_url(), &format!("https://{}", relay.listen()));
        let own = folder.join(format!("{service}.kubeconfig"));
        fs::write(&own, text).with_context(|| format!("writing {}", own.display()))?;
        let argv = vec![
            own_binary(CONTROLLER)?.display().to_string(),
            "run".into(),
            format!("--kubeconfig={}", own.display()),
            format!("--http-address=127.0.0.1:{}", port(FIRST_PORT)),
            format!("--lease-duration={LEASE}"),
        ];
        Ok(Self {
            number,
            service,
            relay,
            argv,
            identity: None,
        })
    }

    /// The name of its service on the router machine.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Starts it as usual; it is started again whenever it ends.
    pub async fn start(&self, cluster: &Cluster) -> Result<()> {
        self.start_under(cluster, &[], &[]).await
    }

    /// Starts it by another program that becomes it, such as one that shifts its clock, and with more
    /// in its environment.
    pub(super) async fn start_under(
        &self,
        cluster: &Cluster,
        by: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<()> {
        let by = by.iter().map(ToString::to_string);
        let argv = by.chain(self.argv.iter().cloned());
        let mut service = identity::controller_service(&cluster.parts, &self.service, argv);
        for (name, value) in environment {
            service = service.env(name, *value);
        }
        cluster.router().start(service).await
    }

    /// Changes how it reaches the API server.
    pub async fn reach_api(&self, mode: Mode) -> Result<()> {
        self.relay.set(mode).await
    }

    /// Ends all its connections to the API server; new ones are made as before.
    pub async fn cut_api(&self) -> Result<()> {
        self.relay.cut().await
    }

    /// What it serves under `/metrics`.
    pub async fn metrics(&self, cluster: &Cluster) -> Result<String> {
        let port = FIRST_PORT + u16::from(self.number);
        let url = format!("http://127.0.0.1:{port}/metrics");
        cluster.router().http_get(&url).await
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

    /// Waits until another process than this leader's holds the lease, and gives the replica: it may be
    /// the same one, started anew.
    pub async fn successor(&self, of: &Replica) -> Result<Replica> {
        let what = format!("another process than that of {} to lead", of.service);
        wait::until(&what, LIMIT, async || {
            let holder = self.holder().await?;
            ensure!(holder.identity != of.identity, "{of:?} holds the lease");
            Ok(holder)
        })
        .await
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
        let holder = self.replicas.iter().find(|replica| {
            let status = services.get(&replica.service);
            let pid = status.and_then(|status| status.pid);
            pid.is_some_and(|pid| pid.to_string() == process)
        });
        let holder = holder.with_context(|| format!("{identity} holds the lease, and is gone"))?;
        Ok(Replica {
            identity: Some(identity),
            ..holder.clone()
        })
    }

    /// The lease object as the API server has it.
    pub async fn lease(&self) -> Result<Lease> {
        self.leases()
            .get(CONTROLLER)
            .await
            .context("reading the lease")
    }

    /// The API of leases in the controller's namespace.
    pub(super) fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.cluster().client(), NAMESPACE)
    }
}
