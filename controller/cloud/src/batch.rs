//! One request for everybody who waits for the same kind of answer.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    hash::Hash,
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use signpost_core::cloud::{CloudError, CloudErrorKind};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

/// What became of one question: what was found, `None` if it does not exist, or why nobody knows.
pub(crate) type Answer<V> = Result<Option<V>, CloudError>;

/// What one request found.
type Found<K, V> = HashMap<K, Result<V, CloudError>>;

/// Reads what there is for these keys; those that do not exist are absent from its answer. An error
/// is everybody's answer.
type Read<K, V> =
    Box<dyn Fn(Vec<K>) -> BoxFuture<'static, Result<Found<K, V>, CloudError>> + Send + Sync>;

/// Questions of one caller and where their answers go.
type Group<K, V> = (Vec<K>, oneshot::Sender<HashMap<K, Answer<V>>>);

/// When questions are asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long the first question waits for others.
    pub(crate) linger: Duration,
    /// Shortest time from the start of one request to that of the next.
    pub(crate) interval: Duration,
    /// Once requests have followed each other for so long, three times that time: whoever waits does so
    /// for long anyway.
    pub(crate) patience: Duration,
}

/// Collects questions while a request is under way and asks them together in the next one, so
/// every answer was read after its question was asked.
pub(crate) struct Batch<K, V> {
    groups: mpsc::UnboundedSender<Group<K, V>>,
}

impl<K, V> fmt::Debug for Batch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

impl<K, V> Batch<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// One request has at most `most` keys and is held back as `pace` says, for others to join. The
    /// worker ends with this value. Must be called within a tokio runtime.
    pub(crate) fn new(most: usize, pace: Pace, read: Read<K, V>) -> Self {
        let (groups, inbox) = mpsc::unbounded_channel();
        tokio::spawn(work(most, pace, read, inbox));
        Self { groups }
    }

    /// Asks together with whoever else asks now. One answer for each key.
    pub(crate) async fn ask_all(&self, keys: Vec<K>) -> HashMap<K, Answer<V>> {
        let (reply, answer) = oneshot::channel();
        // Fails only if the worker is gone; then nothing is answered.
        let _ = self.groups.send((keys, reply));
        answer.await.unwrap_or_default()
    }

    /// Like [`ask_all`](Self::ask_all), for one key.
    pub(crate) async fn ask(&self, key: K) -> Answer<V> {
        let mut answers = self.ask_all(vec![key.clone()]).await;
        answers.remove(&key).unwrap_or_else(|| {
            let problem = "not asked: the provider has ended";
            Err(CloudError::new(CloudErrorKind::Transient, problem))
        })
    }
}

async fn work<K, V>(
    most: usize,
    pace: Pace,
    read: Read<K, V>,
    mut inbox: mpsc::UnboundedReceiver<Group<K, V>>,
) where
    K: Clone + Eq + Hash,
    V: Clone,
{
    let mut not_before = Instant::now();
    let mut busy_since = not_before;
    while let Some(first) = inbox.recv().await {
        let asked = Instant::now();
        if asked > not_before + pace.interval {
            busy_since = asked;
        }
        sleep_until(not_before.max(asked + pace.linger)).await;
        let now = Instant::now();
        let long = now.duration_since(busy_since) >= pace.patience;
        not_before = now + pace.interval * if long { 3 } else { 1 };
        let mut groups = vec![first];
        while let Ok(group) = inbox.try_recv() {
            groups.push(group);
        }
        // Whoever has given up meanwhile needs no answer.
        groups.retain(|(_, reply)| !reply.is_closed());
        let keys: HashSet<&K> = groups.iter().flat_map(|(keys, _)| keys).collect();
        let keys: Vec<K> = keys.into_iter().cloned().collect();
        let requests = keys.chunks(most.max(1)).map(|keys| async {
            let found = read(keys.to_vec()).await;
            answers(keys, found)
        });
        let found: HashMap<K, Answer<V>> = join_all(requests).await.into_iter().flatten().collect();
        for (keys, reply) in groups {
            let own = keys
                .into_iter()
                .filter_map(|key| found.get_key_value(&key))
                .map(|(key, answer)| (key.clone(), answer.clone()))
                .collect();
            // Whoever asked may have given up.
            let _ = reply.send(own);
        }
    }
}

