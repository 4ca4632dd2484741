//! Has instances forward packets that are not addressed to them (`canIpForward`).

use std::{collections::HashMap, sync::Mutex};

use google_cloud_compute_v1::model;
use signpost_core::cloud::{CloudError, CloudErrorKind, InstanceQuery};
use uuid::Uuid;

use super::{GcpNetwork, action::Action, instances, links::InstanceName, lock, operations};
use crate::Progress;

/// Instances that were just read. An update sends back all of one, with the fingerprint by which Google
/// refuses it if somebody changed it meanwhile (`instances.update` in the API reference).
pub(super) type Fresh = Mutex<HashMap<InstanceName, model::Instance>>;

fn name(query: &InstanceQuery) -> Result<InstanceName, CloudError> {
    instances::name_of(query.provider_id.as_deref())
        .map_err(|why| CloudError::new(CloudErrorKind::Invalid, why))
}

impl GcpNetwork {
    /// Waits until the switch may be thrown, and reads the instance.
    pub(super) async fn admit_forwarding(&self, query: &InstanceQuery) -> Result<(), CloudError> {
        let name = name(query)?;
        if self.enable_ip_forwarding {
            let action = Action::UpdateInstance;
            self.api.calls.pass(&name.project, action).await;
        }
        let instance = self.api.instance(&name).await?.ok_or_else(|| {
            let problem = format!("not begun: instance {name} does not exist any more");
            CloudError::new(CloudErrorKind::NotFound, problem)
        })?;
        if instance.can_ip_forward != Some(true) && !self.enable_ip_forwarding {
            let problem = format!(
                "IP forwarding of instance {name} is off, so it drops the packets of its pods: set \
                 canIpForward in its instance template and make it anew, or set \
                 spec.cloud.gcp.enableIPForwarding (a managed instance group reverts what differs \
                 from its template)"
            );
            return Err(CloudError::new(CloudErrorKind::Invalid, problem));
        }
        lock(&self.fresh).insert(name, instance);
        Ok(())
    }

    /// Switches forwarding on.
    pub(super) async fn begin_forwarding(
        &self,
        query: &InstanceQuery,
    ) -> Result<Progress, CloudError> {
        let name = name(query)?;
        let instance = lock(&self.fresh).remove(&name).ok_or_else(|| {
            let problem = "not begun: the instance was not looked at just before";
            CloudError::new(CloudErrorKind::Transient, problem)
        })?;
        if instance.can_ip_forward == Some(true) {
            return Ok(Progress::Done);
        }
        let id = Uuid::new_v4().to_string();
        let forwarding = instance.set_can_ip_forward(true);
        // All of an instance is in it.
        let update = Box::pin(self.api.update_instance(&name, forwarding, &id));
        let operation = update.await?;
        operations::progress(Action::UpdateInstance, &operation, |of| {
            operations::Name::Instance {
                project: name.project,
                zone: name.zone,
                name: of,
            }
        })
    }
}
