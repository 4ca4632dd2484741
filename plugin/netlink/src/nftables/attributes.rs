//! Attributes of the kernel's answers, read one by one.
//!
//! Not by the typed decoder, so that an expression of somebody else's rule that the decoder does not
//! know cannot hide that rule.

use netlink_packet_core::{Emitable as _, Nla, NlasIterator};

/// Length in bytes of the netfilter header in front of the attributes.
const HEADER_BYTES: usize = 4;

/// One attribute: its kind and its value.
pub(super) type Attribute<'a> = (u16, &'a [u8]);

/// The attributes of a message.
pub(super) fn of_message(payload: &[u8]) -> Vec<Attribute<'_>> {
    read(payload.get(HEADER_BYTES..).unwrap_or_default())
}

/// The attributes that `bytes` hold.
pub(super) fn read(bytes: &[u8]) -> Vec<Attribute<'_>> {
    with_nesting(bytes)
        .map(|(kind, _, value)| (kind, value))
        .collect()
}

pub(super) fn find<'a>(attributes: &[Attribute<'a>], kind: u16) -> Option<&'a [u8]> {
    attributes
        .iter()
        .find(|(found, _)| *found == kind)
        .map(|(_, value)| *value)
}

pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned()
}

pub(super) fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().copied().map(u32::from_be_bytes)
}

/// The bytes in which attributes are sent.
pub(super) fn bytes<T: Nla>(attributes: &[T]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

/// Whether the kernel shows as `shown` what was sent as `sent`.
///
/// It names defaults that nobody sent, in some versions more than in others: an attribute of nothing
/// but zeros says the same as none, since those that mean something when they are zero are never
/// left out. It does not mark nesting, so the sent ones tell what is nested.
pub(super) fn same(sent: &[u8], shown: &[u8]) -> bool {
    let telling = |bytes| {
        let mut attributes: Vec<_> = with_nesting(bytes)
            .filter(|(_, _, value)| value.iter().any(|byte| *byte != 0))
            .collect();
        attributes.sort_by_key(|(kind, _, _)| *kind);
        attributes
    };
    let (sent, shown) = (telling(sent), telling(shown));
    sent.len() == shown.len()
        && sent.iter().zip(&shown).all(|(sent, shown)| {
            let (kind, nested, value) = sent;
            *kind == shown.0 && (*value == shown.2 || *nested && same(value, shown.2))
        })
}

fn with_nesting(bytes: &[u8]) -> impl Iterator<Item = (u16, bool, &[u8])> {
    NlasIterator::new(bytes)
        .map_while(std::result::Result::ok)
        .filter_map(|attribute| {
            let length = usize::from(attribute.length());
            let value = attribute.into_inner().get(4..length)?;
            Some((attribute.kind(), attribute.nested_flag(), value))
        })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NLA_F_NESTED;

    use super::*;

    /// An attribute as it lies in a message.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn defaults_that_the_kernel_names_are_no_difference_and_all_else_is() {
        let inner = [attribute(1, &[7]), attribute(2, &[9, 9])].concat();
        let sent = [attribute(1, b"cmp\0"), attribute(2 | NLA_F_NESTED, &inner)].concat();
        let shown = |extra: &[u8], value: u8| {
            let inner = [
                attribute(2, &[value, 9]),
                attribute(1, &[7]),
                extra.to_vec(),
            ]
            .concat();
            [attribute(1, b"cmp\0"), attribute(2, &inner)].concat()
        };
        assert!(same(&sent, &shown(&[], 9)));
        assert!(same(&sent, &shown(&attribute(3, &[0; 4]), 9)));
        assert!(!same(&sent, &shown(&attribute(3, &[0, 0, 0, 1]), 9)));
        assert!(!same(&sent, &shown(&[], 8)));
        assert!(!same(&sent, &attribute(1, b"cmp\0")));
    }
}
