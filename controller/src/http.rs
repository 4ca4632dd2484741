//! `/metrics`, `/healthz` and `/readyz`.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use axum::{
    Router,
    http::StatusCode,
    routing::{MethodRouter, get},
};
use tokio::net::TcpListener;

use crate::{health::Health, metrics::Metrics};

/// Listens; `port 0` takes a free one. The error says what to do.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: choose another one with --http-address")
    })
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, health: Arc<Health>) {
    let live = Arc::clone(&health);
    let router = Router::new()
        .route(
            "/metrics",
            page(move || metrics.text().map_err(|error| error.to_string())),
        )
        .route(
            "/healthz",
            page(move || live.live().map(|()| "alive\n".to_owned())),
        )
        .route(
            "/readyz",
            page(move || health.ready().map(|role| format!("ready: {role}\n"))),
        );
    // It ends only with the process.
    if let Err(error) = axum::serve(listener, router).await {
        tracing::warn!(%error, "the HTTP server ended");
    }
}

fn page<F>(text: F) -> MethodRouter
where
    F: Fn() -> Result<String, String> + Clone + Send + Sync + 'static,
{
    get(async move || match text() {
        Ok(text) => (StatusCode::OK, text),
        Err(problem) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {problem}\n"),
        ),
    })
}
