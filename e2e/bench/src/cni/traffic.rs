//! What pods see: TCP between two pods of one node, as fast as it goes, and one small request after the other.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use signpost_netlink::Netns;

use super::Extent;
use super::plugin::{Node, Pod};
use crate::report::{Against, Report, Row, Series};

/// Bytes of each write of the stream.
const CHUNK: usize = 128 * 1024;
/// Bytes of a request, and of its answer.
const REQUEST: usize = 64;

/// Two pods of one node.
struct Pair<'a> {
    node: &'a Node,
    client: Pod,
    server: Pod,
    address: String,
}

/// Values of each round.
#[derive(Debug, Default)]
struct Taken {
    gigabits: Vec<f64>,
    micros: Vec<f64>,
}

pub(super) fn measure(extent: &Extent, nodes: [&Node; 3], report: &mut Report) -> Result<()> {
    let pairs = nodes
        .into_iter()
        .map(Pair::new)
        .collect::<Result<Vec<_>>>()?;
    let mut taken: [Taken; 3] = Default::default();
    for turn in 0..extent.rounds as usize {
        for position in 0..pairs.len() {
            let index = (turn + position) % pairs.len();
            taken[index]
                .gigabits
                .push(pairs[index].stream(extent.traffic)?);
            taken[index]
                .micros
                .push(pairs[index].requests(extent.traffic)?);
        }
    }
    for pair in pairs {
        pair.node.del(&pair.client)?;
        pair.node.del(&pair.server)?;
    }
    let [ptp, bridge, peer] = &taken;
    for (mode, ours) in [("ptp", ptp), ("bridge", bridge)] {
        let work = format!("pod to pod, {mode} over the reference bridge: TCP");
        report.add(Row::rate(
            work,
            "Gbit/s",
            &ours.gigabits,
            &peer.gigabits,
            Some(1.0),
        ));
        let work = format!("pod to pod, {mode} over the reference bridge: request and answer");
        report.add(Row::new(
            work,
            "µs",
            &ours.micros,
            Against::Peer(&peer.micros),
            Some(1.0),
        ));
    }
    Ok(())
}

impl<'a> Pair<'a> {
    fn new(node: &'a Node) -> Result<Self> {
        let (client, server) = (Pod::new()?, Pod::new()?);
        node.add(&client)?;
        let address = node.add_telling(&server)?;
        Ok(Self {
            node,
            client,
            server,
            address,
        })
    }

    /// A connection: the client's end, the server's end.
    fn connect(&self) -> Result<[TcpStream; 2]> {
        let inside = |netns: &Netns, what: &dyn Fn() -> std::io::Result<TcpStream>| {
            netns
                .run(what)?
                .with_context(|| format!("a connection to {}", self.address))
        };
        let listener = self
            .server
            .netns
            .run(|| TcpListener::bind((self.address.as_str(), 0)))??;
        let target = listener.local_addr()?;
        let patience = Duration::from_secs(5);
        let client = inside(&self.client.netns, &|| {
            TcpStream::connect_timeout(&target, patience)
        })?;
        let (server, _) = listener.accept()?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
        }
        Ok([client, server])
    }

    /// Gbit/s of a stream that goes on for so long.
    fn stream(&self, span: Duration) -> Result<f64> {
        let [mut client, mut server] = self.connect()?;
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || -> std::io::Result<usize> {
                let (mut buffer, mut sum) = (vec![0; CHUNK], 0);
                loop {
                    match server.read(&mut buffer)? {
                        0 => return Ok(sum),
                        length => sum += length,
                    }
                }
            });
            let (begun, chunk) = (Instant::now(), vec![0; CHUNK]);
            while begun.elapsed() < span {
                client.write_all(&chunk)?;
            }
            drop(client);
            let sum = reader
                .join()
                .map_err(|_| anyhow!("the reader panicked"))??;
            #[expect(clippy::cast_precision_loss, reason = "a measured value")]
            Ok(sum as f64 * 8.0 / begun.elapsed().as_secs_f64() / 1e9)
        })
    }

    /// Median of the microseconds that a request takes until its answer is there.
    fn requests(&self, span: Duration) -> Result<f64> {
        let [mut client, mut server] = self.connect()?;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut request = [0; REQUEST];
                while server.read_exact(&mut request).is_ok() && server.write_all(&request).is_ok()
                {
                }
            });
            let (begun, mut micros) = (Instant::now(), Vec::new());
            let mut request = [0; REQUEST];
            while begun.elapsed() < span {
                let sent = Instant::now();
                client.write_all(&request)?;
                client.read_exact(&mut request)?;
                micros.push(sent.elapsed().as_secs_f64() * 1e6);
            }
            // Ends the server.
            drop(client);
            Series::new(micros)
                .map(|it| it.median())
                .context("no answer in time")
        })
    }
}
