//! Allocates node subnets and programs the routes that lead to them.

fn main() {}
