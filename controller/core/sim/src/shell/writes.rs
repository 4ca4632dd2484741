//! How a controller keeps count of its writes.

use signpost_core::{
    Event,
    cloud::{CloudError, CloudErrorKind},
    event::ApiErrorKind,
    shell::{Ended, Place},
};

use crate::world::World;

impl World<'_> {
    /// The end of a write is heard of, also when the leadership is over that began it.
    pub(super) fn end_write(&mut self, shell: usize, event: &Event) {
        let (place, in_doubt) = match event {
            Event::PodCidrsSet { result, .. } | Event::NetworkStatusSet { result, .. } => {
                let error = result.as_ref().err();
                let doubt = error.is_some_and(|error| error.kind == ApiErrorKind::Unknown);
                (Place::Api, doubt)
            }
            Event::RouteWritten { result, .. } => (Place::Routes, is_in_doubt(result)),
            Event::ForwardingEnabled { result, .. } => (Place::Instance, is_in_doubt(result)),
            _ => return,
        };
        let ended = if in_doubt {
            Ended::InDoubt
        } else {
            Ended::Known
        };
        self.end(shell, place, ended);
    }

    /// A write ended as far as the lease goes.
    pub(super) fn end(&mut self, shell: usize, place: Place, ended: Ended) {
        let now = self.local(shell);
        let writes = &mut self.shells[shell].writes;
        writes.ended(place, ended, self.scenario.limits, now);
    }
}

fn is_in_doubt(result: &Result<(), CloudError>) -> bool {
    let error = result.as_ref().err();
    error.is_some_and(|error| error.kind == CloudErrorKind::Unknown)
}
