//! Reading again what could not be read.

use std::time::Duration;

use signpost_core::cloud::{CloudError, CloudErrorKind};
use tokio::time::sleep;

/// How often a read is sent until the engine is told that it failed.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// Sends a request that only reads, and some more times if that can help.
pub(crate) async fn attempts<T, F>(send: impl Fn() -> F) -> Result<T, CloudError>
where
    F: Future<Output = Result<T, CloudError>>,
{
    let mut attempt = 1;
    loop {
        let error = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let passing = match error.kind {
            // The bucket has taken note and makes the next attempt wait.
            CloudErrorKind::Throttled => true,
            CloudErrorKind::Transient => {
                sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
                true
            }
            _ => false,
        };
        if !passing || attempt >= ATTEMPTS {
            return Err(error);
        }
        attempt += 1;
    }
}
