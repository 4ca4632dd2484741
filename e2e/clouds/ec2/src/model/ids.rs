//! Identifiers, and the codes by which unknown ones are refused.

use signpost_emulator::Store;

use crate::error::Refusal;

/// What an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vpc,
    Subnet,
    Table,
    Association,
    CidrAssociation,
    Instance,
    Reservation,
    Interface,
    Attachment,
    Gateway,
    Peering,
    PrefixList,
    Group,
}

impl Kind {
    /// The text before the hexadecimal part.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Kind::Vpc => "vpc-",
            Kind::Subnet => "subnet-",
            Kind::Table => "rtb-",
            Kind::Association => "rtbassoc-",
            Kind::CidrAssociation => "vpc-cidr-assoc-",
            Kind::Instance => "i-",
            Kind::Reservation => "r-",
            Kind::Interface => "eni-",
            Kind::Attachment => "eni-attach-",
            Kind::Gateway => "igw-",
            Kind::Peering => "pcx-",
            Kind::PrefixList => "pl-",
            Kind::Group => "sg-",
        }
    }

    /// The code without its ending for identifiers of the right form, and for others.
    fn codes(self) -> (&'static str, &'static str) {
        match self {
            Kind::Vpc => ("InvalidVpcID", "InvalidVpcID"),
            Kind::Subnet => ("InvalidSubnetID", "InvalidSubnetID"),
            Kind::Table => ("InvalidRouteTableID", "InvalidRouteTableId"),
            Kind::Association | Kind::CidrAssociation => {
                ("InvalidAssociationID", "InvalidAssociationID")
            }
            Kind::Instance | Kind::Reservation => ("InvalidInstanceID", "InvalidInstanceID"),
            Kind::Interface => ("InvalidNetworkInterfaceID", "InvalidNetworkInterfaceId"),
            Kind::Attachment => ("InvalidAttachmentID", "InvalidAttachmentID"),
            Kind::Gateway => ("InvalidInternetGatewayID", "InvalidInternetGatewayId"),
            Kind::Peering => (
                "InvalidVpcPeeringConnectionID",
                "InvalidVpcPeeringConnectionId",
            ),
            Kind::PrefixList => ("InvalidPrefixListID", "InvalidPrefixListId"),
            Kind::Group => ("InvalidGroup", "InvalidGroupId"),
        }
    }

    /// What can have tags.
    pub(crate) const TAGGABLE: [Self; 7] = [
        Self::Vpc,
        Self::Subnet,
        Self::Table,
        Self::Instance,
        Self::Interface,
        Self::Gateway,
        Self::Peering,
    ];

    /// The kind of an identifier, if it is one that can have tags.
    pub(crate) fn of(id: &str) -> Option<Self> {
        Self::TAGGABLE
            .into_iter()
            .find(|kind| id.starts_with(kind.prefix()))
    }

    /// The kind of an identifier of something that an account owns.
    pub(crate) fn named(id: &str) -> Option<Self> {
        let others = [
            Self::Association,
            Self::Attachment,
            Self::PrefixList,
            Self::Group,
        ];
        let mut others = others.into_iter();
        let of = others.find(|kind| id.starts_with(kind.prefix()));
        of.or_else(|| Self::of(id))
    }

    /// The resource type of tags; nothing for what cannot have tags.
    pub(crate) fn resource_type(self) -> Option<&'static str> {
        match self {
            Kind::Vpc => Some("vpc"),
            Kind::Subnet => Some("subnet"),
            Kind::Table => Some("route-table"),
            Kind::Instance => Some("instance"),
            Kind::Interface => Some("network-interface"),
            Kind::Gateway => Some("internet-gateway"),
            Kind::Peering => Some("vpc-peering-connection"),
            Kind::Association
            | Kind::CidrAssociation
            | Kind::Reservation
            | Kind::Attachment
            | Kind::PrefixList
            | Kind::Group => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::Vpc => "vpc",
            Kind::Subnet => "subnet",
            Kind::Table => "routeTable",
            Kind::Association => "association",
            Kind::CidrAssociation => "CIDR association",
            Kind::Instance => "instance",
            Kind::Reservation => "reservation",
            Kind::Interface => "networkInterface",
            Kind::Attachment => "attachment",
            Kind::Gateway => "internetGateway",
            Kind::Peering => "vpcPeeringConnection",
            Kind::PrefixList => "prefix list",
            Kind::Group => "security group",
        }
    }

    /// Refuses what has not the form of such an identifier: its prefix and 8 or 17 hexadecimal digits.
    pub(crate) fn check(self, id: &str) -> Result<(), Refusal> {
        let digits = id.strip_prefix(self.prefix()).unwrap_or("");
        let formed = matches!(digits.len(), 8 | 17)
            && digits
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if formed {
            return Ok(());
        }
        let code = format!("{}.Malformed", self.codes().1);
        Err(Refusal::client(
            &code,
            format!("Invalid id: \"{id}\" (expecting \"{}...\")", self.prefix()),
        ))
    }

    /// The refusal of identifiers that name nothing.
    pub(crate) fn unknown<S: AsRef<str>>(self, ids: &[S]) -> Refusal {
        let code = format!("{}.NotFound", self.codes().0);
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let (plural, verb) = if ids.len() == 1 {
            ("", "does")
        } else {
            ("s", "do")
        };
        let list = ids.join(", ");
        Refusal::client(
            &code,
            format!("The {} ID{plural} '{list}' {verb} not exist", self.noun()),
        )
    }

    /// The record that `id` names, as it is.
    pub(crate) fn find<V: Clone>(self, store: &Store<String, V>, id: &str) -> Result<V, Refusal> {
        self.check(id)?;
        store
            .get(&id.to_owned())
            .cloned()
            .ok_or_else(|| self.unknown(&[id]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_checked_before_the_record_is_looked_for() {
        assert!(Kind::Table.check("rtb-0123456789abcdef0").is_ok());
        assert!(Kind::Table.check("rtb-01234567").is_ok());
        for id in ["rtb-xyz", "vpc-01234567", "rtb-0123456G", ""] {
            assert_eq!(
                Kind::Table.check(id).unwrap_err().code,
                "InvalidRouteTableId.Malformed"
            );
        }
        assert_eq!(
            Kind::Table.unknown(&["a"]).code,
            "InvalidRouteTableID.NotFound"
        );
    }
}
