//! The account and region that are emulated: what exists, as it is and as readers see it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use signpost_emulator::Time;

use crate::participants::Participant;
use crate::quotas::Quotas;

mod addresses;
mod ids;
mod lifecycle;
mod machines;
mod network;
mod routing;
mod sharing;

pub(crate) use addresses::Addresses;
pub(crate) use ids::Kind;
pub(crate) use machines::{Attachment, Instance, InstanceState, Interface, Progress};
pub(crate) use network::{Block, Gateway, Group, Peering, Subnet, Vpc};
pub(crate) use routing::{Association, PrefixList, Route, RouteKey, Table, Target};
pub(crate) use signpost_emulator::{Spread, Store, View};

/// What can be set about the world while it exists.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub(crate) struct Habits {
    /// Readers see a write after a random part of this.
    pub(crate) propagation: Duration,
    /// Readers are behind by a random part of this, each anew.
    pub(crate) staleness: Duration,
    /// How long an instance takes to start, stop and terminate, and an interface to come and go.
    pub(crate) transition: Duration,
    /// Whether routes to a stopped instance are shown as blackholes.
    pub(crate) stopped_is_blackhole: bool,
    /// Whether creating a route again, with the same target, is no error.
    pub(crate) repeated_creation: bool,
    /// Zones that are disrupted.
    pub(crate) impaired_zones: Vec<String>,
    /// Managed instances that are hidden from those who do not ask for them.
    pub(crate) hidden_instances: Vec<String>,
    /// Whether pages are short, and the first is empty.
    pub(crate) short_pages: bool,
    /// Whether writes, too, see interfaces and tables only once readers do.
    pub(crate) late_writes: bool,
    /// Other accounts that take part in the VPCs.
    pub(crate) participants: Vec<Participant>,
    pub(crate) quotas: Quotas,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) region: String,
    /// The account that owns the VPCs.
    pub(crate) account: String,
    /// The account of the present caller.
    pub(crate) caller: String,
    pub(crate) habits: Habits,
    pub(crate) now: Time,
    /// The moment whose state the present reader sees; not after `now`.
    pub(crate) reading: Time,
    random: fastrand::Rng,
    pub(crate) vpcs: Store<String, Vpc>,
    pub(crate) subnets: Store<String, Subnet>,
    pub(crate) tables: Store<String, Table>,
    pub(crate) associations: Store<String, Association>,
    pub(crate) routes: Store<RouteKey, Route>,
    /// Routes that a virtual private gateway propagates, which stand beside others. With its id.
    pub(crate) propagated: Store<RouteKey, String>,
    pub(crate) prefix_lists: Store<String, PrefixList>,
    /// Routes for prefix lists, by table and list, each with its gateway.
    pub(crate) listed: Store<(String, String), String>,
    pub(crate) instances: Store<String, Instance>,
    pub(crate) interfaces: Store<String, Interface>,
    pub(crate) groups: Store<String, Group>,
    pub(crate) gateways: Store<String, Gateway>,
    pub(crate) peerings: Store<String, Peering>,
    /// By resource and key.
    pub(crate) tags: Store<(String, String), String>,
    /// The addresses in use in each subnet.
    pub(crate) used: BTreeMap<String, BTreeSet<IpAddr>>,
    due: BTreeMap<(Time, u64), lifecycle::Event>,
    next_event: u64,
}

