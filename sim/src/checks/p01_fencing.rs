//! P1 and P2: what ZooKeeper's recipes for locks and elections promise. A token (the number of a lock's
//! node, the transaction that made a leader) belongs to one player, and once something was written under
//! a newer token, nothing is written under an older one. Two players may believe at the same time
//! that they hold a token; that is why writes carry it.

use std::collections::BTreeMap;

use super::{Verdict, ensure};

/// All tokens of one lock or election, and what was written under them.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    players: BTreeMap<i64, u32>,
    /// The token of each version of the resource, as far as answers said.
    writes: BTreeMap<i32, i64>,
}

impl Tokens {
    /// A player was granted a token.
    pub fn granted(&mut self, player: u32, token: i64) -> Verdict {
        let other = *self.players.entry(token).or_insert(player);
        ensure(other == player, || format!("players {other} and {player} were both granted token {token}"))
    }

    /// A write under a token was done, and is this version of the resource.
    pub fn wrote(&mut self, player: u32, token: i64, version: i32) -> Verdict {
        let words = format!("the write of player {player} under token {token} is version {version}");
        let older = self.writes.range(..version).next_back();
        let newer = self.writes.range(version..).next();
        ensure(newer.is_none_or(|(other, _)| *other != version), || format!("{words}, as is another's"))?;
        let follows = older.is_none_or(|(_, before)| *before <= token);
        let precedes = newer.is_none_or(|(_, after)| token <= *after);
        ensure(follows && precedes, || format!("{words}, between {older:?} and {newer:?}"))?;
        self.writes.insert(version, token);
        Ok(())
    }

    /// Whether something was granted after this token.
    #[must_use]
    pub fn is_outdated(&self, token: i64) -> bool {
        self.players.last_key_value().is_some_and(|(newest, _)| *newest > token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_under_an_older_token_behind_one_under_a_newer_is_seen() {
        let mut tokens = Tokens::default();
        for (token, version) in [(5, 1), (7, 4), (5, 2)] {
            assert_eq!(tokens.wrote(0, token, version), Ok(()));
        }
        assert!(tokens.clone().wrote(1, 7, 3).is_ok());
        assert!(tokens.clone().wrote(0, 5, 3).is_ok());
        assert!(tokens.clone().wrote(0, 5, 5).is_err(), "behind the newer one");
        assert!(tokens.clone().wrote(1, 8, 3).is_err(), "before the older one");
        assert!(tokens.clone().wrote(1, 7, 4).is_err(), "two writes are one version");
    }

    #[test]
    fn a_token_of_two_players_is_seen() {
        let mut tokens = Tokens::default();
        assert!(tokens.granted(0, 5).is_ok() && tokens.granted(0, 5).is_ok());
        assert!(tokens.granted(1, 5).is_err());
        assert!(tokens.is_outdated(4) && !tokens.is_outdated(5));
    }
}
