//! What the emulator does, seen through HTTP.

mod http;
mod scene;

mod consistency;
mod control;
mod describing;
mod faulty;
mod instances;
mod interfaces;
mod metadata;
mod network;
mod program;
mod rates;
mod routes;
mod signatures;
mod tables;
mod tags;
