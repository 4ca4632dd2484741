//! A fault of this program becomes an error: the runtime reads JSON, and nothing is left behind, whatever happens.
//!
//! Nothing is unwound: the tables for that would be an eighth of the program.

use std::panic;
use std::process::exit;
use std::sync::Mutex;

use signpost_netlink::Netns;

use crate::attachment::Attachment;
use crate::error::{Error, ErrorCode};
use crate::{del, print};

/// What an ADD has made by now.
static MADE: Mutex<Option<Made>> = Mutex::new(None);

struct Made {
    attachment: Attachment,
    /// The node's namespace: the fault may be in the pod's.
    node: Netns,
}

/// Has a panic end this program with an error in the version that the runtime speaks.
pub(crate) fn answer(spoken: &str) {
    let spoken = spoken.to_owned();
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tell(panic);
        let made = MADE.try_lock().ok().and_then(|mut made| made.take());
        if let Some(Made { attachment, node }) = made {
            let _ = node.run(|| del::del(&attachment));
        }
        print(&format!("{}\n", error().to_json(&spoken)));
        exit(1)
    }));
}

/// Has a panic from now on take away what ADD makes, from the node's namespace, in which this is called.
pub(crate) fn undo(attachment: &Attachment) -> signpost_netlink::Result<()> {
    let made = Made {
        attachment: attachment.clone(),
        node: Netns::current()?,
    };
    remember(Some(made));
    Ok(())
}

/// What was made is to stay, or is gone.
pub(crate) fn forget() {
    remember(None);
}

fn remember(made: Option<Made>) {
    if let Ok(mut remembered) = MADE.lock() {
        *remembered = made;
    }
}

fn error() -> Error {
    let message = "a fault in signpost-cni: standard error says where";
    Error::new(ErrorCode::Internal, message).with_details("report it to its makers")
}
