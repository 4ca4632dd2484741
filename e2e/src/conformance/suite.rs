//! The program of Kubernetes' own tests, and running it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::arena::NODES;
use super::report::{self, Outcome, Story};
use crate::cluster::Cluster;
use crate::{
    binaries::{self, built},
    wait,
};

/// How long one run may take, many times what it does take.
const LIMIT: &str = "90m";
/// How often is told how many tests have ended.
const TELL: Duration = Duration::from_secs(60);

/// Names of tests that need what a kernel may lack.
const SCTP: &str = "SCTPConnectivity";

/// The tests, and what they take.
pub(super) struct Tests {
    program: PathBuf,
    ginkgo: PathBuf,
    portmap: PathBuf,
    /// The archive of the image of most pods.
    agnhost: PathBuf,
    version: String,
    images: Vec<String>,
    procs: u8,
    /// None of those whose names match one of these.
    skip: Vec<String>,
}

impl Tests {
    /// Builds what is not built, and asks the program what it is.
    pub(super) async fn get(procs: u8, skip: Option<&str>) -> Result<Self> {
        let program = built("e2e.test").await?;
        let images = binaries::own_folder()?.join("images");
        let script = signpost_testing::repository()?.join("scripts/images/conformance.sh");
        said(
            Command::new(script)
                .arg(&images)
                .arg(built("agnhost").await?),
        )
        .await?;
        let version = said(Command::new(&program).arg("--version")).await?;
        let names = said(Command::new(&program).arg("--list-images")).await?;
        let mut skip: Vec<String> = skip.map(str::to_owned).into_iter().collect();
        if !kernel_has_sctp()? {
            skip.push(SCTP.to_owned());
        }
        Ok(Self {
            ginkgo: built("ginkgo").await?,
            portmap: built("portmap").await?,
            agnhost: images.join("signpost-agnhost.tar"),
            version: version.trim().to_owned(),
            images: names.lines().map(str::to_owned).collect(),
            program,
            procs,
            skip,
        })
    }

    /// The names of the tests that match, those to be skipped too.
    pub(super) async fn choose(&self, focus: &str, folder: &Path) -> Result<Vec<String>> {
        let file = folder.join("chosen.json");
        let mut dry = Command::new(&self.program);
        dry.args([
            "--ginkgo.dry-run",
            "--ginkgo.succinct",
            "--provider=skeleton",
        ])
        .arg(format!("--ginkgo.focus={focus}"))
        .arg(format!("--ginkgo.json-report={}", file.display()))
        // Only so that it does not look for a cluster.
        .arg("--kubeconfig=/dev/null");
        said(&mut dry).await?;
        let chosen = report::chosen(&file)?;
        fs::remove_file(&file)?;
        Ok(chosen)
    }

    /// Runs those that match on a cluster, from the host beyond its router.
    pub(super) async fn run(
        &self,
        cluster: &Cluster,
        focus: &str,
        chosen: &[String],
        folder: &Path,
    ) -> Result<Outcome> {
        let folder = folder.canonicalize()?;
        let (shown, log) = (folder.display().to_string(), folder.join("e2e.log"));
        let kubeconfig = cluster.parts.pki.path("admin.kubeconfig");
        let mut argv = vec![
            self.ginkgo.display().to_string(),
            format!("--procs={}", self.procs),
            format!("--timeout={LIMIT}"),
            "--no-color".into(),
            format!("--focus={focus}"),
            format!("--output-dir={shown}"),
            "--json-report=report.json".into(),
        ];
        argv.extend(self.skip.iter().map(|skip| format!("--skip={skip}")));
        argv.extend([
            self.program.display().to_string(),
            "--".into(),
            format!("--kubeconfig={kubeconfig}"),
            "--provider=skeleton".into(),
            // Only one of several processes would count them.
            format!("--num-nodes={}", NODES.len()),
            format!("--report-dir={shown}"),
        ]);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        // It ends with that machine, however this process ends.
        let mut command = cluster.external().command(&argv);
        command.current_dir(&folder).stdout(File::create(&log)?);
        command.stderr(File::options().append(true).open(&log)?);
        let mut child = command.spawn().context("starting ginkgo")?;
        drop(child.stdin.take());
        while tokio::time::timeout(TELL, child.wait()).await.is_err() {
            println!("    {} of {} have ended", ended(&log), chosen.len());
        }
        let status = child.wait().await?;
        report::read(&folder.join("report.json"), chosen)
            .with_context(|| format!("ginkgo: {status}; {}", wait::log_tail(&log, 30)))
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The names of all images that tests may ask for.
    pub(super) fn images(&self) -> &[String] {
        &self.images
    }

    pub(super) fn portmap(&self) -> &Path {
        &self.portmap
    }

    pub(super) fn agnhost(&self) -> &Path {
        &self.agnhost
    }

    /// Why a test was skipped.
    pub(super) fn reason<'a>(&self, test: &'a Story) -> &'a str {
        let is_of_sctp = test.name.contains(SCTP) && self.skip.iter().any(|skip| skip == SCTP);
        match test.why.as_str() {
            "" if is_of_sctp => "this kernel has no SCTP",
            "" => "by --skip",
            why => why,
        }
    }
}

/// How many tests have ended: Ginkgo prints a bullet for each.
fn ended(log: &Path) -> usize {
    let log = fs::read_to_string(log).unwrap_or_default();
    log.matches('•').count()
}

fn kernel_has_sctp() -> Result<bool> {
    let protocols = fs::read_to_string("/proc/net/protocols")?;
    Ok(protocols.lines().any(|line| line.starts_with("SCTP")))
}

/// What a program prints.
async fn said(command: &mut Command) -> Result<String> {
    let shown = format!("{:?}", command.as_std());
    let output = command.kill_on_drop(true).output().await;
    let output = output.with_context(|| shown.clone())?;
    ensure!(
        output.status.success(),
        "{shown} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
