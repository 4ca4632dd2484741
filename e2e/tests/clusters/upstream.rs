//! Kubernetes' own tests of networking: a few of them, of which `make conformance` runs all.

use anyhow::Result;
use signpost_e2e::conformance::{self, Options};

pub(crate) async fn a_few_of_kubernetes_own_tests_pass() -> Result<()> {
    conformance::run(&Options::few()?).await
}
