//! A pod's network seen with its node's tools, which tell more than those of the tool image.

use anyhow::{Context, Result};

use super::Pod;

impl Pod {
    /// Runs a program of the node in the pod's network, all else being the node's, and gives its
    /// standard output.
    ///
    /// Fails with what it said if it does not exit with 0.
    pub async fn inspect(&self, argv: &[&str]) -> Result<String> {
        let target = format!("--target={}", self.process("main")?);
        let enter = ["nsenter", &target, "--net", "--"];
        let argv = [enter.as_slice(), argv].concat();
        let context = || format!("in the network of pod {}", self.name);
        self.node.machine().run(&argv).await.with_context(context)
    }
}
