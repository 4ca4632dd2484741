//! Whether the agent works and the node is as planned: what `/healthz` and `/readyz` say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};
use tokio::net::TcpListener;

/// How long the agent may do nothing, beyond the time between its regular checks.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Shared signs of life.
#[derive(Debug)]
pub struct Health {
    check_period: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    beat: Instant,
    /// Why the node is not as planned.
    missing: Option<String>,
    /// What may stop packets all the same, and is others' to change.
    remarks: Vec<String>,
}

impl Health {
    /// Of an agent that has just started.
    pub fn new(check_period: Duration) -> Self {
        let state = State {
            beat: Instant::now(),
            missing: Some("starting".to_owned()),
            remarks: Vec::new(),
        };
        Self {
            check_period,
            state: Mutex::new(state),
        }
    }

    /// The agent has looked at the node, and found it as planned or said what is missing. Remarks change
    /// nothing of that.
    pub fn looked(&self, missing: Option<&str>, remarks: impl IntoIterator<Item = String>) {
        // No holder can panic between two changes that belong together.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.beat = Instant::now();
        state.missing = missing.map(str::to_owned);
        state.remarks = remarks.into_iter().collect();
    }

    fn live(&self) -> Result<String, String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = state.beat.elapsed();
        if silent > self.check_period + LONGEST_SILENCE {
            return Err(format!("the agent is stuck since {} s", silent.as_secs()));
        }
        Ok("alive".to_owned())
    }

    fn ready(&self) -> Result<String, String> {
        self.live()?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(missing) = &state.missing {
            return Err(missing.clone());
        }
        let set_up = std::iter::once("the node is set up");
        let remarks = state.remarks.iter().map(String::as_str);
        Ok(set_up.chain(remarks).collect::<Vec<_>>().join("\n"))
    }
}

/// Serves both pages from now on.
///
/// # Errors
///
/// If nobody can listen there; the error says what to do.
pub async fn serve(address: SocketAddr, health: Arc<Health>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: choose another one with --http-address")
    })?;
    let live = Arc::clone(&health);
    let router = Router::new()
        .route("/healthz", page(move || live.live()))
        .route("/readyz", page(move || health.ready()));
    tokio::spawn(async move {
        // It ends only with the process.
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "the HTTP server ended");
        }
    });
    Ok(())
}

fn page<F>(text: F) -> MethodRouter
where
    F: Fn() -> Result<String, String> + Clone + Send + Sync + 'static,
{
    get(async move || match text() {
        Ok(text) => (StatusCode::OK, format!("{text}\n")),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_ready_while_the_node_is_as_planned() {
        let health = Health::new(Duration::from_secs(10));
        assert_eq!(health.ready().unwrap_err(), "starting");
        health.looked(None, []);
        assert_eq!(health.ready().unwrap(), "the node is set up");
        health.looked(None, ["a firewall drops".to_owned()]);
        assert_eq!(
            health.ready().unwrap(),
            "the node is set up\na firewall drops"
        );
        health.looked(Some("waiting for a pod CIDR"), []);
        assert_eq!(health.ready().unwrap_err(), "waiting for a pod CIDR");
        assert_eq!(
            health.live().unwrap(),
            "alive",
            "that is no fault of the agent"
        );
    }

    #[test]
    fn an_agent_that_does_not_look_is_dead() {
        let health = Health::new(Duration::from_secs(10));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(71)).unwrap();
        health.state.lock().unwrap().beat = long_ago;
        assert!(health.live().unwrap_err().contains("stuck since 71 s"));
        assert!(health.ready().is_err());
    }
}
