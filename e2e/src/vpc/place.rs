//! The thread in the router's network on which the emulator and the fabric run.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};

use crate::addresses::API_V4;

use super::fabric::{self, Emulated, Setup};

/// Where the emulator's API is, seen from the router and from nodes.
pub(super) const fn api_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(API_V4), 4566)
}

/// Where its metadata server is, if it has one.
pub(super) const fn metadata_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(API_V4), 4567)
}

/// An emulator in another network namespace, and the fabric there. Both end when this is dropped.
pub(super) struct Place<E> {
    pub(super) emulator: Arc<E>,
    /// Whoever runs on it has the other namespace's network.
    pub(super) handle: Handle,
    /// The version of the emulator's state that the kernel follows.
    pub(super) followed: watch::Receiver<u64>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<E: Emulated> Place<E> {
    /// Starts both in the network namespace of a process.
    pub(super) async fn start(
        process: u32,
        setup: Setup,
        begin: impl AsyncFnOnce() -> Result<E> + Send + 'static,
    ) -> Result<Self> {
        let (end, ended) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let (follow, followed) = watch::channel(0);
        let body = move || {
            if let Err(error) = live(process, begin, &setup, ready, &follow, ended) {
                eprintln!("the network's fabric ended: {error:#}");
            }
        };
        let thread = std::thread::Builder::new()
            .name("network".into())
            .spawn(body)
            .context("starting the network's thread")?;
        let started = is_ready.await;
        let (emulator, handle) =
            started.context("starting the network; what failed stands above")?;
        Ok(Self {
            emulator,
            handle,
            followed,
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl<E> Drop for Place<E> {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It says itself what went wrong.
            drop(thread.join());
        }
    }
}

type Ready<E> = oneshot::Sender<(Arc<E>, Handle)>;

fn live<E: Emulated>(
    process: u32,
    begin: impl AsyncFnOnce() -> Result<E>,
    setup: &Setup,
    ready: Ready<E>,
    followed: &watch::Sender<u64>,
    ended: oneshot::Receiver<()>,
) -> Result<()> {
    let path = format!("/proc/{process}/ns/net");
    let namespace = File::open(&path).with_context(|| format!("opening {path}"))?;
    // This thread alone: all of the runtime's sockets and processes come from it.
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .context("entering the router's network")?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let emulator = Arc::new(begin().await?);
        // Nobody waits any more if it is to end already.
        drop(ready.send((Arc::clone(&emulator), Handle::current())));
        tokio::select! {
            result = fabric::run(&*emulator, setup, followed) => result,
            _ = ended => Ok(()),
        }
    })
}
