//! What runs, and how it stops.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    api::{Bounds, KubeApi},
    cli::RunArgs,
    connect,
    driver::Driver,
    elect::{Candidate, Elector},
    fence::Fence,
    health::Health,
    http as pages,
    ledger::Ledger,
    metrics::Metrics,
    network::{self, Wish},
    session::{Inputs, Left},
};

/// How long a connection to the API server may take to be made.
const LONGEST_CONNECT: Duration = Duration::from_secs(5);
/// How the program names itself to the API server.
const USER_AGENT: &str = concat!("signpost-controller/", env!("CARGO_PKG_VERSION"));

/// Runs the controller until SIGTERM or SIGINT; then waits for the writes under way and gives the
/// lease back.
///
/// # Errors
/// Only what trying again cannot mend: a kubeconfig that cannot be read, an address in use.
pub async fn run(args: RunArgs) -> Result<()> {
    let stop = stop_on_signal()?;
    let terms = args.terms();
    let metrics = Arc::new(Metrics::new()?);
    let health = Arc::new(Health::new(terms.duration));
    let listener = pages::bind(args.http_address).await?;
    let config = cluster(args.kubeconfig.as_deref()).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        server = %config.cluster_url,
        http = %listener.local_addr()?,
        "starting"
    );
    let server = pages::serve(listener, Arc::clone(&metrics), Arc::clone(&health));
    let _server = AbortOnDropHandle::new(tokio::spawn(server));

    let client = connect::client(config).context("the kubeconfig cannot be used")?;
    let fence = Fence::default();
    let api = KubeApi::new(client, Bounds::of(terms), fence.clone(), metrics);
    let namespace = args.lease_namespace.clone();
    let candidate = Candidate {
        namespace: args.lease_namespace,
        name: args.lease_name,
        identity: Candidate::identity(args.identity.as_deref()),
        terms,
    };
    let ledger = Ledger::default();
    let (elector, term) = Elector::new(
        api.clone(),
        candidate,
        fence,
        Arc::clone(&health),
        ledger.clone(),
    );
    let resign = CancellationToken::new();
    let mut elector = AbortOnDropHandle::new(tokio::spawn(elector.run(resign.clone())));
    let (sender, wishes) = watch::channel(Wish::default());
    let mut network = AbortOnDropHandle::new(tokio::spawn(network::watch(api.clone(), sender)));

    let inputs = Inputs {
        term,
        wishes,
        stop,
        ledger,
        left: Left::default(),
        namespace,
    };
    tokio::select! {
        () = Driver::new(api, health, inputs).run() => {}
        ended = &mut elector => bail!("the election ended unexpectedly: {ended:?}"),
        ended = &mut network => bail!("the watch of PodNetwork ended unexpectedly: {ended:?}"),
    }
    // Every write has ended, so the next leader may begin.
    resign.cancel();
    elector.await.context("the election failed")?;
    tracing::info!("stopped");
    Ok(())
}

/// Where the cluster is and who we are there.
async fn cluster(kubeconfig: Option<&Path>) -> Result<Config> {
    let options = KubeConfigOptions::default();
    let mut config = if let Some(path) = kubeconfig {
        let file = Kubeconfig::read_from(path)
            .with_context(|| format!("--kubeconfig {}", path.display()))?;
        Config::from_custom_kubeconfig(file, &options)
            .await
            .with_context(|| format!("--kubeconfig {}", path.display()))?
    } else if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Config::incluster().context("the pod's service account cannot be used")?
    } else {
        Config::from_kubeconfig(&options)
            .await
            .context("no cluster is known: name one with --kubeconfig or KUBECONFIG")?
    };
    // As the agent's: one that was begun before kube-proxy was there finds nobody for as long as it lasts.
    config.connect_timeout = Some(LONGEST_CONNECT);
    // Whether and when to try again is decided by who sent the request.
    config.default_retry = false;
    // By this audit logs and the rules of API Priority and Fairness tell us from others.
    let agent = ::http::HeaderValue::from_static(USER_AGENT);
    config.headers.push((::http::header::USER_AGENT, agent));
    Ok(config)
}

fn stop_on_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("stopping: {name}");
        told.cancel();
    });
    Ok(stop)
}
