//! What an engine was told of instances.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use signpost_core::{
    Node, NodeKey,
    cloud::{CloudError, InstanceQuery, InstanceState},
};

/// The instances of all nodes, by UID of the node.
#[derive(Debug, Default)]
pub(crate) struct KnownInstances {
    states: BTreeMap<Arc<str>, InstanceState>,
    /// Whose instances each read under way asks for by what identifies them still.
    asked: BTreeMap<u64, BTreeSet<Arc<str>>>,
    /// Whose instance is another one than what was told last tells of.
    moved: BTreeSet<Arc<str>>,
}

impl KnownInstances {
    /// What the engine was told last of the node's instance.
    pub(crate) fn get(&self, uid: &Arc<str>) -> Option<&InstanceState> {
        self.states.get(uid)
    }

    /// What was told of the node's instance tells of another one.
    pub(crate) fn is_moved(&self, uid: &Arc<str>) -> bool {
        self.moved.contains(uid)
    }

    pub(super) fn asked(&mut self, batch: u64, queries: &[InstanceQuery]) {
        let uids = queries.iter().map(|query| query.node.uid.clone());
        self.asked.insert(batch, uids.collect());
    }

    /// A node is seen. If its instance is another one than before, the answers to what was asked
    /// before tell of the old one: they say nothing, and the engine asks again at once.
    pub(super) fn seen(&mut self, before: Option<&Node>, node: &Node) {
        let moved = before.is_some_and(|before| {
            before.key == node.key
                && (before.provider_id != node.provider_id
                    || before.internal_ips != node.internal_ips)
        });
        if moved {
            self.moved.insert(node.key.uid.clone());
            for asked in self.asked.values_mut() {
                asked.remove(&node.key.uid);
            }
        }
    }

    pub(super) fn read(
        &mut self,
        batch: u64,
        answers: &[(NodeKey, Result<InstanceState, CloudError>)],
    ) {
        let asked = self.asked.remove(&batch).unwrap_or_default();
        let answers = answers.iter().filter(|(key, _)| asked.contains(&key.uid));
        for (key, answer) in answers {
            if let Ok(state) = answer {
                self.moved.remove(&key.uid);
                self.states.insert(key.uid.clone(), state.clone());
            }
        }
    }
}
