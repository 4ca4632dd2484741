//! The exchange below every subject: send a request, read answers until it is settled.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NetlinkHeader, NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, setsockopt, sockopt};

use crate::error::{Error, ErrorKind, Result};
use crate::message::{
    HEADER_BYTES, SEQUENCE, ask_for_acknowledgement, check_done, check_error, encode, split_message,
};

/// Largest datagram read. The kernel sizes dump datagrams by the reader's buffer, at most 32 KiB;
/// single answers are far smaller.
const RECEIVE_BYTES: usize = 64 * 1024;
/// Requests of one datagram have no more bytes, so that the refusals of all fit into the receive buffer.
const SEND_BYTES: usize = 4096;
/// How often a listing is begun again when changes disturbed it.
const DUMP_ATTEMPTS: usize = 8;

/// A netlink socket connected to the kernel, with one request in flight at a time.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: Socket,
    port: u32,
    sequence: u32,
    buffer: Vec<u8>,
}

/// One message of an answer, undecoded.
pub(crate) struct Answer<'a> {
    pub(crate) header: NetlinkHeader,
    pub(crate) payload: &'a [u8],
}

impl Channel {
    /// Opens a socket of `protocol` in the network namespace of the calling thread.
    pub(crate) fn open(protocol: isize) -> Result<Self> {
        let open = || -> std::io::Result<(Socket, u32)> {
            let mut socket = Socket::new(protocol)?;
            let port = socket.bind_auto()?.port_number();
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_cap_ack(true)?;
            socket.set_ext_ack(true)?;
            Ok((socket, port))
        };
        let (socket, port) = open().map_err(|error| Error::io("open a netlink socket", &error))?;
        Ok(Self {
            socket,
            port,
            sequence: 0,
            buffer: Vec::with_capacity(RECEIVE_BYTES),
        })
    }

