//! Plugins of others that come after Signpost's.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Those that the node has.
#[derive(Clone, Debug)]
pub struct Chained {
    folder: PathBuf,
}

impl Chained {
    /// Looks for them in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Their entries in the network configuration.
    pub fn plugins(&self) -> Vec<Value> {
        // Host ports are the work of the reference plugin, where the node has it.
        let portmap = json!({"type": "portmap", "capabilities": {"portMappings": true}});
        let present = self.folder.join("portmap").exists();
        present.then_some(portmap).into_iter().collect()
    }
}
