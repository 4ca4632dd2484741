//! Changes that the cloud accepts at once and carries out later, whatever becomes of who asked for them.

use ipnet::IpNet;
use signpost_core::{
    Event,
    cloud::{CloudError, CloudErrorKind, InstanceQuery, RouteChange, TableId},
};

use super::calls::gave_up;
use crate::{
    queue::{Message, Sender, ToShell},
    rules::Rule,
    world::World,
};

/// The longest that one takes, in milliseconds.
pub(crate) const LONGEST: u64 = 30_000;

/// What is carried out.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// For a controller that knows the change by this number.
    Route { write: u64, change: RouteChange },
    /// For a controller.
    Forwarding(InstanceQuery),
    /// Somebody else removes whatever route there is.
    Removal { table: TableId, destination: IpNet },
}

impl Task {
    fn describe(&self) -> String {
        match self {
            Self::Route { change, .. } => crate::trail::change(change),
            Self::Forwarding(query) => format!("forwarding of {}", query.node),
            Self::Removal { table, destination } => format!("removal of {destination} in {table}"),
        }
    }
}

/// A change under way, or one that was.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    task: Task,
    /// Which controller asked for it.
    from: Option<Sender>,
    /// When that hears that it was accepted; `None`: never.
    heard: Option<u64>,
    accepted: u64,
    ends: u64,
}

impl Operation {
    /// The route that it changes.
    fn place(&self) -> Option<(&TableId, IpNet)> {
        match &self.task {
            Task::Route { change, .. } => Some((change.table(), change.destination())),
            Task::Removal { table, destination } => Some((table, *destination)),
            Task::Forwarding(_) => None,
        }
    }

    /// It was accepted by then and had not ended.
    fn is_under_way(&self, then: u64) -> bool {
        self.accepted <= then && then < self.ends
    }
}

impl World<'_> {
    /// Destinations in a table that something was carried out for at that moment.
    pub(super) fn pending(&self, id: &TableId, then: u64) -> Vec<IpNet> {
        let all = self.cloud.operations.iter();
        let places = all.filter(|it| it.is_under_way(then));
        let places = places.filter_map(Operation::place);
        let here = places.filter(|(table, _)| *table == id);
        here.map(|(_, destination)| destination).collect()
    }

    /// Something is carried out.
    pub(crate) fn has_operations(&self) -> bool {
        let mut all = self.cloud.operations.iter();
        all.any(|it| it.is_under_way(self.now))
    }

    /// A change of a route is carried out for a controller that was not stopped before it asked.
    pub(crate) fn may_make_routes(&self) -> bool {
        let asked =
            |it: &&Operation| it.place().is_some() && it.from.is_some_and(|from| !from.late);
        let mut all = self.cloud.operations.iter().filter(asked);
        all.any(|it| it.is_under_way(self.now))
    }

    /// A change of a route arrives that is to be carried out. `heard` is when the controller hears what
    /// comes of that.
    pub(super) fn accept_write(
        &mut self,
        from: Sender,
        write: u64,
        change: &RouteChange,
        heard: Option<u64>,
    ) -> Result<(), CloudError> {
        self.check_fenced(from, "WriteRoute");
        self.check_touches_ours(from, change);
        if let Some(error) = self.cloud.refusal(change, self.now) {
            return Err(error);
        }
        // Two changes of one resource at once are refused, one way or the other.
        let busy = self.pending(change.table(), self.now);
        if busy.contains(&change.destination()) {
            let exists = matches!(change, RouteChange::Create { .. })
                && self.dice.percent(50, ("busy", from.shell));
            return Err(gave_up(if exists {
                CloudErrorKind::AlreadyExists
            } else {
                CloudErrorKind::Transient
            }));
        }
        let change = change.clone();
        self.carry_out(Some(from), heard, Task::Route { write, change });
        Ok(())
    }

    /// Begins to carry something out.
    pub(crate) fn carry_out(&mut self, from: Option<Sender>, heard: Option<u64>, task: Task) {
        let about = from.map_or(usize::MAX, |from| from.shell);
        let quick = self.dice.percent(70, ("operation is quick", about));
        let range = if quick { 200..=6_000 } else { 2_000..=LONGEST };
        let ends = self.now + self.dice.span(range, ("operation", about));
        self.note(|| format!("  cloud: accepted, ends at {ends} ms: {}", task.describe()));
        let place = self.cloud.operations.len();
        self.cloud.operations.push(Operation {
            task,
            from,
            heard,
            accepted: self.now,
            ends,
        });
        self.queue.push(ends, Message::OperationEnds { place });
    }

    /// What was carried out has happened, or has failed, and who waits for it is told.
    pub(crate) fn operation_ends(&mut self, place: usize) {
        let Some(Operation {
            task, from, heard, ..
        }) = self.cloud.operations.get(place).cloned()
        else {
            return;
        };
        let fails = self.dice.percent(3, ("operation fails", place));
        let failure = fails.then(|| gave_up(CloudErrorKind::Transient));
        if let Some(from) = from {
            let place = &self.shells[from.shell];
            if (place.life, place.term) != (from.life, from.term) || !place.leads() {
                self.meet(Rule::OperationOutlives);
            }
        }
        let event = match (task, from) {
            (Task::Route { write, change }, Some(from)) => {
                let result = failure.map_or_else(|| self.cloud_commit(from, &change), Err);
                Event::RouteWritten { write, result }
            }
            (Task::Forwarding(query), Some(_)) => {
                let result = failure.map_or_else(|| self.forward(&query), Err);
                let node = query.node;
                Event::ForwardingEnabled { node, result }
            }
            (Task::Removal { table, destination }, _) => {
                let now = self.now;
                self.cloud.edit(&table, now, |routes| {
                    routes.remove(&destination);
                });
                return;
            }
            (_, None) => return,
        };
        if let (Some(from), Some(heard)) = (from, heard) {
            let at = self.now.max(heard) + self.dice.span(0..=1_500, ("poll", from.shell));
            let event = self.lose(from, event);
            self.answer(from, at, ToShell::Ended(event));
        }
    }

    /// Whoever waits may lose sight of what it waits for.
    fn lose(&mut self, from: Sender, event: Event) -> Event {
        let lossy = self.now < self.cloud.modes.answers_lost;
        let percent = if lossy { 40 } else { 2 };
        if !self.dice.percent(percent, ("lose sight", from.shell)) {
            return event;
        }
        let lost = Err(gave_up(CloudErrorKind::Unknown));
        match event {
            Event::RouteWritten { write, .. } => Event::RouteWritten {
                write,
                result: lost,
            },
            Event::ForwardingEnabled { node, .. } => {
                Event::ForwardingEnabled { node, result: lost }
            }
            event => event,
        }
    }
}
