//! What the failure of a write means for its destination.

use ipnet::IpNet;

use super::{
    cell::{Failure, Step},
    destination::{Destination, Want},
    queue::Kind,
};
use crate::{
    action::Reason,
    cloud::{CloudError, CloudErrorKind, RouteChange, TableId},
    retry::{Pace, hash},
    turn::{Trouble, Turn},
};

/// Failures in a row after which an uncertain outcome is told to people.
const TELL_AFTER: u8 = 3;

/// What the table holds now is not known: a listing has to tell.
pub(super) fn is_uncertain(kind: CloudErrorKind) -> bool {
    matches!(
        kind,
        CloudErrorKind::AlreadyExists | CloudErrorKind::NotFound | CloudErrorKind::Unknown
    )
}

impl Destination {
    /// It removes a route that does not lead where routes should.
    fn leads_elsewhere(&self, change: &RouteChange) -> bool {
        match (change, self.want()) {
            (RouteChange::Delete { route, .. }, Want::Lead(hop, _)) => {
                route.next_hop.as_ref() != Some(hop)
            }
            _ => false,
        }
    }

    /// Takes note of how a write failed. Returns what people should hear of it, if it lasts.
    pub(super) fn write_failed(
        &mut self,
        turn: &Turn,
        change: &RouteChange,
        table: usize,
        error: &CloudError,
    ) -> Option<Trouble> {
        use CloudErrorKind as Kinds;
        let now = turn.now;
        let kind = Kind::of(change);
        let uncertain = is_uncertain(error.kind);
        // Whoever has the destination by now has no trouble from what was to go before, unless it is in
        // the way of what is to be.
        let in_the_way = !turn.limits.replaces && self.leads_elsewhere(change);
        let concerns = kind != Kind::Delete || *self.want() == Want::Remove || in_the_way;
        let cell = self.cell_mut(table);
        // What did not happen changed nothing.
        cell.step = Step::Idle;
        if uncertain {
            cell.proven = false;
            cell.wrote(now);
            cell.step = Step::Uncertain;
        }
        let before = cell.failure.take().unwrap_or_default();
        let exists = error.kind == Kinds::AlreadyExists;
        let persists = if exists {
            before.hidden
        } else {
            cell.retry.failures() + 1 >= TELL_AFTER
        };
        let item = item(change.destination(), change.table());
        let wait = match error.kind {
            // Something stands there that listings do not show.
            Kinds::AlreadyExists if persists => turn.backoff.wait(item, Pace::Slow),
            _ => turn.backoff.cloud(item, error.kind),
        };
        if error.kind == Kinds::QuotaExceeded && kind == Kind::Create {
            // It waits for room in the table, not for itself: room goes to the oldest node.
            cell.retry.at_once(now.at);
        } else {
            let asked = error.retry_after.unwrap_or_default();
            cell.retry.failed(wait, asked, now.at);
        }
        let mut trouble = describe(change, error);
        trouble.lasting |= cell.retry.lasts();
        let told = !uncertain || persists;
        cell.failure = Some(Box::new(Failure {
            at: now.at,
            trouble: (told && concerns)
                .then(|| trouble.clone())
                .or(before.trouble),
            may_pass: error.kind == Kinds::Transient && error.retry_after.is_none(),
            unseen: match error.kind {
                Kinds::Unknown => Some(now),
                _ => before.unseen.or(exists.then_some(now)),
            },
            hidden: before.hidden && error.kind != Kinds::Unknown,
        }));
        told.then_some(trouble).filter(|it| it.lasting)
    }
}

/// What the jitter of a destination in a table depends on.
pub(super) fn item(cidr: IpNet, table: &TableId) -> u64 {
    let address = match cidr {
        IpNet::V4(net) => net.network().to_bits().into(),
        IpNet::V6(net) => net.network().to_bits(),
    };
    hash(
        address
            .to_be_bytes()
            .into_iter()
            .chain([cidr.prefix_len()])
            .chain(table.0.bytes()),
    )
}

fn describe(change: &RouteChange, error: &CloudError) -> Trouble {
    use CloudErrorKind as Kinds;
    let (reason, lasting) = match error.kind {
        Kinds::QuotaExceeded => (Reason::QuotaExceeded, true),
        Kinds::Denied => (Reason::CloudDenied, true),
        Kinds::Invalid => (Reason::CloudUnavailable, true),
        Kinds::AlreadyExists => (Reason::RouteConflict, true),
        Kinds::NotFound | Kinds::Throttled | Kinds::Transient | Kinds::Unknown => {
            (Reason::CloudUnavailable, false)
        }
    };
    let verb = match Kind::of(change) {
        Kind::Create => "creating",
        Kind::Replace => "replacing",
        Kind::Delete => "deleting",
    };
    Trouble {
        reason,
        message: format!(
            "{verb} the route for {} in table {} failed: {error}",
            change.destination(),
            change.table()
        ),
        lasting,
    }
}
