//! Node agent: puts the plugin and its configuration on the node.

fn main() {}
