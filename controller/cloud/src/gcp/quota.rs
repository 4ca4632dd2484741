//! How many routes fit into the network.
//!
//! Google bounds the static routes of a network (`STATIC_ROUTES_PER_NETWORK`, both families together), of
//! which no method of this API tells, and those of a project (`ROUTES`), which [`projects.get`] shows. The
//! first is learnt from a refusal, which says it.

use google_cloud_compute_v1::model::{Project, quota::Metric};
use signpost_core::cloud::{TableUsage, Usage};

/// What is known of both.
#[derive(Debug, Default)]
pub(super) struct Quota {
    /// Routes that the project may still have, when it was asked.
    project_room: Option<u32>,
    /// Routes of the network when that was asked.
    used_then: Option<u32>,
    learned: Option<u32>,
    /// A route was refused without a number, and no listing has told since how many there are.
    refused: bool,
}

impl Quota {
    /// What the project says of itself.
    pub(super) fn told(&mut self, project: &Project) {
        let routes = project
            .quotas
            .iter()
            .find(|quota| quota.metric == Some(Metric::Routes));
        self.project_room = routes.and_then(|quota| Some(whole(quota.limit? - quota.usage?)));
        self.used_then = None;
    }

    /// A route was refused with these words, such as "Quota '…' exceeded. Limit: 200.0 globally."
    pub(super) fn refused(&mut self, said: &str) {
        let number = said.split("Limit: ").nth(1).and_then(|rest| {
            let number = rest
                .split(|it: char| !(it.is_ascii_digit() || it == '.'))
                .next()?;
            number.trim_end_matches('.').parse().ok().map(whole)
        });
        // The project's own is told by itself.
        match number {
            Some(limit) if said.contains("PER_NETWORK") => self.learned = Some(limit),
            _ => self.refused = true,
        }
    }

    /// The network has so many static routes; both families count against one quota.
    pub(super) fn listed(&mut self, used: u32) -> TableUsage {
        if std::mem::take(&mut self.refused) {
            self.learned = Some(used);
        }
        // More than that fit, so it was raised.
        self.learned = self.learned.filter(|limit| used <= *limit);
        let then = *self.used_then.get_or_insert(used);
        let of_project = self.project_room.map(|room| then.saturating_add(room));
        let limit = match (self.learned, of_project) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let usage = Some(Usage { used, limit });
        TableUsage {
            v4: usage,
            v6: usage,
            common: true,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and a quota is a small whole number"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use google_cloud_compute_v1::model;

    use super::*;

    fn limit(usage: TableUsage) -> Option<u32> {
        assert!(usage.common && usage.v4 == usage.v6);
        usage.v4.and_then(|it| it.limit)
    }

    #[test]
    fn a_refusal_says_the_networks_and_the_project_its_own() {
        let mut quota = Quota::default();
        assert_eq!(limit(quota.listed(10)), None);
        quota.refused("Quota 'STATIC_ROUTES_PER_NETWORK' exceeded. Limit: 200.0 globally.");
        assert_eq!(limit(quota.listed(200)), Some(200));
        assert_eq!(limit(quota.listed(201)), None, "it was raised");

        let routes = model::Quota::new()
            .set_metric(Metric::Routes)
            .set_limit(250.0)
            .set_usage(240.0);
        quota.told(&model::Project::new().set_quotas([routes]));
        assert_eq!(limit(quota.listed(100)), Some(110), "others have 140");
        assert_eq!(limit(quota.listed(105)), Some(110));
        quota.refused("Quota exceeded");
        assert_eq!(limit(quota.listed(107)), Some(107));
    }
}
