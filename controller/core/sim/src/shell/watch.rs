//! A controller's watch of the nodes.

use signpost_core::{
    Node, NodeKey,
    shell::{Reading, Told, feed::Version},
};

use crate::{
    api::{ApiCall, Change},
    queue::ToShell,
    rules::Rule,
    world::World,
};

/// The pause after a read that could not be placed.
const READ_AGAIN: u64 = 500;

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
            let feed = &mut self.shells[shell].feed;
            let event = match &self.api.log[next] {
                Change::Seen(node, version) => feed.watched(node.clone(), Some(*version)),
                Change::Gone(key, version) => feed.deleted(key.clone(), Some(*version)),
            };
            self.tell(shell, event);
        }
    }

    /// Reads one node beside the watch.
    pub(crate) fn read_node(&mut self, shell: usize, key: &NodeKey) {
        let reading = self.shells[shell].feed.begin_read(key);
        let key = key.clone();
        self.send_api(shell, ApiCall::ReadNode { key, reading });
    }

    /// A node was read; the name may have another one by now.
    pub(super) fn node_read(
        &mut self,
        shell: usize,
        key: NodeKey,
        reading: &Reading,
        node: Option<(Node, Version)>,
    ) {
        match self.shells[shell].feed.answered(reading, node) {
            Told::Event(event) => self.tell(shell, event),
            Told::Nothing => self.meet(Rule::ReadTooOld),
            Told::ReadAgain => {
                self.meet(Rule::ReadBetweenLists);
                let again = ToShell::ReadAgain(key);
                let sender = self.sender(shell);
                self.answer(sender, self.now + READ_AGAIN, again);
            }
        }
    }
}
