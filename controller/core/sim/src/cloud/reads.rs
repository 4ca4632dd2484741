//! What reads of the model cloud show, which may be late.

use ipnet::IpNet;
use signpost_core::cloud::{
    CloudError, CloudErrorKind, Instance, InstanceQuery, InstanceState, ObservedRoute, Ownership,
    Range, TableListing, TableUsage, Usage,
};

use super::{MachineState, Table, address_hop, calls::gave_up, count};
use crate::{
    cloud::calls::WRITE_LIMIT,
    dice::mix,
    queue::Sender,
    scenario::{CloudKind, Tells, net},
    world::World,
};

impl World<'_> {
    pub(super) fn instance(&self, query: &InstanceQuery) -> InstanceState {
        let id = query.node.name.clone();
        if self.scenario.cloud != CloudKind::Cloud {
            return InstanceState::Found(Instance {
                id,
                next_hop_v4: address_hop(&query.internal_ips, net("0.0.0.0/0")),
                next_hop_v6: address_hop(&query.internal_ips, net("::/0")),
                forwarding: true,
            });
        }
        let Some(provider_id) = &query.provider_id else {
            // As the AWS provider answers (`instances::name_of`).
            return InstanceState::Unsupported("no spec.providerID".into());
        };
        match self.cloud.machines.get(provider_id) {
            None => InstanceState::Gone,
            Some(machine) => match machine.state {
                MachineState::Gone => InstanceState::Gone,
                MachineState::Unsupported => InstanceState::Unsupported("no interface".into()),
                MachineState::Running => InstanceState::Found(Instance {
                    id,
                    next_hop_v4: machine.v4.clone(),
                    next_hop_v6: machine.v6.clone(),
                    forwarding: machine.forwarding || !self.cloud.limits.forwarding,
                }),
            },
        }
    }

    pub(super) fn list(
        &mut self,
        from: Sender,
        ranges: &[Range],
    ) -> Result<Vec<TableListing>, CloudError> {
        if let Some(error) = self.cloud_refusal(from, false) {
            return Err(error);
        }
        if self.now < self.cloud.modes.listing_fails {
            return Err(gave_up(CloudErrorKind::Transient));
        }
        let settle = u64::try_from(self.cloud.limits.settle.as_millis()).unwrap_or(u64::MAX);
        // A write reaches the table within its time limit and shows within the settling time.
        let oldest = from.sent.saturating_sub(settle.saturating_sub(WRITE_LIMIT));
        let nonce = self.dice.span(0..=u64::MAX, ("views", from.shell));
        let cloud = &self.cloud;
        let (now, marks) = (self.now, self.scenario.habits.marks);
        let shown = |(index, (_, table)): &(usize, (_, &Table))| {
            let hidden = now < table.hidden && mix(nonce, *index as u64 + 99) % 100 < 60;
            now >= table.untagged && !hidden
        };
        let tables = cloud.tables.iter().enumerate().filter(shown);
        let listed = tables.map(|(index, (id, table))| {
            let then = if settle == 0 || mix(nonce, index as u64).is_multiple_of(3) {
                self.now
            } else {
                oldest + mix(nonce, index as u64) % (self.now - oldest + 1)
            };
            // Whoever asks what is under way does so before it reads the routes.
            let before = then - mix(nonce, index as u64 + 7) % (then - oldest.min(then) + 1);
            let pending = self.pending(id, before);
            let usage = self.usage(table, then);
            let inside = |net: &IpNet| ranges.iter().any(|range| range.cidr.contains(net));
            let shown = table
                .view(then)
                .iter()
                .filter(|(destination, held)| (held.ours && marks) || inside(destination));
            let shown = shown
                .flat_map(|(destination, held)| held.all().map(move |held| (destination, held)));
            let routes = shown.map(|(destination, held)| ObservedRoute {
                destination: *destination,
                next_hop: held.hop.clone(),
                ownership: if held.ours && (marks || recognised(destination, ranges)) {
                    Ownership::Ours
                } else {
                    Ownership::Foreign
                },
                blackhole: cloud.blackhole(table, destination, held, now),
                handle: held.handle.clone(),
            });
            let propagated = table.propagated.iter().filter(|net| inside(net));
            let routes = routes.chain(propagated.map(outranked));
            let barred = table.barred.iter().filter(|(range, until)| {
                let touches = |it: &Range| it.cidr.contains(range) || range.contains(&it.cidr);
                now < *until && ranges.iter().any(touches)
            });
            TableListing {
                table: id.clone(),
                routes: if self.now < table.fails {
                    Err(gave_up(CloudErrorKind::Transient))
                } else {
                    Ok(routes.collect())
                },
                usage,
                barred: barred.map(|(range, _)| *range).collect(),
                pending,
            }
        });
        Ok(listed.collect())
    }

    /// How full the table is, as it was `then`, under the limit of now.
    fn usage(&self, table: &Table, then: u64) -> TableUsage {
        let (now, tells) = (self.now, self.scenario.tells);
        let common = self.scenario.habits.common_quota;
        let told = |family: &str| {
            let used = count(table.view(then), &net(family), common);
            let limit = if now < table.tight.0 {
                table.tight.1
            } else {
                1_000
            };
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            (tells != Tells::Nothing).then(|| Usage {
                used: number(used),
                limit: (tells == Tells::Limit).then(|| number(limit)),
            })
        };
        TableUsage {
            v4: told("0.0.0.0/0"),
            v6: told("::/0"),
            common,
        }
    }
}

/// A route that carries no mark is ours where it is for a block of a range that was asked for.
fn recognised(destination: &IpNet, ranges: &[Range]) -> bool {
    ranges.iter().any(|range| range.has(destination))
}

fn outranked(destination: &IpNet) -> ObservedRoute {
    ObservedRoute {
        destination: *destination,
        next_hop: None,
        ownership: Ownership::Outranked,
        blackhole: None,
        handle: None,
    }
}
