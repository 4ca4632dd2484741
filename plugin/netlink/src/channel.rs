//! The exchange below every subject: send a request, read answers until it is settled.

use std::ops::Range;

use netlink_packet_core::{
    DefaultNla, ErrorBuffer, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
    NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, Nla as _, NlasIterator, Parseable,
};
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, setsockopt, sockopt};

use crate::error::{Error, ErrorKind, Result};

/// Largest datagram read. The kernel sizes dump datagrams by the reader's buffer, at most 32 KiB;
/// single answers are far smaller.
const RECEIVE_BYTES: usize = 64 * 1024;
/// Length of a netlink message header in bytes.
const HEADER_BYTES: usize = 16;
/// Where the header has the request's number.
const SEQUENCE: Range<usize> = 8..12;
/// `NLMSGERR_ATTR_MSG`: the kernel's explanation as a string.
const ATTR_MESSAGE: u16 = 1;
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

    /// Sends one request and hands each message of its answer to `visit`.
    pub(crate) fn request<M: NetlinkSerializable>(
        &mut self,
        message: M,
        flags: u16,
        mut visit: impl FnMut(Answer<'_>) -> Result<()>,
    ) -> Result<()> {
        let sequence = self.next_sequence();
        let bytes = encode(message, NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
        self.send(&bytes)?;
        self.settle(sequence, sequence, &mut visit)
            .map(|_undisturbed| ())
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
            let undisturbed = self.settle(sequence, sequence, &mut |answer| {
                items.extend(decode(answer)?);
                Ok(())
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
        let outcome = self.settle(first, last, &mut |_| Ok(())).map(|_| ());
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

    /// Reads until the requests numbered `first` to `last` are settled: one is refused, or the last
    /// is acknowledged or its listing complete. Tells whether the listing was undisturbed. Late
    /// answers to earlier requests are skipped.
    fn settle(
        &mut self,
        first: u32,
        last: u32,
        visit: &mut dyn FnMut(Answer<'_>) -> Result<()>,
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
                        check_error(&header, payload)?;
                        if header.sequence_number == last {
                            return Ok(undisturbed);
                        }
                    }
                    NLMSG_DONE => {
                        check_done(payload)?;
                        return Ok(undisturbed);
                    }
                    _ => visit(Answer { header, payload })?,
                }
            }
        }
    }

    /// Discards answers that are still queued after a failed batch.
    fn drain(&mut self) {
        while self.receive(MsgFlags::MSG_DONTWAIT).is_ok() {}
    }
}

/// Splits the first message off a datagram: header, payload, remaining bytes.
pub(crate) fn split_message(bytes: &[u8]) -> Result<(NetlinkHeader, &[u8], &[u8])> {
    let decode = |error: netlink_packet_core::DecodeError| Error::decode("read netlink", &error);
    let buffer = NetlinkBuffer::new_checked(&bytes).map_err(decode)?;
    let header = NetlinkHeader::parse(&buffer).map_err(decode)?;
    let length = header.length as usize;
    let payload = bytes.get(HEADER_BYTES..length).unwrap_or_default();
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Ok((header, payload, next))
}

fn encode<M: NetlinkSerializable>(message: M, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len().next_multiple_of(4)];
    message.serialize(&mut bytes);
    bytes
}

fn check_error(header: &NetlinkHeader, payload: &[u8]) -> Result<()> {
    let operation = "netlink request";
    let buffer =
        ErrorBuffer::new_checked(&payload).map_err(|error| Error::decode(operation, &error))?;
    let Some(code) = buffer.code() else {
        return Ok(());
    };
    // With NETLINK_CAP_ACK the answer holds the request's header, then the attributes.
    let attributes = payload.get(4 + HEADER_BYTES..).unwrap_or_default();
    let explanation = if header.flags & NLM_F_ACK_TLVS == 0 {
        &[]
    } else {
        attributes
    };
    Err(kernel_error(code.get(), explanation))
}

fn check_done(payload: &[u8]) -> Result<()> {
    let Some((code, attributes)) = payload.split_first_chunk::<4>() else {
        return Ok(());
    };
    match i32::from_ne_bytes(*code) {
        code if code < 0 => Err(kernel_error(code, attributes)),
        _ => Ok(()),
    }
}

fn kernel_error(code: i32, attributes: &[u8]) -> Error {
    let explanation = NlasIterator::new(attributes)
        .flatten()
        .filter_map(|nla| DefaultNla::parse(&nla).ok())
        .find(|nla| nla.kind() == ATTR_MESSAGE)
        .map(|nla| {
            let mut text = vec![0; nla.value_len()];
            nla.emit_value(&mut text);
            String::from_utf8_lossy(&text)
                .trim_end_matches('\0')
                .to_owned()
        });
    let errno = Errno::from_raw(code.wrapping_abs());
    let explanation = explanation.unwrap_or_default();
    Error::new("netlink request", ErrorKind::Kernel { errno, explanation })
}
