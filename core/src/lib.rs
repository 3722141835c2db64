//! The protocol core of Zabrus: deterministic, and without I/O, clock, threads or entropy.
//!
//! A [`Replica`] is one server of an ensemble. Its driver feeds it one [`Input`] at a time with
//! [`Replica::handle`], and **drains [`Replica::poll`] to `None` before the next input**. Two
//! drivers exist: a simulator that breaks the world around many replicas, and a runner that puts
//! one replica on sockets and a disk. Whatever could lose data or lie lives here.
//!
//! Citations: `zab.md` and `invariants.md` are the project's protocol notes, R1 to R16 the
//! deviations from Apache ZooKeeper that zab.md section 17 lists, ZOOKEEPER-nnnn an issue of
//! Apache ZooKeeper.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod auth;
pub mod clients;
pub mod codec;
pub mod config;
pub mod election;
pub mod event;
pub mod identity;
pub mod io;
pub mod jute;
pub mod membership;
pub mod message;
pub mod mutation;
pub mod prepare;
pub mod quorum;
pub mod reads;
pub mod recording;
pub mod replica;
pub mod state;
pub mod storage;
pub mod time;
pub mod watches;
pub mod wire;

pub use config::{Config, ConfigError};
pub use identity::{Bytes, Epoch, HistoryDigest, Position, ServerId, Zxid};
pub use io::{Input, Output};
pub use replica::Replica;
pub use time::{Duration, Instant, Now};
