//! A node's services: the container runtime and what it holds, the kubelet, the proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::statfs;

use super::{Node, config};
use crate::identity::{AGENT, CONTROLLER};
use crate::machine::Service;
use crate::wait;

/// The file systems' magic number of overlayfs, on which no further overlay can be written.
const OVERLAYFS: i64 = 0x794c_7630;

impl Node {
    /// Starts kubelet and kube-proxy. The API server has to be there.
    pub(crate) async fn start_kubernetes(&self) -> Result<()> {
        let (binaries, pki) = (&self.parts.binaries, &self.parts.pki);
        let url = crate::control_plane::api_url();
        let user = format!("system:node:{}", self.name);
        let kubeconfig = pki.kubeconfig(&self.process(), &url, &user, &["system:nodes"])?;
        let configuration = self.dir.join("kubelet.json");
        fs::write(
            &configuration,
            config::kubelet(&self.parts, &self.name, self.link).to_string(),
        )?;
        let dual_stack = self.parts.dual_stack && !self.is_of_router();
        let addresses = self.link.node_addresses(dual_stack);
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut kubelet = vec![
            binaries.path("kubelet")?,
            format!("--config={}", configuration.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--hostname-override={}", self.name),
            format!("--node-ip={}", addresses.join(",")),
        ];
        let instance = self.instance.get();
        kubelet.extend(instance.map(|of| format!("--provider-id={}", of.provider_id())));
        let is_left_alone = self.is_of_router() && !self.parts.router_joins;
        if is_left_alone {
            let labels = "signpost.dev/router=,signpost.dev/exclude=";
            kubelet.push(format!("--node-labels={labels}"));
        }
        self.machine.start(Service::new("kubelet", kubelet)).await?;
        if is_left_alone {
            // Its pods find the API server without: see `install`.
            return Ok(());
        }

        let kubeconfig = pki.path("kube-proxy.kubeconfig");
        let configuration = self.dir.join("kube-proxy.json");
        let text = config::kube_proxy(&self.parts, &self.name, &kubeconfig);
        fs::write(&configuration, text.to_string())?;
        let kube_proxy = [
            binaries.path("kube-proxy")?,
            format!("--config={}", configuration.display()),
            format!("--hostname-override={}", self.name),
        ];
        self.machine
            .start(Service::new("kube-proxy", kube_proxy))
            .await
    }

    pub(super) async fn start_runtime(&self) -> Result<()> {
        let configuration = self.dir.join("containerd.toml");
        fs::write(&configuration, config::containerd(self.snapshotter()?))?;
        let binaries = &self.parts.binaries;
        let argv = [
            binaries.path("containerd")?,
            "--config".into(),
            configuration.display().to_string(),
        ];
        let service = Service::new("containerd", argv).env("PATH", binaries.search_path());
        self.machine.start(service).await?;
        let ctr = binaries.path("ctr")?;
        let ready = wait::until(
            "containerd to answer",
            Duration::from_secs(30),
            async || {
                fs::metadata(self.path("run/containerd/containerd.sock"))?;
                self.machine.run(&[&ctr, "version"]).await
            },
        );
        ready
            .await
            .map_err(|error| self.machine.with_log(&error, "containerd"))?;
        for archive in self.images() {
            self.import(&archive).await?;
        }
        Ok(())
    }

    /// The archives of what runs here.
    fn images(&self) -> Vec<PathBuf> {
        let images = &self.parts.images;
        let mut archives = images.of_pods().to_vec();
        if self.parts.with_signpost {
            archives.push(images.of(if self.is_of_router() {
                CONTROLLER
            } else {
                AGENT
            }));
        }
        archives
    }

    /// Gives the container runtime the images of an archive.
    pub(crate) async fn import(&self, archive: &Path) -> Result<()> {
        let ctr = self.parts.binaries.path("ctr")?;
        let archive = archive.display().to_string();
        let snapshotter = format!("--snapshotter={}", self.snapshotter()?);
        let import = [&*ctr, "--namespace=k8s.io", "images", "import"];
        let argv: Vec<&str> = import
            .into_iter()
            .chain([&*snapshotter, &*archive])
            .collect();
        self.machine.run(&argv).await.map(drop)
    }

    /// Gives an image that the container runtime has another name.
    pub(crate) async fn name_image(&self, image: &str, name: &str) -> Result<()> {
        let ctr = self.parts.binaries.path("ctr")?;
        let tag = [
            &*ctr,
            "--namespace=k8s.io",
            "images",
            "tag",
            "--force",
            image,
            name,
        ];
        self.machine.run(&tag).await.map(drop)
    }

    fn snapshotter(&self) -> Result<&'static str> {
        let on_overlay = statfs(&self.dir)
            .context("looking at the file system")?
            .f_type
            == OVERLAYFS;
        Ok(if on_overlay { "native" } else { "overlayfs" })
    }
}
