//! The program as processes on loopback, as its users run it.

mod client;
mod cluster;
mod recorder;
mod server;
mod verbs;
