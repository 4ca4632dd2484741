//! A running emulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::calls::Call;
use crate::core::Core;
use crate::faults::Fault;
use crate::metadata::Identity;
use crate::policy::Policy;
use crate::server::{Service, serve};
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
        let core = Arc::new(Core::new(&options));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(Arc::clone(&core), listener, Service::Api));
        let mut imds = None;
        if let Some(address) = options.imds {
            let listener = TcpListener::bind(address).await?;
            imds = Some(listener.local_addr()?);
            tasks.spawn(serve(Arc::clone(&core), listener, Service::Metadata));
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
        let mut version = self.core.version();
        // The sender lives as long as the emulator, so waiting cannot fail.
        let _ = version.wait_for(|version| *version > since).await;
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
        self.core.apply(settings);
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

    /// Says on which instance the clients of the metadata service run.
    pub fn set_identity(&self, identity: Identity) {
        self.core.with(|state| state.metadata.set(identity));
    }
}
