//! What this server says it is.

/// The version in ZooKeeper's shape. Clients look at the first three numbers to learn what a server
/// can do, and go-zk's parser needs exactly this form (client.md section 19), so the numbers are
/// those of the protocol that is spoken, with our own version behind them.
pub(crate) const FULL: &str =
    concat!("3.9.5-zabrus-", env!("CARGO_PKG_VERSION"), ", built on 2026-11-21 00:00 UTC");
