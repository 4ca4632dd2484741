//! Provider aws against an emulator of EC2 that refuses what EC2 refuses.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod scene;

mod failures;
mod instances;
mod limits;
mod moto;
mod moving;
mod ownership;
mod policy;
mod routes;
mod sharing;
mod subnets;
mod tables;
mod zones;
