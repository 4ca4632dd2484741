//! Whose everything is, where a VPC is shared between accounts.
//!
//! Rules are those of "Responsibilities and permissions for owners and participants" and "Share your
//! VPC subnets with other accounts" in the VPC's guide, unless something is said to be assumed. Here
//! one account owns the VPCs with all that is part of them; others own instances, interfaces and
//! security groups in them.

use super::{Kind, Participant, View, World};

impl World {
    /// The account of an access key, or of the role of an instance profile.
    pub(crate) fn account_of(&self, principal: &str) -> &str {
        let mut participants = self.habits.participants.iter();
        let of = participants.find(|it| it.access_keys.iter().any(|key| key == principal));
        of.map_or(&self.account, |of| &of.account)
    }

    /// Whether the caller is of the account that owns the VPCs.
    pub(crate) fn is_owner(&self) -> bool {
        self.caller == self.account
    }

    fn participant(&self) -> Option<&Participant> {
        let mut participants = self.habits.participants.iter();
        participants.find(|it| it.account == self.caller)
    }

    /// The account that something belongs to; nothing if an instance, an interface or a security group is
    /// not there.
    pub(crate) fn owner_of(&self, view: View, kind: Kind, id: &str) -> Option<&String> {
        let key = id.to_owned();
        match kind {
            Kind::Instance => view.get(&self.instances, &key).map(|it| &it.owner),
            Kind::Interface => view.get(&self.interfaces, &key).map(|it| &it.owner),
            Kind::Attachment => {
                let mut interfaces = view.iter(&self.interfaces).map(|(_, it)| it);
                let with =
                    interfaces.find(|it| it.attachment.as_ref().is_some_and(|of| of.id == id));
                with.map(|it| &it.owner)
            }
            Kind::Group => view.get(&self.groups, &key).map(|it| &it.owner),
            _ => Some(&self.account),
        }
    }

    /// Whether something that exists belongs to the caller.
    pub(crate) fn owns(&self, view: View, kind: Kind, id: &str) -> bool {
        self.owner_of(view, kind, id) == Some(&self.caller)
    }

    /// Whether something that exists is described to the caller: what is its own, and what follows.
    pub(crate) fn sees(&self, view: View, kind: Kind, id: &str) -> bool {
        if self.owns(view, kind, id) {
            return true;
        }
        if self.is_owner() {
            // "VPC owners can describe network interfaces owned by participants", and security groups.
            return matches!(kind, Kind::Interface | Kind::Attachment | Kind::Group);
        }
        let key = id.to_owned();
        match kind {
            // "Participants can describe subnets", VPCs, route tables and internet gateways "in a shared
            // VPC subnet".
            Kind::Subnet => self.is_shared(id),
            Kind::Vpc => self.shared_in(view, id).next().is_some(),
            Kind::Table => self.serves_shared(view, id),
            Kind::Association => view
                .get(&self.associations, &key)
                .is_some_and(|it| self.serves_shared(view, &it.table)),
            Kind::Gateway => view
                .get(&self.gateways, &key)
                .and_then(|it| it.vpc.as_ref())
                .is_some_and(|vpc| self.shared_in(view, vpc).next().is_some()),
            // Those of AWS are everybody's.
            Kind::PrefixList => view
                .get(&self.prefix_lists, &key)
                .is_some_and(|it| it.of_aws),
            // "Participants cannot view … resources that belong to other participants or the VPC owner".
            _ => false,
        }
    }

    /// Whether a subnet is shared with the caller.
    fn is_shared(&self, subnet: &str) -> bool {
        let participant = self.participant();
        participant.is_some_and(|it| it.subnets.iter().any(|shared| shared == subnet))
    }

    /// The subnets of a VPC that are shared with the caller.
    fn shared_in<'a>(&'a self, view: View, vpc: &'a str) -> impl Iterator<Item = &'a String> {
        let subnets = view.iter(&self.subnets);
        let of_vpc = subnets.filter(move |(id, subnet)| subnet.vpc == vpc && self.is_shared(id));
        of_vpc.map(|(id, _)| id)
    }

    /// Whether a subnet that is shared with the caller follows this table. That it counts also if it
    /// follows it as the main one is assumed.
    fn serves_shared(&self, view: View, table: &str) -> bool {
        let associations = || view.iter(&self.associations).map(|(_, it)| it);
        associations()
            .filter(|it| it.table == table)
            .any(|it| match &it.subnet {
                Some(subnet) => self.is_shared(subnet),
                None if it.is_main() => self.shared_in(view, &it.vpc).any(|subnet| {
                    !associations().any(|other| other.subnet.as_ref() == Some(subnet))
                }),
                None => false,
            })
    }

    /// The tags of a resource as far as the caller sees them: "VPC tags and tags for the resources within
    /// the shared VPC are not shared with the participants". That the owner of the VPC sees none of a
    /// participant's either is assumed.
    pub(crate) fn shown_tags(&self, view: View, id: &str) -> Vec<(String, String)> {
        if self.owns_tagged(view, id) {
            self.tags_of(view, id)
        } else {
            Vec::new()
        }
    }

    /// Whether a resource with tags is the caller's, be it that it is not seen yet or not gone yet.
    pub(crate) fn owns_tagged(&self, view: View, id: &str) -> bool {
        let owns = |kind| self.owns(View::Truth, kind, id) || self.owns(view, kind, id);
        Kind::of(id).is_some_and(owns)
    }
}
