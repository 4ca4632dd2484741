//! The actions of the API. Each reads its parameters, ends that with [`Params::finish`] and then acts.

use std::ops::RangeInclusive;

use signpost_emulator::{Clock, Time};

use crate::error::Refusal;
use crate::filters::Filters;
use crate::model::{Kind, Store, View, World};
use crate::paging::Page;
use crate::protocol::Params;
use crate::xml::Fields;

mod attributes;
mod destinations;
mod gateways;
mod groups;
mod instances;
mod interfaces;
mod launch;
mod listing;
mod peerings;
mod prefix_lists;
mod routes;
mod sharing;
mod subnets;
mod tables;
mod tags;
mod vpc_cidrs;
mod vpcs;
mod zones;

use listing::Listing;

pub(crate) use sharing::{check as check_sharing, unauthorized};

/// Records of one page, and the token that leads to the next.
type Selected<'s, V> = (Vec<(String, &'s V)>, Option<String>);

/// What an action has to work with.
pub(crate) struct Request<'a> {
    pub(crate) params: Params,
    pub(crate) world: &'a mut World,
    pub(crate) clock: &'a Clock,
}

type Action = fn(&mut Request<'_>) -> Result<Fields, Refusal>;

/// Every action of the emulator, by name.
const ACTIONS: &[(&str, Action)] = &[
    ("AcceptVpcPeeringConnection", peerings::accept),
    ("AssignIpv6Addresses", interfaces::assign_ipv6),
    ("AssignPrivateIpAddresses", interfaces::assign_ipv4),
    ("AssociateRouteTable", tables::associate),
    ("AssociateSubnetCidrBlock", subnets::associate_cidr),
    ("AssociateVpcCidrBlock", vpc_cidrs::associate),
    ("AttachInternetGateway", gateways::attach),
    ("AttachNetworkInterface", interfaces::attach),
    ("CreateInternetGateway", gateways::create),
    ("CreateNetworkInterface", interfaces::create),
    ("CreateManagedPrefixList", prefix_lists::create),
    ("CreateRoute", routes::create),
    ("CreateRouteTable", tables::create),
    ("CreateSecurityGroup", groups::create),
    ("CreateSubnet", subnets::create),
    ("CreateTags", tags::create),
    ("CreateVpc", vpcs::create),
    ("CreateVpcPeeringConnection", peerings::create),
    ("DeleteInternetGateway", gateways::delete),
    ("DeleteNetworkInterface", interfaces::delete),
    ("DeleteRoute", routes::delete),
    ("DeleteRouteTable", tables::delete),
    ("DeleteSecurityGroup", groups::delete),
    ("DeleteSubnet", subnets::delete),
    ("DeleteTags", tags::delete),
    ("DeleteVpc", vpcs::delete),
    ("DeleteVpcPeeringConnection", peerings::delete),
    ("DescribeAvailabilityZones", zones::describe),
    ("DescribeInstanceAttribute", attributes::describe_instance),
    ("DescribeInstances", instances::describe),
    ("DescribeInternetGateways", gateways::describe),
    ("DescribeManagedPrefixLists", prefix_lists::describe),
    (
        "DescribeNetworkInterfaceAttribute",
        attributes::describe_interface,
    ),
    ("DescribeNetworkInterfaces", interfaces::describe),
    ("DescribeRouteTables", tables::describe),
    ("DescribeSecurityGroups", groups::describe),
    ("DescribeSubnets", subnets::describe),
    ("DescribeTags", tags::describe),
    ("DescribeVpcAttribute", vpcs::describe_attribute),
    ("DescribeVpcPeeringConnections", peerings::describe),
    ("DescribeVpcs", vpcs::describe),
    ("DetachInternetGateway", gateways::detach),
    ("DetachNetworkInterface", interfaces::detach),
    ("DisassociateRouteTable", tables::disassociate),
    ("DisassociateVpcCidrBlock", vpc_cidrs::disassociate),
    ("ModifyInstanceAttribute", attributes::modify_instance),
    (
        "ModifyNetworkInterfaceAttribute",
        attributes::modify_interface,
    ),
    ("ModifySubnetAttribute", subnets::modify),
    ("ModifyVpcAttribute", vpcs::modify_attribute),
    ("ReplaceRoute", routes::replace),
    ("ReplaceRouteTableAssociation", tables::replace_association),
    ("RunInstances", launch::run),
    ("StartInstances", instances::start),
    ("StopInstances", instances::stop),
    ("TerminateInstances", instances::terminate),
];

/// The action of that name.
pub(crate) fn find(name: &str) -> Option<Action> {
    ACTIONS
        .iter()
        .find(|(of, _)| *of == name)
        .map(|(_, action)| *action)
}

/// The names of all actions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|(name, _)| *name)
}

/// The answer of actions that have nothing to say.
fn done() -> Fields {
    Fields::new().text("return", true)
}

/// A moment as the API writes it.
pub(crate) fn date(clock: &Clock, time: Time) -> String {
    let date = clock.date(time);
    date.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// A list of tags.
fn tag_set(tags: &[(String, String)]) -> Vec<Fields> {
    tags.iter()
        .map(|(key, value)| Fields::new().text("key", key).text("value", value))
        .collect()
}

impl Request<'_> {
    /// The identifier in a required parameter, of the right form.
    fn id(&mut self, name: &str, kind: Kind) -> Result<String, Refusal> {
        let id = self.params.required(name)?;
        kind.check(&id)?;
        Ok(id)
    }

    /// Reads what all describing actions have: filters, identifiers and a page.
    fn listing(
        &mut self,
        kind: Kind,
        ids: &str,
        filters: &[&str],
        sizes: RangeInclusive<usize>,
    ) -> Result<Listing, Refusal> {
        let ids = self.params.list(ids);
        let limit = self.world.habits.quotas.filter_values;
        let filters = Filters::read(&mut self.params, filters, true, limit)?;
        let mut page = Page::read(&mut self.params, sizes, filters.fingerprint())?;
        page.short = self.world.habits.short_pages;
        Listing::new(kind, ids, filters, page)
    }

    /// The page of `store` that a listing asks for: what readers see of it.
    fn select<'s, V>(
        world: &'s World,
        store: &'s Store<String, V>,
        listing: &Listing,
        values: impl Fn(View, &str, &V, &str) -> Vec<String>,
    ) -> Result<Selected<'s, V>, Refusal> {
        let view = world.seen();
        let sees = |id: &String| world.sees(view, listing.kind(), id);
        listing.check_ids(|id| view.get(store, id).is_some() && sees(id))?;
        let found = view
            .iter(store)
            .filter(|(id, _)| listing.wants(id) && sees(id))
            .filter(|(id, record)| {
                listing.filters.is_empty()
                    || listing.filters.pass(&world.shown_tags(view, id), |name| {
                        values(view, id, record, name)
                    })
            })
            .map(|(id, record)| (id.clone(), record));
        Ok(listing.page.cut(found))
    }
}
