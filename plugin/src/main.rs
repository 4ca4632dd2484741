//! CNI plugin that wires a pod: a veth pair and its addresses.

fn main() {}
