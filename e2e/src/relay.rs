//! A relay of TCP connections that can be slow, cut them, refuse them or hold back what they carry.
//!
//! It runs as a service of a machine: this program again ([`main`]), told what to do through a Unix
//! socket. [`Relay`] is the harness's side.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;

use crate::RELAY_ROLE;
use crate::machine::Service;

/// What is carried at once.
const CHUNK: usize = 16 * 1024;

/// How a relay treats connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Carries everything, each piece this much later, in both directions.
    Pass {
        /// Milliseconds.
        delay: u64,
    },
    /// Ends connections, and new ones as soon as they are made.
    Refuse,
    /// Takes connections and carries nothing. What it held back is lost when the mode changes: the
    /// connections end then.
    Hold,
}

#[derive(Serialize, Deserialize)]
struct Spec {
    listen: SocketAddrV4,
    /// The address that connections to the target come from.
    from: Ipv4Addr,
    target: SocketAddrV4,
    socket: PathBuf,
}

/// What connections look at. Those of another generation end.
#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    generation: u64,
}

/// The harness's side of a relay.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    service: String,
    spec: PathBuf,
    socket: PathBuf,
    listen: SocketAddrV4,
}

impl Relay {
    /// A relay from `listen` to `target`, whose files are in `dir`. It is not started.
    pub(crate) fn new(
        name: &str,
        dir: &Path,
        listen: SocketAddrV4,
        from: Ipv4Addr,
        target: SocketAddrV4,
    ) -> Result<Self> {
        let socket = dir.join(format!("{name}.sock"));
        let path = dir.join(format!("{name}.json"));
        let spec = Spec {
            listen,
            from,
            target,
            socket: socket.clone(),
        };
        fs::write(&path, serde_json::to_vec(&spec)?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(Self {
            service: name.to_owned(),
            spec: path,
            socket,
            listen,
        })
    }

    /// The service that a machine runs.
    pub(crate) fn service(&self) -> Result<Service> {
        let exe = std::env::current_exe().context("finding the running program")?;
        let argv = [exe.as_path(), Path::new(RELAY_ROLE), &self.spec];
        let argv = argv.map(|part| part.display().to_string());
        Ok(Service::new(&self.service, argv))
    }

    /// Where it listens.
    pub(crate) fn listen(&self) -> SocketAddrV4 {
        self.listen
    }

    /// Changes how connections are treated. All that there are end, unless both modes pass.
    pub(crate) async fn set(&self, mode: Mode) -> Result<()> {
        let context = || format!("asking the relay {}", self.service);
        let mut connection = UnixStream::connect(&self.socket)
            .await
            .with_context(context)?;
        let line = format!("{}\n", serde_json::to_string(&mode)?);
        connection
            .write_all(line.as_bytes())
            .await
            .with_context(context)?;
        let mut done = String::new();
        BufReader::new(connection)
            .read_line(&mut done)
            .await
            .with_context(context)?;
        Ok(())
    }

    /// Ends all connections, and carries new ones as before.
    pub(crate) async fn cut(&self) -> Result<()> {
        self.set(Mode::Refuse).await?;
        self.set(Mode::Pass { delay: 0 }).await
    }
}

/// Runs a relay as its specification file says, until it is killed.
pub(crate) fn main(spec: &Path) -> Result<()> {
    let text = fs::read_to_string(spec).with_context(|| format!("reading {}", spec.display()))?;
    let spec: Spec = serde_json::from_str(&text)?;
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(serve(spec))
}

async fn serve(spec: Spec) -> Result<()> {
    let (sender, receiver) = watch::channel(State {
        mode: Mode::Pass { delay: 0 },
        generation: 0,
    });
    // Left over by the one before, if that was killed.
    drop(fs::remove_file(&spec.socket));
    let control = UnixListener::bind(&spec.socket)
        .with_context(|| format!("listening on {}", spec.socket.display()))?;
    let listener = TcpListener::bind(spec.listen)
        .await
        .with_context(|| format!("listening on {}", spec.listen))?;
    loop {
        tokio::select! {
            asked = control.accept() => {
                if let Err(error) = obey(asked?.0, &sender).await {
                    eprintln!("not understood: {error:#}");
                }
            }
            client = listener.accept() => {
                let (client, _) = client?;
                let state = receiver.clone();
                tokio::spawn(async move {
                    // Either side may end a connection at any time.
                    drop(connect(client, spec.from, spec.target, state).await);
                });
            }
        }
    }
}

async fn obey(connection: UnixStream, sender: &watch::Sender<State>) -> Result<()> {
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    let mode: Mode = serde_json::from_str(&line)?;
    sender.send_modify(|state| {
        let both_carry =
            matches!(state.mode, Mode::Pass { .. }) && matches!(mode, Mode::Pass { .. });
        // What arrives from now on is held back; connections stay until that is over.
        if !both_carry && mode != Mode::Hold {
            state.generation += 1;
        }
        state.mode = mode;
    });
    connection.write_all(b"done\n").await?;
    Ok(())
}

async fn connect(
    client: TcpStream,
    from: Ipv4Addr,
    target: SocketAddrV4,
    mut state: watch::Receiver<State>,
) -> Result<()> {
    let now = *state.borrow_and_update();
    if now.mode == Mode::Refuse {
        return Ok(());
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    let server = socket.connect(target.into()).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pump(from_client, to_server, state.clone(), now.generation);
    let back = pump(from_server, to_client, state.clone(), now.generation);
    let both = async { tokio::join!(there, back) };
    tokio::select! {
        _ = both => {}
        _ = state.wait_for(|state| state.generation != now.generation) => {}
    }
    Ok(())
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    generation: u64,
) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(to.shutdown().await?);
        }
        let mode = state.borrow().mode;
        if let Mode::Pass { delay } = mode {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let now = *state.wait_for(|state| state.mode != Mode::Hold).await?;
        if now.generation != generation {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}
