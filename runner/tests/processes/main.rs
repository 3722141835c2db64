//! The program as processes on loopback, as its users run it.

mod client;
mod cluster;
mod foreign;
mod load;
mod network;
mod operator;
mod recorder;
mod data;
mod server;
mod storm;
mod shell;
mod verbs;
