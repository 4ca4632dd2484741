//! The `PodNetwork` object: watched always, and turned into what the engine is told.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::StreamExt;
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::watcher::{self, watcher},
};
use signpost_api::{
    Cloud, NAME, NodeNetwork, ParsedPool, PodNetwork, PodNetworkSpec, PodNetworkStatus, PoolState,
};
use signpost_core::{Config, PoolConfig};
use tokio::sync::watch;

use crate::{
    api::KubeApi,
    errors::Category,
    watching::{Trouble, Watched, config, lasting},
};

/// Keeps the object until our routes are gone.
pub const FINALIZER: &str = "signpost.dev/routes";

const NETWORKS: Watched = Watched {
    resource: "podnetworks.signpost.dev",
    if_unknown: "the kind PodNetwork is not installed: run `signpost-controller crd | kubectl apply -f -`",
};

/// What the cluster's people wish for.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Wish {
    /// Not read yet.
    #[default]
    Unread,
    /// There is no object.
    Absent,
    /// There is one that cannot be used; the text names the fields and the remedy.
    Invalid(Arc<Object>, String),
    /// There is one.
    Valid(Arc<Valid>),
}

/// The object apart from its spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub version: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// It is being deleted.
    pub deleting: bool,
    /// As it was last written, by whichever leader.
    pub status: PodNetworkStatus,
}

impl Wish {
    /// Whether `other` differs in status and version only, as after a write of the status.
    fn means_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Valid(one), Self::Valid(other)) => {
                one.object.is_but_for_status(&other.object)
                    && one.config == other.config
                    && one.cloud == other.cloud
                    && one.agents == other.agents
            }
            (Self::Invalid(one, problem), Self::Invalid(other, others)) => {
                one.is_but_for_status(other) && problem == others
            }
            _ => self == other,
        }
    }

    /// The object, if there is one.
    pub fn object(&self) -> Option<&Object> {
        match self {
            Self::Valid(valid) => Some(&valid.object),
            Self::Invalid(object, _) => Some(object),
            Self::Unread | Self::Absent => None,
        }
    }
}

impl Object {
    fn is_but_for_status(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.generation == other.generation
            && self.finalizers == other.finalizers
            && self.deleting == other.deleting
    }

    /// `metadata.resourceVersion`, by which newer is told from older.
    pub fn number(&self) -> Option<u64> {
        self.version.parse().ok()
    }

    /// Whether our finalizer is in place.
    pub fn is_kept(&self) -> bool {
        self.finalizers.iter().any(|name| name == FINALIZER)
    }
}

/// An object that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Valid {
    /// The object.
    pub object: Object,
    /// What the engine is told.
    pub config: Config,
    /// What the provider is made from.
    pub cloud: Cloud,
    /// What node agents are told, but for nodes' addresses.
    pub agents: NodeNetwork,
}

impl Valid {
    /// Whether a provider made for `other` serves for this one too.
    pub fn same_cloud(&self, other: &Self) -> bool {
        let cloud = |valid: &Self| Cloud {
            check_period: String::new(),
            ..valid.cloud.clone()
        };
        self.object.uid == other.object.uid && cloud(self) == cloud(other)
    }

    /// Whether a provider made for `other` knows the routes of this one's as its own.
    pub fn same_routes(&self, other: &Self) -> bool {
        let aws = |cloud: &Cloud| {
            let aws = cloud.aws.clone()?;
            Some((aws.cluster_name, aws.region, aws.vpc_id))
        };
        let gcp = |cloud: &Cloud| {
            let gcp = cloud.gcp.clone()?;
            Some((gcp.cluster_name, gcp.project, gcp.network))
        };
        let linux = |cloud: &Cloud| cloud.linux.clone().unwrap_or_default();
        let (one, other) = (&self.cloud, &other.cloud);
        one.provider == other.provider
            && linux(one) == linux(other)
            && aws(one) == aws(other)
            && gcp(one) == gcp(other)
    }
}