impl World {
    pub(crate) fn new(region: &str, account: &str, seed: u64, habits: Habits) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            caller: account.to_owned(),
            habits,
            now: Time::ZERO,
            reading: Time::ZERO,
            random: fastrand::Rng::with_seed(seed),
            vpcs: Store::default(),
            subnets: Store::default(),
            tables: Store::default(),
            associations: Store::default(),
            routes: Store::default(),
            propagated: Store::default(),
            prefix_lists: Store::default(),
            listed: Store::default(),
            instances: Store::default(),
            interfaces: Store::default(),
            groups: Store::default(),
            gateways: Store::default(),
            peerings: Store::default(),
            tags: Store::default(),
            used: BTreeMap::new(),
            due: BTreeMap::new(),
            next_event: 0,
        }
    }

    /// What the present reader sees.
    pub(crate) fn seen(&self) -> View {
        View::Seen(self.reading)
    }

    /// Lets the next reader see what others saw some time ago.
    pub(crate) fn read_behind(&mut self, fixed: Option<Duration>) {
        let chance = self.habits.staleness;
        let behind = match fixed {
            Some(behind) => behind,
            None if chance.is_zero() => Duration::ZERO,
            None => chance.mul_f64(self.random.f64()),
        };
        self.reading = self
            .now
            .saturating_sub(behind.min(signpost_emulator::REMEMBERED));
    }

    /// When the write that is made now is seen.
    pub(crate) fn spread(&mut self) -> Spread {
        let delay = self.habits.propagation.mul_f64(self.random.f64());
        Spread {
            now: self.now,
            seen: self.now + delay,
        }
    }

    pub(crate) fn new_id(&mut self, kind: Kind) -> String {
        let number = u128::from(self.random.u64(..)) << 4 | u128::from(self.random.u8(..16));
        format!("{}{number:017x}", kind.prefix())
    }

    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Grows with every change of what the data plane does.
    pub(crate) fn version(&self) -> u64 {
        self.vpcs.changes()
            + self.subnets.changes()
            + self.tables.changes()
            + self.associations.changes()
            + self.routes.changes()
            + self.propagated.changes()
            + self.instances.changes()
            + self.interfaces.changes()
            + self.gateways.changes()
            + self.peerings.changes()
            + self.tags.changes()
    }

    /// The partition of the region, as in ARNs.
    pub(crate) fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The zones of the region.
    pub(crate) fn zones(&self) -> Vec<String> {
        ["a", "b", "c"]
            .iter()
            .map(|letter| format!("{}{letter}", self.region))
            .collect()
    }

    /// The tags of a resource, ordered by key.
    pub(crate) fn tags_of(&self, view: View, id: &str) -> Vec<(String, String)> {
        view.from(&self.tags, (id.to_owned(), String::new()))
            .take_while(|((resource, _), _)| resource == id)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The routes of a table, ordered by destination.
    pub(crate) fn routes_of<'a>(
        &'a self,
        view: View,
        table: &'a str,
    ) -> impl Iterator<Item = (&'a IpNet, &'a Route)> {
        view.from(
            &self.routes,
            (table.to_owned(), IpNet::V4(Ipv4Net::default())),
        )
        .take_while(move |((of, _), _)| of == table)
        .map(|((_, destination), route)| (destination, route))
    }

    /// The propagated routes of a table, each with its gateway.
    pub(crate) fn propagated_of<'a>(
        &'a self,
        view: View,
        table: &'a str,
    ) -> impl Iterator<Item = (&'a IpNet, &'a String)> {
        view.iter(&self.propagated)
            .filter(move |((of, _), _)| of == table)
            .map(|((_, destination), gateway)| (destination, gateway))
    }

    /// The routes of a table for prefix lists: list and gateway.
    pub(crate) fn listed_of<'a>(
        &'a self,
        view: View,
        table: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a String)> {
        view.iter(&self.listed)
            .filter(move |((of, _), _)| of == table)
            .map(|((_, list), gateway)| (list, gateway))
    }

    /// How many routes of a family a table has, as its quota counts them: a prefix list counts with its
    /// weight, and what came with the table does not ("Prefix lists concepts and rules").
    pub(crate) fn counted(&self, table: &str, v6: bool) -> usize {
        let lists = self.listed_of(View::Truth, table);
        let lists = lists.filter_map(|(list, _)| self.prefix_lists.get(list));
        let lists = lists.filter(|list| list.v6 == v6).map(|list| list.weight);
        let created = self.routes_of(View::Truth, table);
        let created =
            created.filter(|(to, route)| !route.implicit && matches!(to, IpNet::V6(_)) == v6);
        created.count() + lists.sum::<usize>()
    }

    /// Whether packets reach a route's target.
    ///
    /// An interface is one as long as it is in use, also while it is being attached or detached:
    /// assumed, since a target that is on its way out still shows as reachable (`AWSnycast` 21).
    pub(crate) fn is_active(&self, view: View, vpc: &str, target: &Target) -> bool {
        match target {
            Target::Local | Target::Other { .. } => true,
            Target::Gateway(id) => view
                .get(&self.gateways, id)
                .is_some_and(|gateway| gateway.vpc.as_deref() == Some(vpc)),
            Target::Peering(id) => view
                .get(&self.peerings, id)
                .is_some_and(|peering| peering.active),
            Target::Interface(id) => view
                .get(&self.interfaces, id)
                .and_then(|interface| interface.attachment.as_ref())
                .and_then(|attachment| view.get(&self.instances, &attachment.instance))
                .is_some_and(|instance| match instance.state {
                    // An instance on its way there still shows as reachable: AWSnycast 21.
                    InstanceState::Terminated => false,
                    InstanceState::Stopped => !self.habits.stopped_is_blackhole,
                    _ => true,
                }),
        }
    }

    /// The ranges of all subnets of a VPC, as they are.
    pub(crate) fn subnets_of<'a>(
        &'a self,
        vpc: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Subnet)> {
        self.subnets
            .iter()
            .filter(move |(_, subnet)| subnet.vpc == vpc)
    }

    /// The association by which a table is its VPC's main one, as it is.
    pub(crate) fn main_association(&self, vpc: &str) -> Option<(&String, &Association)> {
        self.associations
            .iter()
            .find(|(_, association)| association.vpc == vpc && association.is_main())
    }

    pub(crate) fn set_tags(&mut self, id: &str, tags: &[(String, String)]) {
        for (key, value) in tags {
            let spread = self.spread();
            self.tags
                .put((id.to_owned(), key.clone()), value.clone(), spread);
        }
    }

    /// Removes a resource's tags with the resource.
    pub(crate) fn drop_tags(&mut self, id: &str) {
        for (key, _) in self.tags_of(View::Truth, id) {
            let spread = self.spread();
            self.tags.remove(&(id.to_owned(), key), spread);
        }
    }
}
