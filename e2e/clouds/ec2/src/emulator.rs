//! A running emulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use signpost_emulator::{Call, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::core::{self, Core};
use crate::faults::Fault;
use crate::metadata::Identity;
use crate::model::{Kind, PrefixList, Route, Target};
use crate::policy::Policy;
use crate::server;
use crate::settings::{Options, Settings};
use crate::snapshot::Snapshot;

/// An emulator that runs until this is dropped.
#[derive(Debug)]
pub struct Emulator {
    core: Arc<Core>,
    region: String,
    api: SocketAddr,
    imds: Option<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl Emulator {
    /// Starts one within the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// If a setting cannot be (a negative duration) or an address cannot be listened on.
    pub async fn start(options: Options) -> io::Result<Self> {
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        options.settings.check().map_err(invalid)?;
        let listener = TcpListener::bind(options.listen).await?;
        let api = listener.local_addr()?;
        let core = Arc::new(core::new(&options));
        let mut tasks = JoinSet::new();
        let served = Arc::clone(&core);
        tasks.spawn(serve(listener, move |arrival| {
            server::answer(Arc::clone(&served), arrival)
        }));
        let mut imds = None;
        if let Some(address) = options.imds {
            let listener = TcpListener::bind(address).await?;
            imds = Some(listener.local_addr()?);
            let served = Arc::clone(&core);
            tasks.spawn(serve(listener, move |arrival| {
                server::metadata(Arc::clone(&served), arrival)
            }));
        }
        let living = Arc::clone(&core);
        tasks.spawn(async move { living.live().await });
        Ok(Self {
            core,
            region: options.region,
            api,
            imds,
            _tasks: tasks,
        })
    }

    /// The endpoint of the API, without a slash at its end. The control path is below it at `/_control`.
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The endpoint of the metadata service, if there is one.
    pub fn imds_url(&self) -> Option<String> {
        self.imds.map(|address| format!("http://{address}"))
    }

    /// The region that requests have to be signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The state as the data plane uses it now.
    pub fn snapshot(&self) -> Snapshot {
        self.core.with(|state| Snapshot::of(&state.world))
    }

    /// Waits until the state's version is beyond `since`, and gives that state.
    pub async fn changed(&self, since: u64) -> Snapshot {
        self.core.changed(since).await;
        self.snapshot()
    }

    /// All calls so far, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.calls_after(0)
    }

    /// The calls after the one with this number.
    pub fn calls_after(&self, id: u64) -> Vec<Call> {
        self.core.calls().after(id).to_vec()
    }

    /// Empties the log of calls.
    pub fn clear_calls(&self) {
        self.core.calls().clear();
    }

    /// Puts a fault in force; the number ends it.
    ///
    /// # Errors
    ///
    /// If the rule cannot be, such as a probability beyond 1.
    pub fn add_fault(&self, fault: Fault) -> Result<u64, String> {
        fault.check()?;
        Ok(self.core.faults().add(fault))
    }

    /// Ends a fault. False if it was not in force any more.
    pub fn remove_fault(&self, number: u64) -> bool {
        self.core.faults().remove(number)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.core.faults().clear();
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.core.with(|state| state.settings.clone())
    }

    /// Changes settings.
    ///
    /// # Errors
    ///
    /// If a setting cannot be; then none is changed.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) -> Result<(), String> {
        let mut settings = self.settings();
        change(&mut settings);
        settings.check()?;
        core::apply(&self.core, settings);
        Ok(())
    }

    /// Fills all buckets, for instance after a scene was built.
    pub fn fill_buckets(&self) {
        self.core.with(|state| state.buckets.fill());
    }

    /// Lets an access key, or the role of an instance profile, do only what a policy allows. Without one
    /// a caller may do everything.
    ///
    /// # Errors
    ///
    /// If the document has conditions that cannot be judged here.
    pub fn set_policy(&self, principal: &str, policy: Policy) -> Result<(), String> {
        policy.check()?;
        self.core
            .with(|state| state.policies.insert(principal.to_owned(), policy));
        Ok(())
    }

    /// A virtual private gateway propagates a route to a table, where it stands beside any other for the
    /// same destination ("Route priority and propagated routes").
    pub fn propagate(&self, table: &str, destination: IpNet) {
        self.core.with(|state| {
            let spread = state.world.spread();
            let gateway = "vgw-0123456789abcdef0".to_owned();
            let key = (table.to_owned(), destination);
            state.world.propagated.put(key, gateway, spread);
        });
    }

    /// Somebody has made a route to a target of a kind of which there is nothing else here. It stands
    /// in the place of any other.
    pub fn lead_to(&self, table: &str, destination: IpNet, target: OtherTarget) {
        let (member, id) = target.shown();
        self.core.with(|state| {
            let spread = state.world.spread();
            let target = Target::Other {
                member,
                id: id.to_owned(),
            };
            let route = Route {
                target,
                implicit: false,
            };
            let key = (table.to_owned(), destination);
            state.world.routes.put(key, route, spread);
        });
    }

    /// Somebody has made a prefix list for at most so many entries. Returns its id.
    pub fn add_prefix_list(&self, name: &str, v6: bool, entries: usize) -> String {
        let list = PrefixList {
            name: name.to_owned(),
            v6,
            weight: entries,
            of_aws: name.starts_with("com.amazonaws."),
        };
        self.core.with(|state| {
            let id = state.world.new_id(Kind::PrefixList);
            let spread = state.world.spread();
            state.world.prefix_lists.put(id.clone(), list, spread);
            id
        })
    }

    /// Somebody has led a prefix list from a table to a gateway.
    pub fn lead_prefix_list(&self, table: &str, list: &str) {
        self.core.with(|state| {
            let spread = state.world.spread();
            let key = (table.to_owned(), list.to_owned());
            let gateway = "vpce-0123456789abcdef0".to_owned();
            state.world.listed.put(key, gateway, spread);
        });
    }

    /// Says on which instance the clients of the metadata service run.
    pub fn set_identity(&self, identity: Identity) {
        self.core.with(|state| state.metadata.set(identity));
    }
}

/// Targets of routes that are not network interfaces (the members of `Route` in the service model).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherTarget {
    /// A NAT gateway.
    NatGateway,
    /// A transit gateway.
    TransitGateway,
    /// A gateway load balancer endpoint, which is named as a gateway.
    VpcEndpoint,
    /// An egress-only internet gateway, for IPv6.
    EgressOnlyGateway,
    /// The core network of a cloud WAN.
    CoreNetwork,
}

impl OtherTarget {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NatGateway,
        Self::TransitGateway,
        Self::VpcEndpoint,
        Self::EgressOnlyGateway,
        Self::CoreNetwork,
    ];

    /// How a route shows it: by which member, with which value.
    fn shown(self) -> (&'static str, &'static str) {
        match self {
            Self::NatGateway => ("natGatewayId", "nat-0123456789abcdef0"),
            Self::TransitGateway => ("transitGatewayId", "tgw-0123456789abcdef0"),
            Self::VpcEndpoint => ("gatewayId", "vpce-0123456789abcdef0"),
            Self::EgressOnlyGateway => ("egressOnlyInternetGatewayId", "eigw-0123456789abcdef0"),
            Self::CoreNetwork => (
                "coreNetworkArn",
                "arn:aws:networkmanager::123456789012:core-network/core-network-0123456789abcdef0",
            ),
        }
    }
}
