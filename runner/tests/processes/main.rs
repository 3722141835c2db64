//! The program as processes on loopback, as its users run it.

mod client;
mod cluster;
mod data;
mod foreign;
mod load;
mod network;
mod operator;
mod reconfig;
mod recorder;
mod server;
mod shell;
mod storm;
mod verbs;
