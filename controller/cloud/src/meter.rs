//! What a provider that sends requests of its own reports of them.

use std::time::Duration;

/// Counts requests by the cloud's own names of its actions, which must be few.
pub trait Meter: Send + Sync + 'static {
    /// A request has ended: `ok` or the category of its error.
    fn request(&self, action: &'static str, outcome: &'static str, took: Duration);

    /// A request waited for its rate limit.
    fn waited(&self, action: &'static str, wait: Duration);
}
