//! One API server, the programs that are measured on it, and what they are told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};
use signpost_testing::{Binaries, ControlPlane, Options};

use crate::audit::{self, AuditLog};
use crate::program::{self, Program};

/// As whom the controller runs: the account of the manifests, with its rights.
pub(crate) const OURS: &str = "system:serviceaccount:signpost-system:signpost-controller";
/// As whom the incumbent runs.
pub(crate) const MANAGER: &str = "system:kube-controller-manager";
/// As whom the floor runs.
pub(crate) const FLOOR: &str = "floor";

/// Where Signpost's own objects are.
pub(crate) const NAMESPACE: &str = "signpost-system";
/// As whom agents run.
const AGENT: &str = "system:serviceaccount:signpost-system:signpost-node";

const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// All programs of a cluster that are needed.
const PROGRAMS: [&str; 4] = ["etcd", "kube-apiserver", "kubectl", CONTROLLER_MANAGER];

/// Every node gets a /24 of this range; it has 8,192.
const PODS: &str = "10.0.0.0/11";
/// What the API server does after many creations and deletions is not to be measured.
const REST: Duration = Duration::from_millis(1500);

/// How the incumbent is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    /// 20 requests a second.
    DefaultLimits,
    /// As many requests as it likes. Of its node IPAM controller nothing else can be set: it has 30
    /// workers.
    LimitsLifted,
    /// As it is shipped, with its lease.
    AsShipped,
}

/// A control plane with the manifests applied.
pub(crate) struct World {
    control_plane: ControlPlane,
    binaries: Binaries,
    /// The administrator's.
    pub(crate) client: Client,
}

impl World {
    /// Starts it, with a `PodNetwork` of this `spec.cloud`.
    pub(crate) async fn start(cloud: Value) -> Result<Self> {
        say("starting etcd and the API server");
        let masters = ["system:masters"];
        let options = Options::default()
            .service_account(NAMESPACE, "signpost-controller")
            .service_account(NAMESPACE, "signpost-node")
            .user(MANAGER, &masters)
            .user(FLOOR, &masters)
            .audit_policy(audit::policy(&[OURS, MANAGER, FLOOR]))
            .api_server_flag("--delete-collection-workers=16");
        let control_plane = ControlPlane::start_with(options).await?;
        let client = control_plane.client().await?;
        let world = Self {
            control_plane,
            binaries: Binaries::ensure(&PROGRAMS)?,
            client,
        };
        world.control_plane.apply("base").await?;
        world.create_network(cloud).await?;
        Ok(world)
    }

    async fn create_network(&self, cloud: Value) -> Result<()> {
        let kind = GroupVersionKind::gvk("signpost.dev", "v1alpha1", "PodNetwork");
        let resource = ApiResource::from_gvk(&kind);
        let networks: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let object = serde_json::from_value(json!({
            "apiVersion": "signpost.dev/v1alpha1",
            "kind": "PodNetwork",
            "metadata": {"name": "default"},
            "spec": {
                "pools": [{"name": "pods", "cidr": PODS, "nodePrefixLength": 24}],
                "cloud": cloud,
            },
        }))?;
        networks.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// What the API server logs from now on.
    pub(crate) fn audit(&self) -> Result<AuditLog> {
        AuditLog::from_now(&self.control_plane.audit_log())
    }

    /// A client with the rights of agents.
    pub(crate) async fn agents_client(&self) -> Result<Client> {
        self.control_plane.client_for(AGENT).await
    }

    /// CPU time that the API server and etcd have used.
    pub(crate) fn servers_cpu(&self) -> Result<Duration> {
        program::cpu_of(&["etcd", "kube-apiserver"], self.control_plane.dir())
    }

    /// Waits a little, so that what was done before is not measured too.
    pub(crate) async fn rest(&self) {
        tokio::time::sleep(REST).await;
    }

    /// Starts the controller as it is shipped.
    pub(crate) fn start_ours(&self) -> Result<Program> {
        self.start_ours_in(&[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_ours_in(&self, environment: &[(&str, String)]) -> Result<Program> {
        let kubeconfig = self.control_plane.kubeconfig_for(OURS)?;
        let arguments = [
            "run".to_owned(),
            "--http-address=127.0.0.1:0".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
        ];
        let program = own_program("signpost-controller")?;
        self.start_program(&program, &arguments, environment)
    }

    /// Starts the incumbent with its node IPAM controller alone.
    pub(crate) fn start_manager(&self, manager: Manager) -> Result<Program> {
        let kubeconfig = self.control_plane.kubeconfig_for(MANAGER)?;
        let mut arguments = vec![
            "--controllers=node-ipam-controller".to_owned(),
            "--allocate-node-cidrs".to_owned(),
            format!("--cluster-cidr={PODS}"),
            "--node-cidr-mask-size=24".to_owned(),
            "--secure-port=0".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
        ];
        if manager != Manager::AsShipped {
            arguments.push("--leader-elect=false".to_owned());
        }
        if manager == Manager::LimitsLifted {
            arguments.push("--kube-api-qps=100000".to_owned());
            arguments.push("--kube-api-burst=100000".to_owned());
        }
        let program = self.binaries.path(CONTROLLER_MANAGER)?;
        self.start_program(program, &arguments, &[])
    }

    /// Starts the floor for so many nodes.
    pub(crate) fn start_floor(&self, nodes: u32) -> Result<Program> {
        let kubeconfig = self.control_plane.kubeconfig_for(FLOOR)?;
        let arguments = [
            "floor".to_owned(),
            format!("--nodes={nodes}"),
            format!("--pods={PODS}"),
            format!("--kubeconfig={}", kubeconfig.display()),
        ];
        let program = std::env::current_exe().context("finding this program")?;
        self.start_program(&program, &arguments, &[])
    }

    fn start_program(
        &self,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
    ) -> Result<Program> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let log = self.control_plane.dir().join(format!("{name}.log"));
        Program::start(program, arguments, environment, &log)
    }

    /// A file that goes when this value goes.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.control_plane.dir().join(name)
    }
}

/// Builds the programs of a cluster that are missing, which needs the machine's network.
pub(crate) fn build_missing() -> Result<()> {
    Binaries::ensure(&PROGRAMS).map(drop)
}

/// A program that was built with this one, by the same profile.
fn own_program(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()
        .context("finding this program")?
        .with_file_name(name);
    ensure!(
        program.is_file(),
        "{} is missing. Remedy: ./scripts/bench.sh, which builds it",
        program.display()
    );
    Ok(program)
}

/// Says on standard error what is done now.
pub(crate) fn say(what: &str) {
    eprintln!("==> {what}");
}