fn answers<K, V>(
    keys: &[K],
    found: Result<Found<K, V>, CloudError>,
) -> impl Iterator<Item = (K, Answer<V>)> + use<K, V>
where
    K: Clone + Eq + Hash,
{
    let keys = keys.to_vec();
    let (mut found, error) = match found {
        Ok(found) => (found, None),
        Err(error) => (HashMap::new(), Some(error)),
    };
    keys.into_iter().map(move |key| {
        let answer = match &error {
            Some(error) => Err(error.clone()),
            None => found.remove(&key).transpose(),
        };
        (key, answer)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::sleep;

    use super::*;

    type Log = Arc<Mutex<Vec<Vec<u32>>>>;

    /// Answers even numbers with their square and takes a second for it; 99 fails.
    fn squares(log: &Log, interval: Duration) -> Batch<u32, u32> {
        let log = Arc::clone(log);
        let read = move |mut keys: Vec<u32>| -> BoxFuture<'static, _> {
            keys.sort_unstable();
            log.lock().unwrap().push(keys.clone());
            Box::pin(async move {
                sleep(Duration::from_secs(1)).await;
                if keys.contains(&99) {
                    return Err(CloudError::new(CloudErrorKind::Throttled, "too many"));
                }
                let even = keys.into_iter().filter(|key| key % 2 == 0);
                Ok(even.map(|key| (key, Ok(key * key))).collect())
            })
        };
        let pace = Pace {
            linger: Duration::from_millis(10),
            interval,
            patience: Duration::from_secs(30),
        };
        Batch::new(3, pace, Box::new(read))
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_share_the_next_request() {
        let log = Log::default();
        let batch = squares(&log, Duration::ZERO);
        let first = batch.ask(2);
        let later = async {
            sleep(Duration::from_millis(500)).await;
            tokio::join!(batch.ask(2), batch.ask(3), batch.ask(4))
        };
        let (first, later) = tokio::join!(first, later);
        assert_eq!(first, Ok(Some(4)));
        assert_eq!(later, (Ok(Some(4)), Ok(None), Ok(Some(16))));
        assert_eq!(*log.lock().unwrap(), [vec![2], vec![2, 3, 4]]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_keys_go_in_several_requests_which_fail_alone() {
        let log = Log::default();
        let batch = squares(&log, Duration::ZERO);
        let keys: Vec<u32> = vec![2, 4, 6, 8, 99];
        let answers = batch.ask_all(keys.clone()).await;
        assert_eq!(answers.len(), 5);
        assert_eq!(
            answers[&99].as_ref().unwrap_err().kind,
            CloudErrorKind::Throttled
        );
        let requests = log.lock().unwrap().clone();
        assert_eq!(requests.iter().map(Vec::len).sum::<usize>(), 5);
        assert!(requests.iter().all(|keys| keys.len() <= 3), "{requests:?}");
        for keys in requests.iter().filter(|keys| !keys.contains(&99)) {
            for key in keys {
                assert_eq!(answers[key], Ok(Some(key * key)));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_keeps_nobody_from_an_answer() {
        let log = Log::default();
        let batch = squares(&log, Duration::ZERO);
        let hasty = tokio::time::timeout(Duration::from_millis(200), batch.ask(6));
        let (hasty, patient) = tokio::join!(hasty, batch.ask(8));
        assert!(hasty.is_err());
        assert_eq!(patient, Ok(Some(64)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_asked_at_once_and_those_after_it_together() {
        let log = Log::default();
        let batch = squares(&log, Duration::from_secs(5));
        let begun = Instant::now();
        assert_eq!(batch.ask(2).await, Ok(Some(4)));
        assert!(begun.elapsed() < Duration::from_secs(2));
        let later = async {
            sleep(Duration::from_secs(2)).await;
            batch.ask(6).await
        };
        assert_eq!(
            tokio::join!(batch.ask(4), later),
            (Ok(Some(16)), Ok(Some(36)))
        );
        assert_eq!(*log.lock().unwrap(), [vec![2], vec![4, 6]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_for_long_is_asked_more_rarely_until_there_was_a_rest() {
        let log = Log::default();
        let batch = squares(&log, Duration::from_secs(5));
        let mut took = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            assert_eq!(batch.ask(2).await, Ok(Some(4)));
            took.push(begun.elapsed().as_secs());
        }
        assert_eq!(took, [1, 5, 5, 5, 5, 5, 5, 15, 15]);
        sleep(Duration::from_secs(30)).await;
        for expected in [1, 5] {
            let begun = Instant::now();
            assert_eq!(batch.ask(2).await, Ok(Some(4)));
            assert_eq!(begun.elapsed().as_secs(), expected);
        }
    }
}
