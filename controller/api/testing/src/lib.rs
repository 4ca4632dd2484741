//! A real Kubernetes API server on loopback, for tests that must hear its answer.
//!
//! [`ControlPlane::start`] runs etcd and kube-apiserver on free ports, with their files in a
//! temporary folder and etcd's fsync off. RBAC is on; requests are made as an administrator or
//! as one of the users named in [`Options`]. There is no controller manager, no scheduler and no
//! kubelet: objects stay as they are written.
//!
//! Everything ends with the [`ControlPlane`], and also when the test process is killed.

pub mod audit;
mod binaries;
mod kubeconfig;
mod manifests;
mod process;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

pub use binaries::{Binaries, repository};
use kubeconfig::Credentials;
use process::Process;

/// How long etcd and the API server together may take to answer. They take some 5 s on an idle
/// machine; the rest is for a busy one.
const START_TIMEOUT: Duration = Duration::from_secs(90);

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
const KUBECTL: &str = "kubectl";

/// Attempts at a start, since a port found free can be taken before the server binds it.
const ATTEMPTS: usize = 3;

/// How long what happens at once on an idle machine may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until something holds.
///
/// # Panics
///
/// If it does not hold within half a minute; `what` is the message.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// Name of the audit policy's file.
const AUDIT_POLICY: &str = "audit-policy.yaml";

/// How a [`ControlPlane`] differs from the default one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    users: Vec<(String, Vec<String>)>,
    api_server_flags: Vec<String>,
    audit_policy: Option<String>,
}

impl Options {
    /// Lets `name`, a member of `groups`, authenticate; what it may do is up to RBAC.
    #[must_use]
    pub fn user(mut self, name: &str, groups: &[&str]) -> Self {
        self.users.push((
            name.to_owned(),
            groups.iter().map(|&g| g.to_owned()).collect(),
        ));
        self
    }

    /// Lets a service account authenticate, with the groups that a token of its would carry.
    #[must_use]
    pub fn service_account(self, namespace: &str, name: &str) -> Self {
        self.user(
            &format!("system:serviceaccount:{namespace}:{name}"),
            &[
                "system:serviceaccounts",
                &format!("system:serviceaccounts:{namespace}"),
            ],
        )
    }

    /// Adds a flag of kube-apiserver, such as `--audit-policy-file=…`.
    #[must_use]
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server_flags.push(flag.into());
        self
    }

    /// Writes what the policy (an `audit.k8s.io/v1` `Policy`, YAML or JSON) asks for to
    /// [`ControlPlane::audit_log`].
    #[must_use]
    pub fn audit_policy(mut self, policy: impl Into<String>) -> Self {
        self.audit_policy = Some(policy.into());
        self
    }
}

/// A running etcd and kube-apiserver.
#[derive(Debug)]
pub struct ControlPlane {
    binaries: Binaries,
    options: Options,
    credentials: Credentials,
    etcd_url: String,
    port: u16,
    // Declared before the folder, so that the processes have ended when it is removed.
    api_server: Option<Process>,
    etcd: Process,
    dir: tempfile::TempDir,
}

impl ControlPlane {
    /// Starts a control plane and waits until it is ready.
    ///
    /// Builds the binaries if they are missing, which takes minutes. Fails if that does, or if a
    /// server ends or is not ready in time (the message ends with its log).
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Like [`ControlPlane::start`], with more users or flags.
    pub async fn start_with(options: Options) -> Result<Self> {
        let binaries =
            tokio::task::spawn_blocking(|| Binaries::ensure(&[ETCD, API_SERVER, KUBECTL]))
                .await??;
        let mut attempt = 1;
        loop {
            match Self::try_start(&binaries, &options).await {
                Err(error) if attempt < ATTEMPTS && port_was_taken(&error) => attempt += 1,
                result => return result,
            }
        }
    }

