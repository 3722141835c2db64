//! The program as processes on loopback, as its users run it.

mod client;
mod cluster;
<<<<<<< HEAD
mod recorder;
=======
mod foreign;
mod load;
mod network;
>>>>>>> proof
mod server;
mod storm;
mod verbs;
