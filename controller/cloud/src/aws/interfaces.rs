//! Network interfaces as EC2 describes them by themselves.

use std::sync::Arc;

use aws_sdk_ec2::types::{self, AttachmentStatus};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawInterface {
    pub(super) id: Arc<str>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) zone: Option<Arc<str>>,
    /// The instance that it is attached to, running or not; none while it is being detached.
    pub(super) instance: Option<Arc<str>>,
    /// The account that the instance belongs to.
    pub(super) instance_owner: Option<Arc<str>>,
    /// Packets that are not addressed to it are dropped.
    pub(super) checked: bool,
}

impl RawInterface {
    /// `None` for one without an id, which EC2 never sends.
    pub(super) fn read(interface: &types::NetworkInterface) -> Option<Self> {
        let attachment = interface.attachment();
        let attachment = attachment.filter(|it| !it.status().is_some_and(is_leaving));
        let instance = attachment.and_then(types::NetworkInterfaceAttachment::instance_id);
        let owner = attachment.and_then(types::NetworkInterfaceAttachment::instance_owner_id);
        Some(Self {
            id: interface.network_interface_id()?.into(),
            tags: tags(interface.tag_set()),
            zone: interface.availability_zone().map(Arc::from),
            instance: instance.map(Arc::from),
            instance_owner: owner.map(Arc::from),
            checked: interface.source_dest_check() != Some(false),
        })
    }
}

/// Whether an interface with this attachment is about to be nobody's.
pub(super) fn is_leaving(status: &AttachmentStatus) -> bool {
    let leaving = [AttachmentStatus::Detaching, AttachmentStatus::Detached];
    leaving.contains(status)
}

/// Tags with key and value.
pub(super) fn tags(tags: &[types::Tag]) -> Vec<(String, String)> {
    let tag = |tag: &types::Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    tags.iter().filter_map(tag).collect()
}

/// Whether this tag is among them with the value `owned` or `shared`.
pub(super) fn belongs_to(tags: &[(String, String)], cluster_tag: &str) -> bool {
    tags.iter()
        .any(|(key, value)| key == cluster_tag && (value == "owned" || value == "shared"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{NetworkInterface, NetworkInterfaceAttachment};

    use super::*;

    #[test]
    fn one_that_is_being_detached_belongs_to_no_instance() {
        let at = |status| {
            let attachment = NetworkInterfaceAttachment::builder()
                .instance_id("i-1")
                .status(status);
            let interface = NetworkInterface::builder()
                .network_interface_id("eni-1")
                .attachment(attachment.build());
            RawInterface::read(&interface.build()).unwrap().instance
        };
        assert_eq!(at(AttachmentStatus::Attached).as_deref(), Some("i-1"));
        assert_eq!(at(AttachmentStatus::Attaching).as_deref(), Some("i-1"));
        assert_eq!(at(AttachmentStatus::Detaching), None);
    }
}
