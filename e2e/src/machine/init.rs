//! Process 1 of a machine.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags};

use super::services::Services;
use super::{Bind, MachineSpec, Reply, Request};

/// Sets the machine up as its specification file says, and serves requests until it is killed.
pub(crate) fn main(spec: &Path) -> Result<()> {
    let text = fs::read_to_string(spec).with_context(|| format!("reading {}", spec.display()))?;
    let spec: MachineSpec = serde_json::from_str(&text)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).context("setting the host name")?;
    mounts(&spec)?;
    command("ip", &["link", "set", "lo", "up"])?;
    for (path, value) in &spec.sysctls {
        let path = Path::new("/proc/sys").join(path);
        fs::write(&path, value)
            .with_context(|| format!("writing {value} to {}", path.display()))?;
    }
    if let Some(target) = spec.forward_to {
        let inherited = std::io::stdin().as_fd().try_clone_to_owned()?;
        std::thread::spawn(move || forward(&TcpListener::from(inherited), &target));
    }
    let services = Arc::new(Services::default());
    let listener = UnixListener::bind(&spec.socket)
        .with_context(|| format!("listening on {}", spec.socket.display()))?;
    let serving = Arc::clone(&services);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let services = Arc::clone(&serving);
            // Whoever asked has gone away if answering fails.
            std::thread::spawn(move || drop(answer(&services, &connection)));
        }
    });
    services.reap()
}

fn mounts(spec: &MachineSpec) -> Result<()> {
    // Pods' volumes, mounted by the kubelet, must show up in containerd's namespaces and back.
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", shared).context("making mounts shared")?;
    // Programs share memory by names with their process's number, which other machines' have too.
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("shm", "/dev/shm", "tmpfs", flags, c"mode=1777")
        .context("giving the machine its own /dev/shm")?;
    for overlay in &spec.overlays {
        if let Err(error) = mount_overlay(overlay) {
            // The work folder may itself be on an overlay, as in a container that is thrown away:
            // folders are made on the host then.
            eprintln!("no overlay on {}: {error:#}", overlay.to.display());
        }
    }
    for Bind { from, to } in &spec.binds {
        if from.is_dir() {
            fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
        }
        rustix::mount::mount_bind(from, to)
            .with_context(|| format!("laying {} over {}", from.display(), to.display()))?;
    }
    rustix::mount::mount_change("/", shared).context("making mounts shared")
}

fn mount_overlay(Bind { from, to }: &Bind) -> Result<()> {
    let (upper, work) = (from.join("upper"), from.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        to.display(),
        upper.display(),
        work.display()
    );
    let options = std::ffi::CString::new(options)?;
    rustix::mount::mount(
        "overlay",
        to,
        "overlay",
        MountFlags::empty(),
        options.as_c_str(),
    )?;
    Ok(())
}

fn command(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).status()?;
    ensure!(
        status.success(),
        "{program} {} failed: {status}",
        arguments.join(" ")
    );
    Ok(())
}

fn answer(services: &Arc<Services>, connection: &UnixStream) -> Result<()> {
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    let done = match serde_json::from_str(&line)? {
        Request::Start { service, log } => services.start(service, log),
        Request::Stop { name, at_once } => services.stop(&name, at_once),
        Request::Signal { name, signal } => services.signal(&name, signal),
        Request::Status => Ok(()),
    };
    let reply: Reply = done
        .map(|()| services.status())
        .map_err(|error| format!("{error:#}"));
    let mut connection = connection;
    writeln!(connection, "{}", serde_json::to_string(&reply)?)?;
    Ok(())
}

/// Carries connections from a socket of the namespace in which it was opened to `target` in this
/// one: how a client outside reaches the API server without any address in the host's network.
fn forward(listener: &TcpListener, target: &str) {
    for client in listener.incoming().flatten() {
        let Ok(server) = TcpStream::connect(target) else {
            continue;
        };
        let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
            continue;
        };
        std::thread::spawn(move || pump(&from_client, &server));
        std::thread::spawn(move || pump(&from_server, &client));
    }
}

fn pump(mut from: &TcpStream, mut to: &TcpStream) {
    // Either side may end the connection at any time; the other is told below.
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Write));
}
