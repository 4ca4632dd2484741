//! A running emulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use signpost_emulator::{Call, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::core::{self, Core};
use crate::faults::Fault;
use crate::identity::Identity;
use crate::server;
use crate::settings::{Options, Settings};
use crate::snapshot::Snapshot;

/// An emulator that runs until this is dropped.
#[derive(Debug)]
pub struct Emulator {
    core: Arc<Core>,
    api: SocketAddr,
    metadata: Option<SocketAddr>,
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
        let mut metadata = None;
        if let Some(address) = options.metadata {
            let listener = TcpListener::bind(address).await?;
            metadata = Some(listener.local_addr()?);
            let served = Arc::clone(&core);
            tasks.spawn(serve(listener, move |arrival| {
                server::metadata(Arc::clone(&served), arrival)
            }));
        }
        let living = Arc::clone(&core);
        tasks.spawn(async move { living.live().await });
        Ok(Self {
            core,
            api,
            metadata,
            _tasks: tasks,
        })
    }

    /// The root, without a slash at its end. The API is below it at `/compute/v1`, the control path at
    /// `/_control`.
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The root of the metadata server, if there is one. Clients of Google want it without the scheme, in
    /// `GCE_METADATA_HOST`.
    pub fn metadata_url(&self) -> Option<String> {
        self.metadata.map(|address| format!("http://{address}"))
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
        self.core.with(|state| state.world.settings.clone())
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

    /// Begins a minute of rates anew, for instance after a scene was built.
    pub fn fill_rates(&self) {
        self.core.with(|state| state.rates.fill());
    }

    /// Lets a caller do in a project only what these permissions allow, such as `compute.routes.create`.
    /// The caller is a bearer token, or the account for which the metadata server gave it. Of projects of
    /// which nothing is said it may then do nothing; a caller of whom nothing is said may do everything.
    pub fn set_permissions(&self, caller: &str, project: &str, permissions: &[&str]) {
        let permissions = permissions.iter().map(|&of| of.to_owned()).collect();
        self.core
            .with(|state| state.permissions.set(caller, project, permissions));
    }

    /// Says on which instance the clients of the metadata server run, and as whom.
    pub fn set_identity(&self, identity: Identity) {
        self.core.with(|state| state.tokens.set(identity));
    }
}
