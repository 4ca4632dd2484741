//! Replicas of the controller on the node of the control plane, each with its own way to the API server.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Arena;
use crate::addresses::API_V4;
use crate::binaries::own_binary;
use crate::cluster::Cluster;
use crate::identity::{self, CONTROLLER, NAMESPACE};
use crate::machine::Service;
use crate::programs::{NAME_LABEL, Program};
use crate::relay::{Mode, Relay};
use crate::wait::{self, LIMIT};

/// Seconds of the replicas' lease: the shortest that the controller takes.
pub(super) const LEASE: u64 = 6;
/// Where the first replica serves its metrics; the others on the ports behind it.
const FIRST_PORT: u16 = 9450;
/// Where the first replica finds the API server; the others on the ports behind it.
const FIRST_RELAY_PORT: u16 = 7450;

/// One of the controller's replicas.
#[derive(Clone)]
pub struct Replica {
    number: u8,
    /// The name of its Deployment, and of the process that may stand in for its pod.
    service: String,
    relay: Relay,
    program: Program,
    /// Whether a process of the router machine stands in for its pod.
    outside: Arc<AtomicBool>,
    /// What its process wrote into the lease when it was found to hold it.
    identity: Option<String>,
}

impl Replica {
    /// A replica that is not started, and its relay, which is. It is what the overlay made, as a
    /// Deployment of its own: so one can be ended and the other not.
    pub(super) async fn new(cluster: &Cluster, number: u8) -> Result<Self> {
        let service = format!("{CONTROLLER}-{number}");
        // By its source address the audit log tells one replica from the other.
        let relay = Relay::new(
            &format!("relay-{number}"),
            &cluster.parts.dir.join("router"),
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, FIRST_RELAY_PORT + u16::from(number)),
            Ipv4Addr::new(127, 0, 0, 10 + number),
            SocketAddrV4::new(API_V4, 6443),
        )?;
        cluster.router().start(relay.service()?).await?;
        let replica = Self {
            number,
            program: cluster.controller_of(&service)?,
            service,
            relay,
            outside: Arc::default(),
            identity: None,
        };
        let deployments: Api<Deployment> = Api::namespaced(cluster.client(), NAMESPACE);
        let mut object = serde_json::to_value(deployments.get(CONTROLLER).await?)?;
        replica.change(&mut object)?;
        let object = serde_json::from_value(object)?;
        deployments
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("creating {}", replica.service))?;
        Ok(replica)
    }

    /// Makes its own Deployment, without a pod, of the one that the overlay made.
    fn change(&self, object: &mut Value) -> Result<()> {
        let labels = json!({NAME_LABEL: self.service});
        object["metadata"] = json!({"name": self.service, "labels": labels});
        object["status"] = Value::Null;
        let spec = &mut object["spec"];
        spec["replicas"] = 0.into();
        spec["selector"] = json!({"matchLabels": labels});
        spec["template"]["metadata"]["labels"] = labels;
        let container = &mut spec["template"]["spec"]["containers"][0];
        container["args"] = json!(self.arguments());
        let port = json!({"name": "http", "containerPort": self.port(), "hostPort": self.port()});
        container["ports"] = json!([port]);
        let listen = self.relay.listen();
        let environment = container["env"].as_array_mut();
        for variable in environment.context("the controller has an environment")? {
            match variable["name"].as_str() {
                Some("KUBERNETES_SERVICE_HOST") => {
                    variable["value"] = listen.ip().to_string().into();
                }
                Some("KUBERNETES_SERVICE_PORT") => {
                    variable["value"] = listen.port().to_string().into();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn arguments(&self) -> [String; 3] {
        [
            "run".into(),
            format!("--http-address=127.0.0.1:{}", self.port()),
            format!("--lease-duration={LEASE}"),
        ]
    }

    fn port(&self) -> u16 {
        FIRST_PORT + u16::from(self.number)
    }

    /// Its name in stories and messages.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Starts it; it is started again whenever it ends.
    pub async fn start(&self) -> Result<()> {
        self.program.start().await
    }

    /// Ends it with SIGTERM until it is started again.
    pub async fn stop(&self) -> Result<()> {
        self.program.stop().await
    }

    /// Ends it with SIGKILL until it is started again.
    pub async fn halt(&self, cluster: &Cluster) -> Result<()> {
        if self.outside.swap(false, Ordering::Relaxed) {
            return cluster.router().halt(&self.service).await;
        }
        self.program.halt().await
    }

    /// Kills it with SIGKILL, once it runs; it is started again.
    pub async fn kill(&self, cluster: &Cluster) -> Result<()> {
        if self.outside.load(Ordering::Relaxed) {
            return cluster.router().kill(&self.service).await;
        }
        self.program.kill().await
    }

    /// Sends a signal to its process in its pod.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.program.signal(signal).await
    }

    /// The number of its process in its pod, as the host has it.
    pub fn pid(&self) -> Result<i32> {
        Ok(self.program.pid()?.as_raw_nonzero().get())
    }

    /// Starts it as a process on the router machine in the place of its pod, which was stopped: by
    /// another program that becomes it, such as one that shifts its clock, and with more in its
    /// environment. No container can have a clock of its own.
    pub(super) async fn start_under(
        &self,
        cluster: &Cluster,
        by: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<()> {
        let token = identity::token(&cluster.client(), CONTROLLER).await?;
        let server = format!("https://{}", self.relay.listen());
        let kubeconfig = cluster
            .parts
            .pki
            .token_kubeconfig(&self.service, &server, &token)?;
        let mut argv: Vec<String> = by.iter().map(ToString::to_string).collect();
        argv.push(own_binary(CONTROLLER)?.display().to_string());
        argv.extend(self.arguments());
        argv.push(format!("--kubeconfig={}", kubeconfig.display()));
        let service = Service::new(&self.service, argv).env("NO_COLOR", "1");
        let service = environment
            .iter()
            .fold(service, |service, (name, value)| service.env(name, *value));
        self.outside.store(true, Ordering::Relaxed);
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
        let url = format!("http://127.0.0.1:{}/metrics", self.port());
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
            ensure!(
                holder.identity != of.identity,
                "{:?} holds the lease",
                of.identity
            );
            Ok(holder)
        })
        .await
    }

    /// The replica that the lease names now. Fails if nobody, or a process that is gone, holds it.
    pub async fn holder(&self) -> Result<Replica> {
        let spec = self.lease().await?.spec.context("the lease has a spec")?;
        let identity = spec.holder_identity.filter(|it| !it.is_empty());
        let identity = identity.context("nobody holds the lease")?;
        let gone = || format!("{identity} holds the lease, and is gone");
        let mut replicas = self.replicas.iter();
        let holder = match *identity.split('_').collect::<Vec<_>>() {
            // POD_CHANCE: of the process that is in the pod now, if that was there when it took the lease.
            [pod, _] => {
                let of_it = |it: &&Replica| pod.starts_with(&format!("{}-", it.service));
                let holder = replicas.find(of_it).with_context(gone)?;
                let acquired = spec.acquire_time.context("the lease says since when")?;
                ensure!(holder.program.started()? <= acquired.0, gone());
                holder
            }
            // HOST_PROCESS_CHANCE, of which the process is numbered as the machine sees it.
            [_, process, _] => {
                let services = self.cluster().router().services().await?;
                let runs = |it: &&Replica| {
                    let pid = services.get(&it.service).and_then(|status| status.pid);
                    pid.is_some_and(|pid| pid.to_string() == process)
                };
                replicas.find(runs).with_context(gone)?
            }
            _ => anyhow::bail!("{identity} is no replica's"),
        };
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
