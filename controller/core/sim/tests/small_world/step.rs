//! What can happen in the small world.

use signpost_core::{Engine, Event, Handover, Limits, Time, lease::Terms};

use crate::{
    budget::Lie,
    land::unknown,
    world::{CONTROLLERS, Call, Controller, NODES, What, World, config},
};

/// Calls are named by their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Join(usize),
    Leave(usize),
    /// A controller's watch shows one node as it is now.
    Watch(usize, usize),
    /// A request takes effect.
    Land(usize),
    /// Its answer comes back.
    Answer(usize),
    /// It never arrives, and the controller is told that nobody knows.
    LoseRequest(usize),
    /// It has taken effect, and the controller is told that nobody knows.
    LoseAnswer(usize),
    /// The controller is told that nobody knows, and it takes effect later, or never. (Routes are
    /// those of the kernel here: what has no answer there will never take effect.)
    GiveUp(usize),
    /// Time passes until the leader wants to be woken.
    Wake,
    /// The leader dies and starts anew.
    Crash,
    /// The leader gives its lease back once its writes have ended.
    Release,
    Elect(usize),
}

impl World {
    /// Everything that can happen now.
    pub(crate) fn steps(&self, steps: &mut Vec<Step>) {
        if self.breach.is_some() {
            return;
        }
        for place in 0..NODES {
            match self.nodes[place] {
                None if self.budget.joins > 0 => steps.push(Step::Join(place)),
                Some(_) if self.budget.leaves > 0 => steps.push(Step::Leave(place)),
                _ => {}
            }
            if let Some(leader) = self.leader
                && self.controllers[leader].view[place] != self.nodes[place]
            {
                steps.push(Step::Watch(leader, place));
            }
        }
        for (index, call) in self.calls.iter().enumerate() {
            let lossy = self.budget.losses > 0 && !matches!(call.what, What::List(_));
            match (&call.answer, self.asks(call)) {
                (None, true) if lossy => {
                    steps.extend([Step::Land(index), Step::LoseRequest(index)]);
                    if matches!(call.what, What::SetPodCidrs(..)) {
                        steps.push(Step::GiveUp(index));
                    }
                }
                (None, true) => steps.push(Step::Land(index)),
                // Nobody waits for it any more; it may land or not.
                (None, false) => steps.extend([Step::Land(index), Step::LoseRequest(index)]),
                (Some(_), _) if lossy => {
                    steps.extend([Step::Answer(index), Step::LoseAnswer(index)]);
                }
                (Some(_), _) => steps.push(Step::Answer(index)),
            }
        }
        if self.wake().is_some() {
            steps.push(Step::Wake);
        }
        if self.leader.is_some() {
            if self.budget.crashes > 0 {
                steps.push(Step::Crash);
            }
            if self.budget.releases > 0 && self.calls.iter().all(|call| !call.is_write()) {
                steps.push(Step::Release);
            }
        } else {
            steps.extend(
                (0..CONTROLLERS)
                    .filter(|to| self.may_lead(*to))
                    .map(Step::Elect),
            );
        }
    }

    /// Whether the leadership that sent this still lasts, and waits for the answer.
    pub(crate) fn asks(&self, call: &Call) -> bool {
        self.controllers[call.by].life == call.life && !call.given_up
    }

    /// When the leader wants to be woken, if no write would be under way for too long by then.
    fn wake(&self) -> Option<u64> {
        let engine = self.controllers[self.leader?].engine.as_ref()?;
        let at = engine.next_wake()?.0.max(self.now);
        let limit = Terms::default().longest_write();
        let ends = |call: &Call| Time(call.sent).after(limit).0;
        self.calls.iter().all(|call| at < ends(call)).then_some(at)
    }

    /// A lease is taken over only when the writes of who held it before have ended.
    fn may_lead(&self, to: usize) -> bool {
        let mut unlanded = self.calls.iter().filter(|call| call.answer.is_none());
        self.lie == Lie::HastyElection || unlanded.all(|call| call.by == to && self.asks(call))
    }

    /// Makes it happen.
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Join(place) => {
                self.budget.joins -= 1;
                self.bear(place);
            }
            Step::Leave(place) => {
                self.budget.leaves -= 1;
                let node = self.nodes[place].take();
                self.left
                    .extend(node.into_iter().flat_map(|node| node.pod_cidrs));
                self.left.sort();
            }
            Step::Watch(controller, place) => self.watch(controller, place),
            Step::Land(index) => self.land(index),
            Step::Answer(index) => {
                let call = self.calls.remove(index);
                if let Some(answer) = call.answer {
                    self.tell(call.by, answer);
                }
            }
            Step::LoseRequest(index) | Step::LoseAnswer(index) => {
                let call = self.calls.remove(index);
                if self.asks(&call) {
                    self.budget.losses -= 1;
                    self.tell(call.by, unknown(call.what));
                }
            }
            Step::GiveUp(index) => {
                self.budget.losses -= 1;
                let call = &mut self.calls[index];
                call.given_up = true;
                let (by, what) = (call.by, call.what.clone());
                self.tell(by, unknown(what));
            }
            Step::Wake => {
                if let (Some(at), Some(leader)) = (self.wake(), self.leader) {
                    self.now = at;
                    self.tell(leader, Event::Wake);
                }
            }
            Step::Crash => {
                self.budget.crashes -= 1;
                self.end_leadership(Handover::Unclean);
            }
            Step::Release => {
                self.budget.releases -= 1;
                self.end_leadership(Handover::Clean);
            }
            Step::Elect(controller) => self.elect(controller),
        }
    }

    fn end_leadership(&mut self, handover: Handover) {
        self.handover = handover;
        if let Some(leader) = self.leader.take() {
            let life = self.controllers[leader].life;
            self.calls
                .retain(|call| call.by != leader || (call.is_write() && call.answer.is_none()));
            self.controllers[leader] = Controller::new(life + 1);
        }
    }

    fn elect(&mut self, controller: usize) {
        let engine = Engine::new(Limits::LOCAL, 7, self.handover, Time(self.now));
        self.leader = Some(controller);
        let place = &mut self.controllers[controller];
        place.listed.clear();
        place.view.clone_from(&self.nodes);
        place.engine = Some(engine);
        let nodes = self.nodes.iter().flatten().cloned().collect();
        self.tell(controller, Event::Configured(Some(config())));
        self.tell(controller, Event::NodesListed(nodes));
    }

    fn watch(&mut self, controller: usize, place: usize) {
        let now = self.nodes[place].clone();
        let view = &mut self.controllers[controller].view[place];
        let gone = view
            .take()
            .filter(|before| now.as_ref().is_none_or(|node| node.key != before.key));
        let event = match (gone, now) {
            (Some(before), _) => Event::NodeGone(before.key),
            (None, Some(node)) => {
                *view = Some(node.clone());
                Event::NodeSeen(node)
            }
            (None, None) => return,
        };
        self.tell(controller, event);
    }
}
