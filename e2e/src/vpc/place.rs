//! The thread in the router's network on which the emulator and the fabric run.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use signpost_ec2::{Emulator, Options, Settings};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};

use crate::addresses::API_V4;

use super::fabric::{self, Setup};

/// Where the emulator's API is, seen from the router and from nodes.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(API_V4), 4566);

/// An emulator in another network namespace, and the fabric there. Both end when this is dropped.
pub(super) struct Place {
    pub(super) emulator: Arc<Emulator>,
    /// Whoever runs on it has the other namespace's network.
    pub(super) handle: Handle,
    /// The version of the emulator's state that the kernel follows.
    pub(super) followed: watch::Receiver<u64>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Starts both in the network namespace of a process.
    pub(super) async fn start(process: u32, settings: Settings, setup: Setup) -> Result<Self> {
        let (end, ended) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let (follow, followed) = watch::channel(0);
        let body = move || {
            if let Err(error) = live(process, settings, &setup, ready, &follow, ended) {
                eprintln!("the VPC's fabric ended: {error:#}");
            }
        };
        let thread = std::thread::Builder::new()
            .name("vpc".into())
            .spawn(body)
            .context("starting the VPC's thread")?;
        let started = is_ready.await;
        let (emulator, handle) = started.context("starting the VPC; what failed stands above")?;
        Ok(Self {
            emulator,
            handle,
            followed,
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It says itself what went wrong.
            drop(thread.join());
        }
    }
}

type Ready = oneshot::Sender<(Arc<Emulator>, Handle)>;

fn live(
    process: u32,
    settings: Settings,
    setup: &Setup,
    ready: Ready,
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
        let options = Options {
            listen: LISTEN,
            settings,
            ..Options::default()
        };
        let emulator = Emulator::start(options).await;
        let emulator = Arc::new(emulator.context("starting the EC2 emulator")?);
        // Nobody waits any more if it is to end already.
        drop(ready.send((Arc::clone(&emulator), Handle::current())));
        tokio::select! {
            result = fabric::run(&emulator, setup, followed) => result,
            _ = ended => Ok(()),
        }
    })
}
