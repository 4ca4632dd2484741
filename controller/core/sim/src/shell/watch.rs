//! A controller's watch of the nodes.

use signpost_core::{Event, Node, NodeKey};

use crate::{
    api::{ApiCall, Change},
    queue::ToShell,
    world::World,
};

impl World<'_> {
    pub(super) fn relist(&mut self, shell: usize) {
        let place = &mut self.shells[shell];
        if !place.leads() {
            return;
        }
        place.watching = false;
        place.streams += 1;
        let stream = place.streams;
        self.send_api(shell, ApiCall::ListNodes { stream });
    }

    /// The watch in force breaks.
    pub(crate) fn break_watch(&mut self, shell: usize) {
        self.shells[shell].watching = false;
    }

    /// The watch in force starts again from an earlier change.
    pub(crate) fn rewind_watch(&mut self, shell: usize, by: usize) -> bool {
        let place = &mut self.shells[shell];
        if !place.watching {
            return false;
        }
        let to = place.next.saturating_sub(by).max(place.base);
        let back = to < place.next;
        place.next = to;
        if back {
            self.watch_goes_on(shell);
        }
        back
    }

    /// Brings what has changed up to now, after a while.
    pub(crate) fn watch_goes_on(&mut self, shell: usize) {
        if !self.shells[shell].watching {
            return;
        }
        let upto = self.api.log.len();
        let lag = if self.now < self.watch_delayed[shell] {
            200..=8_000
        } else {
            1..=60
        };
        let lag = self.dice.span(lag, ("watch", shell, upto));
        let stream = self.shells[shell].stream;
        self.send_shell(shell, self.now + lag, ToShell::Watch { stream, upto });
    }

    pub(super) fn watch(&mut self, shell: usize, stream: u32, upto: usize) {
        while self.shells[shell].watching
            && self.shells[shell].stream == stream
            && self.shells[shell].next < upto
        {
            let next = self.shells[shell].next;
            self.shells[shell].next += 1;
            let event = match &self.api.log[next] {
                Change::Seen(node) => Event::NodeSeen(node.clone()),
                Change::Gone(key) => Event::NodeGone(key.clone()),
            };
            self.tell(shell, event);
        }
    }

    /// A node that was read on request. What the watch brought meanwhile is newer.
    pub(super) fn node_read(
        &mut self,
        shell: usize,
        key: &NodeKey,
        node: Option<Node>,
        upto: usize,
    ) {
        let newer = self.api.log[upto..self.shells[shell].next.max(upto)]
            .iter()
            .rfind(|change| change.key().name == key.name);
        let node = match newer {
            Some(Change::Seen(node)) => Some(node.clone()),
            Some(Change::Gone(_)) => None,
            None => node,
        };
        let event = match node {
            Some(node) if node.key == *key => Event::NodeSeen(node),
            _ => Event::NodeGone(key.clone()),
        };
        self.tell(shell, event);
    }
}