    async fn try_start(binaries: &Binaries, options: &Options) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("signpost-test-")
            .tempdir()?;
        let [client_port, peer_port, port] = free_ports()?;
        let etcd_url = format!("http://127.0.0.1:{client_port}");
        let credentials = Credentials::create(dir.path(), &options.users)?;
        if let Some(policy) = &options.audit_policy {
            std::fs::write(dir.path().join(AUDIT_POLICY), policy)?;
        }
        let etcd = start_etcd(binaries.path(ETCD)?, dir.path(), &etcd_url, peer_port)?;
        let mut this = Self {
            binaries: binaries.clone(),
            options: options.clone(),
            credentials,
            etcd_url,
            port,
            api_server: None,
            etcd,
            dir,
        };
        this.start_apiserver().await?;
        Ok(this)
    }

    /// The folder that goes when this value goes; a place for a test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The log that [`Options::audit_policy`] asks for: one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    /// `https://127.0.0.1:PORT`. Stays the same over [`ControlPlane::restart_apiserver`].
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Path of kubectl.
    pub fn kubectl(&self) -> Result<&Path> {
        self.binaries.path(KUBECTL)
    }

    /// Path of a kubeconfig for the administrator.
    pub fn kubeconfig(&self) -> Result<PathBuf> {
        self.kubeconfig_for(kubeconfig::ADMIN)
    }

    /// Path of a kubeconfig for a user named in [`Options`].
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf> {
        self.credentials
            .write_kubeconfig(self.dir.path(), &self.url(), user)
    }

    /// A new client of the administrator, without a limit of its own on the request rate.
    ///
    /// A client belongs to the tokio runtime that made it, so each `#[tokio::test]` asks for one.
    pub async fn client(&self) -> Result<Client> {
        self.client_for(kubeconfig::ADMIN).await
    }

    /// A new client of a user named in [`Options`].
    pub async fn client_for(&self, user: &str) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig_for(user)?).await
    }

    /// Kills the API server. Its data stays in etcd.
    pub fn stop_apiserver(&mut self) {
        self.api_server = None;
    }

    /// Starts the API server if it is stopped, on the same port, and waits until it is ready.
    pub async fn start_apiserver(&mut self) -> Result<()> {
        if self.api_server.is_none() {
            let log = self.dir.path().join("kube-apiserver.log");
            let program = self.binaries.path(API_SERVER)?;
            let command = self.api_server_command(program);
            self.api_server = Some(Process::start(&command, &log, None)?);
        }
        self.wait_until_ready().await
    }

    /// Kills the API server and starts it again; open watches break as in a real outage.
    pub async fn restart_apiserver(&mut self) -> Result<()> {
        self.stop_apiserver();
        self.start_apiserver().await
    }

    fn api_server_command(&self, program: &Path) -> Command {
        let files = &self.credentials;
        let mut command = Command::new(program);
        command
            .arg(format!("--etcd-servers={}", self.etcd_url))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .arg(format!("--secure-port={}", self.port))
            .args([
                "--service-cluster-ip-range=10.255.0.0/24",
                "--allow-privileged=true",
            ])
            // An endpoint on loopback is refused, and nothing here needs the service.
            .arg("--endpoint-reconciler-type=none")
            // Without a controller manager no namespace gets its default account.
            .arg("--disable-admission-plugins=ServiceAccount")
            .arg("--authorization-mode=RBAC")
            .arg(format!("--token-auth-file={}", files.tokens.display()))
            .arg(format!("--tls-cert-file={}", files.certificate.display()))
            .arg(format!("--tls-private-key-file={}", files.key.display()))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!(
                "--service-account-key-file={}",
                files.certificate.display()
            ))
            .arg(format!(
                "--service-account-signing-key-file={}",
                files.key.display()
            ))
            .args(&self.options.api_server_flags);
        if self.options.audit_policy.is_some() {
            let policy = self.dir.path().join(AUDIT_POLICY);
            command
                .arg(format!("--audit-policy-file={}", policy.display()))
                .arg(format!("--audit-log-path={}", self.audit_log().display()));
        }
        command
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = self.client().await?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            self.etcd.check_alive().context("etcd ended")?;
            if let Some(api_server) = &mut self.api_server {
                api_server.check_alive().context("kube-apiserver ended")?;
            }
            if is_ready(&client).await {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = self
                    .api_server
                    .as_ref()
                    .map(Process::log_tail)
                    .unwrap_or_default();
                bail!("kube-apiserver was not ready after {START_TIMEOUT:?}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// `/readyz` answers, and so does RBAC, which lets the administrator see the namespace that the
/// API server makes for itself.
async fn is_ready(client: &Client) -> bool {
    let Ok(readyz) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    let answers = async {
        client.request_text(readyz).await?;
        Api::<Namespace>::all(client.clone()).get("default").await
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(5), answers).await,
        Ok(Ok(_))
    )
}

fn start_etcd(binary: &Path, dir: &Path, url: &str, peer_port: u16) -> Result<Process> {
    let peer_url = format!("http://127.0.0.1:{peer_port}");
    let mut command = Command::new(binary);
    command
        .arg(format!("--data-dir={}", dir.join("etcd").display()))
        .arg(format!("--listen-client-urls={url}"))
        .arg(format!("--advertise-client-urls={url}"))
        .arg(format!("--listen-peer-urls={peer_url}"))
        .arg(format!("--initial-advertise-peer-urls={peer_url}"))
        .arg(format!("--initial-cluster=default={peer_url}"))
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    Process::start(&command, &dir.join("etcd.log"), Some(dir))
}

/// Ports that nobody listens on now. They are held together, so that they differ.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on loopback")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn port_was_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("address already in use")
}
