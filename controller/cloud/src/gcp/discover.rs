//! Where we are: project and network of this instance, as its metadata server says, which no crate reads.

use std::{env, sync::Arc, time::Duration};

use google_cloud_auth::credentials::{self, Credentials};
use reqwest::Client;
use signpost_core::cloud::{CloudError, CloudErrorKind};

use super::{config::GcpConfig, errors, links, place::Place};

/// Where the metadata server is unless this names another, as for every client of Google's.
const HOST_VARIABLE: &str = "GCE_METADATA_HOST";
/// Its address, which needs no name to be resolved.
const DEFAULT_HOST: &str = "169.254.169.254";
/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(3);
/// What credentials are for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The application default credentials.
pub(super) fn credentials() -> Result<Credentials, CloudError> {
    let builder = credentials::Builder::default().with_scopes([SCOPE]);
    builder.build().map_err(|error| {
        let problem = format!("no credentials of Google: {error}; {}", errors::CREDENTIALS);
        CloudError::new(CloudErrorKind::Denied, problem)
    })
}

/// The network that is programmed: the configured one or that of this instance.
pub(super) async fn place(config: &GcpConfig) -> Result<Place, CloudError> {
    if let (Some(project), Some(network)) = (&config.project, &config.network) {
        let (project, network) = (project.as_str().into(), network.as_str().into());
        return Ok(Place::new(project, network, []));
    }
    let own = own().await.map_err(|why| {
        let missing = match (&config.project, &config.network) {
            (None, None) => "spec.cloud.gcp.project and spec.cloud.gcp.network",
            (None, _) => "spec.cloud.gcp.project",
            (_, _) => "spec.cloud.gcp.network",
        };
        CloudError::new(
            CloudErrorKind::Invalid,
            format!(
                "the network is not known: set {missing}; the instance's metadata did not tell \
                 (outside Google Cloud there are none): {why}"
            ),
        )
    })?;
    let network: Arc<str> = match &config.network {
        Some(network) => network.as_str().into(),
        None => own.network,
    };
    Ok(match &config.project {
        Some(project) => Place::new(project.as_str().into(), network, []),
        None => Place::new(own.project, network, own.aliases),
    })
}

/// What the metadata say.
struct Own {
    /// The project of the network: in a Shared VPC not that of the instance.
    project: Arc<str>,
    network: Arc<str>,
    aliases: Vec<Arc<str>>,
}

async fn own() -> Result<Own, String> {
    let client = Client::builder()
        .timeout(LONGEST)
        // It is on this machine, whatever is to be asked through a proxy.
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let link = get(&client, "instance/network-interfaces/0/network").await?;
    let network = links::network(&link)
        .ok_or_else(|| format!("its network is {link}, which is no name of a network"))?;
    let number = get(&client, "project/numeric-project-id").await?;
    // The metadata name the network's project by its number.
    if *network.project != *number {
        return Ok(Own {
            project: network.project,
            network: network.name,
            aliases: Vec::new(),
        });
    }
    let id = get(&client, "project/project-id").await?;
    Ok(Own {
        project: id.into(),
        network: network.name,
        aliases: vec![number.into()],
    })
}

/// One entry ("View and query VM metadata" in Compute Engine's documents).
async fn get(client: &Client, entry: &str) -> Result<String, String> {
    let host = env::var(HOST_VARIABLE).unwrap_or_else(|_| DEFAULT_HOST.to_owned());
    let url = format!("http://{host}/computeMetadata/v1/{entry}");
    let request = client.get(&url).header("Metadata-Flavor", "Google");
    let answer = async { request.send().await?.error_for_status()?.text().await };
    match answer.await {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(format!("{entry}: {error}")),
    }
}
