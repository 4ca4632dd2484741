//! Colours, where somebody looks at them.

use std::fmt::Display;
use std::io::{IsTerminal as _, stdout};
use std::sync::LazyLock;

static COLOURS: LazyLock<bool> =
    LazyLock::new(|| stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());

fn paint(code: u8, text: impl Display) -> String {
    if *COLOURS {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_string()
    }
}

pub(super) fn bold(text: impl Display) -> String {
    paint(1, text)
}

pub(super) fn red(text: impl Display) -> String {
    paint(31, text)
}

pub(super) fn green(text: impl Display) -> String {
    paint(32, text)
}
