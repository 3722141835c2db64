//! The program as processes on loopback, as its users run it.

mod client;
mod cluster;
mod server;
mod shell;
mod verbs;
