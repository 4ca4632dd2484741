//! Reading by id.
//!
//! EC2 refuses a whole call if one of its ids names nothing, and says which. A call that names no ids
//! at all, or ids of a zone that is disrupted, fails as long as the disruption lasts
//! (`DescribeInstances` in the service model), so filters would make one zone everybody's problem.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use signpost_core::cloud::CloudError;
use tokio::time::sleep;

use super::{
    api::{Api, IDS_A_CALL, VALUES_A_FILTER},
    errors,
    instances::{InstanceName, RawInstance},
    interfaces::RawInterface,
};

/// Before what was left out of an answer is asked for again.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// What became of some ids. Those that are in neither are left out of EC2's answers without a word,
/// as what belongs to another account is.
#[derive(Debug)]
pub(super) struct Named<T> {
    pub(super) found: Vec<T>,
    /// Those of which EC2 says that they do not exist.
    pub(super) absent: HashSet<Arc<str>>,
}

/// Asks for some ids, and again without those that do not exist.
async fn ask<T, F>(
    mut ids: Vec<Arc<str>>,
    request: impl Fn(Vec<Arc<str>>) -> F,
) -> Result<Named<T>, CloudError>
where
    F: Future<Output = Result<Vec<T>, CloudError>>,
{
    let mut absent = HashSet::new();
    while !ids.is_empty() {
        let error = match request(ids.clone()).await {
            Ok(found) => return Ok(Named { found, absent }),
            Err(error) => error,
        };
        let named = errors::absent(&error, &ids);
        if named.is_empty() {
            return Err(error);
        }
        ids.retain(|id| !named.contains(id));
        absent.extend(named);
    }
    Ok(Named {
        found: Vec::new(),
        absent,
    })
}

/// Reads network interfaces, at most [`IDS_A_CALL`].
pub(super) async fn interfaces(
    api: &Api,
    ids: &[Arc<str>],
) -> Result<Named<RawInterface>, CloudError> {
    ask(
        ids.to_vec(),
        |ids| async move { api.interfaces(&ids).await },
    )
    .await
}

/// Reads instances of one zone, at most [`IDS_A_CALL`]. What an answer leaves out is asked for twice.
async fn of_zone(api: &Api, ids: &[Arc<str>]) -> Result<Named<RawInstance>, CloudError> {
    let request = |ids: Vec<Arc<str>>| async move { api.instances(&ids).await };
    let mut all = ask(ids.to_vec(), request).await?;
    let found: HashSet<&Arc<str>> = all.found.iter().map(|it| &it.id).collect();
    let left_out: Vec<Arc<str>> = ids
        .iter()
        .filter(|id| !found.contains(id) && !all.absent.contains(*id))
        .cloned()
        .collect();
    if !left_out.is_empty() {
        sleep(SECOND_LOOK).await;
        let again = ask(left_out, request).await?;
        all.found.extend(again.found);
        all.absent.extend(again.absent);
    }
    Ok(all)
}

/// Reads instances, each zone apart, so that a zone whose calls fail is its own nodes' problem only.
pub(super) async fn instances(
    api: &Api,
    names: impl IntoIterator<Item = InstanceName>,
) -> Vec<(Vec<InstanceName>, Result<Named<RawInstance>, CloudError>)> {
    let mut zones: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    for InstanceName { zone, id } in names {
        zones.entry(zone).or_default().push(id);
    }
    let chunks: Vec<(Arc<str>, Vec<Arc<str>>)> = zones
        .iter()
        .flat_map(|(zone, ids)| {
            let chunks = ids.chunks(IDS_A_CALL);
            chunks.map(|ids| (Arc::clone(zone), ids.to_vec()))
        })
        .collect();
    let requests = chunks.into_iter().map(|(zone, ids)| async move {
        let result = of_zone(api, &ids).await;
        let names = ids.into_iter().map(|id| InstanceName {
            zone: Arc::clone(&zone),
            id,
        });
        (names.collect(), result)
    });
    join_all(requests).await
}

/// The accounts of instances that do not exist for the caller and still have an interface.
pub(super) async fn owners(
    api: &Api,
    absent: &HashSet<Arc<str>>,
) -> Result<HashMap<Arc<str>, Arc<str>>, CloudError> {
    let ids: Vec<Arc<str>> = absent.iter().cloned().collect();
    let mut owners = HashMap::new();
    for ids in ids.chunks(VALUES_A_FILTER) {
        let found = api.interfaces_of(ids).await?.into_iter();
        owners.extend(found.filter_map(|it| Some((it.instance?, it.instance_owner?))));
    }
    Ok(owners)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use signpost_core::cloud::CloudErrorKind;

    use super::*;

    #[tokio::test]
    async fn what_is_absent_hides_no_other_and_another_failure_is_everybodys() {
        let ids: Vec<Arc<str>> = ["i-1", "i-2", "i-3"].map(Arc::from).into();
        let asked = Mutex::new(0);
        let named = ask(ids.clone(), |ids| {
            *asked.lock().unwrap() += 1;
            let gone = ids.contains(&"i-2".into());
            async move {
                if gone {
                    let said = "InvalidInstanceID.NotFound: The instance ID 'i-2' does not exist";
                    return Err(CloudError::new(CloudErrorKind::NotFound, said));
                }
                Ok(ids)
            }
        });
        let named = named.await.unwrap();
        assert_eq!(named.found, ["i-1".into(), "i-3".into()]);
        assert_eq!(named.absent, HashSet::from(["i-2".into()]));
        assert_eq!(*asked.lock().unwrap(), 2);

        let failing = |_| async {
            let said = "InternalError: an internal error has occurred";
            Err::<Vec<()>, _>(CloudError::new(CloudErrorKind::Transient, said))
        };
        assert!(ask(ids, failing).await.is_err());
    }
}