    /// The number under which the kernel knows this socket in its namespace.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends one request and waits until it is acknowledged.
    pub(crate) fn request<M: NetlinkSerializable>(&mut self, message: M, flags: u16) -> Result<()> {
        let sequence = self.next_sequence();
        let bytes = encode(message, NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
        self.send(&bytes)?;
        self.settle(sequence, sequence, &mut refuse, &mut |_| {
            Ok(ControlFlow::Continue(()))
        })
        .map(|_undisturbed| ())
    }

    /// Sends requests together, in as few datagrams as they fit into, and tells the outcome of each, in their
    /// order. The kernel works off all of them in that order, whatever becomes of those before; only the last
    /// of a datagram asks for an acknowledgement, and a refusal is told in any case.
    pub(crate) fn requests<M: NetlinkSerializable>(
        &mut self,
        messages: impl IntoIterator<Item = (M, u16)>,
    ) -> Result<Vec<Result<()>>> {
        let messages = messages.into_iter().map(|(message, flags)| {
            let sequence = self.next_sequence();
            encode(message, NLM_F_REQUEST | flags, sequence)
        });
        let messages: Vec<Vec<u8>> = messages.collect();
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut rest = messages.as_slice();
        let mut next = self.sequence - u32::try_from(rest.len()).unwrap_or_default() + 1;
        while let [first, others @ ..] = rest {
            let mut datagram = first.clone();
            let mut last_begins = 0;
            let mut last = next;
            rest = others;
            while let [message, others @ ..] = rest
                && datagram.len() + message.len() <= SEND_BYTES
            {
                last_begins = datagram.len();
                last += 1;
                datagram.extend(message);
                rest = others;
            }
            ask_for_acknowledgement(&mut datagram[last_begins..]);
            self.send(&datagram)?;
            let mut refused: BTreeMap<u32, Error> = BTreeMap::new();
            let note = &mut |number, error| {
                refused.insert(number, error);
                Ok(())
            };
            self.settle(next, last, note, &mut |_| Ok(ControlFlow::Continue(())))?;
            let outcome = |number| refused.remove(&number).map_or(Ok(()), Err);
            outcomes.extend((next..=last).map(outcome));
            next = last + 1;
        }
        Ok(outcomes)
    }

    /// Sends a request that is answered by one message, which takes no acknowledgement, or refused.
    pub(crate) fn fetch<M: NetlinkSerializable, T>(
        &mut self,
        message: M,
        mut decode: impl FnMut(Answer<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let sequence = self.next_sequence();
        self.send(&encode(message, NLM_F_REQUEST, sequence))?;
        let mut found = None;
        self.settle(sequence, sequence, &mut refuse, &mut |answer| {
            found = Some(decode(answer)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Sends a request for a listing. `collect` gets an empty collection for each attempt, because a
    /// listing that the kernel marks as disturbed by changes is begun again.
    pub(crate) fn dump<M: NetlinkSerializable, T>(
        &mut self,
        message: M,
        mut decode: impl FnMut(Answer<'_>) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let mut bytes = encode(message, NLM_F_REQUEST | NLM_F_DUMP, 0);
        for _ in 0..DUMP_ATTEMPTS {
            let sequence = self.next_sequence();
            bytes[SEQUENCE].copy_from_slice(&sequence.to_ne_bytes());
            self.send(&bytes)?;
            let mut items = Vec::new();
            let undisturbed = self.settle(sequence, sequence, &mut refuse, &mut |answer| {
                items.extend(decode(answer)?);
                Ok(ControlFlow::Continue(()))
            })?;
            if undisturbed {
                return Ok(items);
            }
        }
        Err(Error::new("list", ErrorKind::Unsteady))
    }

    /// Sends several messages as one datagram, of which only the last asks for an acknowledgement.
    /// The kernel works a batch off before the call returns, so the first error found is the batch's.
    pub(crate) fn batch<M: NetlinkSerializable>(
        &mut self,
        messages: Vec<(M, u16)>,
        closing: M,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        let last_index = messages.len().saturating_sub(1);
        let first = self.sequence + 1;
        for (index, (message, flags)) in messages.into_iter().enumerate() {
            let sequence = self.next_sequence();
            let ack = if index == last_index { NLM_F_ACK } else { 0 };
            bytes.extend(encode(message, NLM_F_REQUEST | ack | flags, sequence));
        }
        let last = self.sequence;
        let sequence = self.next_sequence();
        bytes.extend(encode(closing, NLM_F_REQUEST, sequence));
        // A batch with many set elements outgrows the default send buffer; a refusal of the larger
        // one shows as an error of the send itself.
        let _ = setsockopt(
            &self.socket,
            sockopt::SndBufForce,
            &(bytes.len() * 2 + 4096),
        );
        self.send(&bytes)?;
        let outcome = self
            .settle(first, last, &mut refuse, &mut |_| {
                Ok(ControlFlow::Continue(()))
            })
            .map(|_| ());
        if outcome.is_err() {
            self.drain();
        }
        outcome
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    fn send(&self, bytes: &[u8]) -> Result<()> {
        loop {
            match self.socket.send(bytes, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
                Err(error) => return Err(Error::io("send a netlink request", &error)),
            }
        }
    }

    /// Reads one datagram into the buffer.
    fn receive(&mut self, flags: MsgFlags) -> Result<()> {
        loop {
            self.buffer.clear();
            self.buffer.reserve(RECEIVE_BYTES);
            // With MSG_TRUNC the length is the datagram's own, even where the buffer is shorter.
            let flags = (flags | MsgFlags::MSG_TRUNC).bits();
            match self.socket.recv(&mut self.buffer, flags) {
                Ok(length) if length <= self.buffer.len() => return Ok(()),
                Ok(length) => {
                    let detail = format!("a datagram of {length} bytes");
                    return Err(Error::decode("read a netlink answer", &detail));
                }
                Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
                Err(error) => return Err(Error::io("read a netlink answer", &error)),
            }
        }
    }

    /// Reads until the requests numbered `first` to `last` are settled: `refused` takes a refusal for an
    /// error, the last is acknowledged or refused or its listing complete, or `visit` has enough. Tells
    /// whether the listing was undisturbed. Late answers to earlier requests are skipped.
    fn settle(
        &mut self,
        first: u32,
        last: u32,
        refused: &mut dyn FnMut(u32, Error) -> Result<()>,
        visit: &mut dyn FnMut(Answer<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let mut undisturbed = true;
        loop {
            self.receive(MsgFlags::empty())?;
            let mut rest = self.buffer.as_slice();
            while rest.len() >= HEADER_BYTES {
                let (header, payload, next) = split_message(rest)?;
                rest = next;
                undisturbed &= header.flags & NLM_F_DUMP_INTR == 0;
                if !(first..=last).contains(&header.sequence_number) {
                    continue;
                }
                match header.message_type {
                    NLMSG_NOOP => {}
                    NLMSG_ERROR => {
                        if let Err(error) = check_error(&header, payload) {
                            refused(header.sequence_number, error)?;
                        }
                        if header.sequence_number == last {
                            return Ok(undisturbed);
                        }
                    }
                    NLMSG_DONE => {
                        check_done(payload)?;
                        return Ok(undisturbed);
                    }
                    _ => {
                        if visit(Answer { header, payload })?.is_break() {
                            return Ok(undisturbed);
                        }
                    }
                }
            }
        }
    }

    /// Discards answers that are still queued after a failed batch.
    fn drain(&mut self) {
        while self.receive(MsgFlags::MSG_DONTWAIT).is_ok() {}
    }
}

/// Takes the refusal of one request for the outcome of all.
fn refuse(_number: u32, error: Error) -> Result<()> {
    Err(error)
}
