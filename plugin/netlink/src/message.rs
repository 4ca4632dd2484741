//! One netlink message as it is sent, and as an answer tells of it.

use std::ops::Range;

use netlink_packet_core::{
    DefaultNla, ErrorBuffer, NLM_F_ACK, NLM_F_ACK_TLVS, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable, Nla as _, NlasIterator, Parseable,
};
use nix::errno::Errno;

use crate::error::{Error, ErrorKind, Result};

/// Length of a netlink message header in bytes.
pub(crate) const HEADER_BYTES: usize = 16;
/// Where the header has the request's flags.
const FLAGS: Range<usize> = 6..8;
/// Where it has the request's number.
pub(crate) const SEQUENCE: Range<usize> = 8..12;
/// `NLMSGERR_ATTR_MSG`: the kernel's explanation as a string.
const ATTR_MESSAGE: u16 = 1;

/// Has the kernel acknowledge a request that was written without that.
pub(crate) fn ask_for_acknowledgement(message: &mut [u8]) {
    let [low, high] = [message[FLAGS.start], message[FLAGS.start + 1]];
    let flags = u16::from_ne_bytes([low, high]) | NLM_F_ACK;
    message[FLAGS].copy_from_slice(&flags.to_ne_bytes());
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

/// Writes a message, padded to where the next may begin.
pub(crate) fn encode<M: NetlinkSerializable>(message: M, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len().next_multiple_of(4)];
    message.serialize(&mut bytes);
    bytes
}

/// What an acknowledgement says: an error if it is a refusal.
pub(crate) fn check_error(header: &NetlinkHeader, payload: &[u8]) -> Result<()> {
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

/// What the end of a listing says.
pub(crate) fn check_done(payload: &[u8]) -> Result<()> {
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
