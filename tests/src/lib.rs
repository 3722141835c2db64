//! The house rules that neither compiler nor linter keeps, as pure functions over text.
//!
//! Each rule takes what it judges and returns complaints; each complaint names the place and says
//! what to do. `tests/house_rules.rs` applies them to this project. Each rule is tested here on an
//! example that breaks it, so that no rule can pass by seeing nothing.
//!
//! [`conversation`] reads and replays what was recorded from a server of Apache ZooKeeper.

pub mod code;
pub mod conversation;
pub mod layout;
pub mod manifests;
pub mod mutants;
pub mod project;
pub mod words;

/// What a rule found wrong: where, and what to do about it.
pub type Complaint = String;
