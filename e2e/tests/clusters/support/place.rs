//! Places that packets come from and go to: pods and machines.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use signpost_e2e::{Cluster, Machine, Node, Pod, PodSpec, Service, wait};

/// Port of the servers that tell their client's address.
pub(crate) const PORT: u16 = 8080;
/// Where such a server tells it.
const PATH: &str = "cgi-bin/peer";
/// A CGI program whose answer is the address that the request came from.
const PROGRAM: &str =
    "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' \"$REMOTE_ADDR\"\n";
const SERVICE: &str = "peer-server";
const LIMIT: Duration = Duration::from_secs(10);

/// A pod or a machine, both of which have busybox.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Pod(&'a Pod),
    Machine(&'a Machine),
}

impl<'a> From<&'a Pod> for Place<'a> {
    fn from(pod: &'a Pod) -> Self {
        Self::Pod(pod)
    }
}

impl<'a> From<&'a Machine> for Place<'a> {
    fn from(machine: &'a Machine) -> Self {
        Self::Machine(machine)
    }
}

impl<'a> From<&'a Node> for Place<'a> {
    fn from(node: &'a Node) -> Self {
        Self::Machine(node.machine())
    }
}

impl Place<'_> {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Pod(pod) => format!("pod {} on {}", pod.name(), pod.node().name()),
            Self::Machine(machine) => machine.name().to_owned(),
        }
    }

    /// Runs a program of busybox and gives its standard output.
    pub(crate) async fn run(self, argv: &[&str]) -> Result<String> {
        match self {
            Self::Pod(pod) => pod.exec(argv).await,
            Self::Machine(machine) => machine.run(&[&["busybox"], argv].concat()).await,
        }
    }

    /// Sends one echo request; fails without an answer within two seconds.
    pub(crate) async fn ping(self, to: IpAddr) -> Result<()> {
        self.run(&["ping", "-c", "1", "-W", "2", &to.to_string()])
            .await
            .map(drop)
    }

    /// The address that a server sees this place's connections come from.
    pub(crate) async fn seen_by(self, server: IpAddr) -> Result<IpAddr> {
        self.seen_at(SocketAddr::new(server, PORT)).await
    }

    /// As [`seen_by`](Self::seen_by), by a server on another port, such as a Service's.
    pub(crate) async fn seen_at(self, server: SocketAddr) -> Result<IpAddr> {
        let answer = self.fetch(server, PATH).await?;
        // busybox writes IPv6 addresses in brackets.
        let address = answer.trim().trim_matches(['[', ']']);
        let context = || format!("{server} answered {answer:?} instead of an address");
        let address: IpAddr = address.parse().with_context(context)?;
        Ok(address.to_canonical())
    }

    /// The body of a page of an HTTP server; fails if it takes more than three seconds.
    pub(crate) async fn fetch(self, server: SocketAddr, path: &str) -> Result<String> {
        // Not wget: a static glibc has no use of the name service in an image without libraries, and
        // busybox's wget crashes there.
        let request = format!(
            "printf 'GET /{path} HTTP/1.0\\r\\n\\r\\n' | timeout 3 busybox nc {} {}",
            server.ip(),
            server.port()
        );
        let answer = self.run(&["sh", "-c", &request]).await?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .or_else(|| answer.split_once("\n\n"))
            .with_context(|| format!("{server} answered {answer:?}, which is no HTTP"))?;
        ensure!(
            head.starts_with("HTTP/1.1 200"),
            "{server} answered {head:?}"
        );
        Ok(body.to_owned())
    }
}

/// Runs a pod that tells every client its address, and waits until it answers.
pub(crate) async fn run_server(cluster: &Cluster, spec: PodSpec) -> Result<Pod> {
    let script = format!(
        "mkdir -p /www/cgi-bin && printf %s \"$0\" > /www/{PATH} && chmod +x /www/{PATH} && \
         exec httpd -f -p {PORT} -h /www"
    );
    let pod = cluster
        .run_pod(spec.command(&["sh", "-c", &script, PROGRAM]))
        .await?;
    let place = Place::from(&pod);
    wait::until(
        &format!("the server in {} to answer", place.name()),
        LIMIT,
        async || place.seen_by(IpAddr::from([127, 0, 0, 1])).await,
    )
    .await?;
    Ok(pod)
}

/// Runs a server that tells every client its address on a machine, if it does not run there yet. It
/// ends with the cluster.
pub(crate) async fn serve_on(machine: &Machine) -> Result<()> {
    if !machine.services().await?.contains_key(SERVICE) {
        // Beside its log, so that it goes with the cluster.
        let root = machine.log(SERVICE).with_extension("www");
        let program = root.join(PATH);
        fs::create_dir_all(program.parent().context("the path has a folder")?)?;
        fs::write(&program, PROGRAM)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let port = PORT.to_string();
        let root = root.display().to_string();
        let argv = ["busybox", "httpd", "-f", "-p", &port, "-h", &root];
        machine.start(Service::new(SERVICE, argv)).await?;
    }
    let place = Place::from(machine);
    wait::until(
        &format!("the server on {} to answer", place.name()),
        LIMIT,
        async || place.seen_by(IpAddr::from([127, 0, 0, 1])).await,
    )
    .await
    .map(drop)
}