/// Keeps `wishes` at what the object says. Ends with the receivers.
///
/// Receivers are not woken by what changes nothing but status and version, such as our own writes of the
/// status.
///
/// The object is read without its type first, so that one which an older schema let in is reported
/// with the field's name and does not break the watch.
pub async fn watch(api: KubeApi, wishes: watch::Sender<Wish>) {
    let resource = ApiResource::erase::<PodNetwork>(&());
    let networks = Api::<DynamicObject>::all_with(api.client(), &resource);
    let config = config().fields(&format!("metadata.name={NAME}"));
    let stream = lasting(
        move || watcher(networks.clone(), config.clone()),
        NETWORKS,
        Arc::clone(api.metrics()),
    );
    let mut stream = std::pin::pin!(stream);
    let mut listed = None;
    let mut trouble = Trouble::default();
    while let Some(event) = stream.next().await {
        let wish = match event {
            watcher::Event::Init => {
                listed = None;
                continue;
            }
            watcher::Event::InitApply(object) => {
                listed = Some(object);
                continue;
            }
            watcher::Event::InitDone => listed.take().as_ref().map_or(Wish::Absent, read),
            watcher::Event::Apply(object) => read(&object),
            watcher::Event::Delete(_) => Wish::Absent,
        };
        match &wish {
            Wish::Unread => {}
            Wish::Valid(_) => trouble.over("the PodNetwork can be used"),
            Wish::Absent => {
                api.metrics().error(Category::NetworkMissing);
                trouble.tell(&format!(
                    "there is no PodNetwork named {NAME}: nothing is allocated until it is created, \
                     see `kubectl explain podnetwork.spec`"
                ));
            }
            Wish::Invalid(_, problem) => {
                api.metrics().error(Category::NetworkInvalid);
                trouble.tell(&format!(
                    "the PodNetwork cannot be used, nothing new is begun until it is mended: {problem}"
                ));
            }
        }
        if wishes.is_closed() {
            return;
        }
        wishes.send_if_modified(|known| {
            let news = !known.means_the_same(&wish);
            *known = wish;
            news
        });
    }
}

/// What an object says.
pub fn read(raw: &DynamicObject) -> Wish {
    let object = Object {
        uid: raw.uid().unwrap_or_default(),
        version: raw.resource_version().unwrap_or_default(),
        generation: raw.meta().generation.unwrap_or_default(),
        finalizers: raw.finalizers().to_vec(),
        deleting: raw.meta().deletion_timestamp.is_some(),
        // Only ever written by us; what cannot be read is written anew.
        status: raw
            .data
            .get("status")
            .and_then(|status| serde_json::from_value(status.clone()).ok())
            .unwrap_or_default(),
    };
    let spec = raw.data.get("spec").cloned().unwrap_or_default();
    let spec: PodNetworkSpec = match serde_json::from_value(spec) {
        Ok(spec) => spec,
        Err(error) => {
            let problem = format!(
                "spec: {error}; update the CustomResourceDefinition with \
                 `signpost-controller crd | kubectl apply -f -`, which then names the field"
            );
            return Wish::Invalid(Arc::new(object), problem);
        }
    };
    match spec.parse() {
        Ok(parsed) => {
            let datapath = &spec.datapath;
            let agents = NodeNetwork {
                mode: datapath.mode,
                mtu: datapath.mtu,
                pools: parsed.pools.iter().map(|pool| pool.cidr).collect(),
                masquerade: datapath.masquerade.enabled,
                exempt: parsed.except_cidrs,
            };
            let config = Config {
                generation: object.generation,
                pools: parsed.pools.into_iter().map(pool).collect(),
                reserved: parsed.reserved_cidrs,
                check_period: parsed.check_period,
                max_deletion_percent: spec.safety.max_deletion_percent,
                teardown: object.deleting,
            };
            Wish::Valid(Arc::new(Valid {
                object,
                config,
                cloud: spec.cloud,
                agents,
            }))
        }
        Err(problem) => Wish::Invalid(Arc::new(object), problem.to_string()),
    }
}

fn pool(parsed: ParsedPool) -> PoolConfig {
    PoolConfig {
        name: parsed.name.into(),
        cidr: parsed.cidr,
        node_prefix_length: parsed.node_prefix_length,
        node_selector: parsed
            .match_labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect(),
        state: match parsed.state {
            PoolState::Active => signpost_core::PoolState::Active,
            PoolState::Draining => signpost_core::PoolState::Draining,
        },
    }
}
