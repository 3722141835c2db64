//! Who belongs to the ensemble and where they are: what `/zookeeper/config` says, and what reconfig
//! changes (client.md section 16, zab.md section 13).

mod line;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

pub use line::{Address, HostPort, ServerLine, bracketed, parse as parse_line};

use crate::identity::ServerId;
use crate::quorum::{Ensemble, Member, MemberKind};

/// The node that says who belongs to the ensemble.
pub const CONFIG_PATH: &str = "/zookeeper/config";

/// What transactions call the members that are to follow. There is no such node.
pub const NEXT_PATH: &str = "/zookeeper/config/next";

/// The members, where they are, and since which transaction: `version` of the ensemble is its zxid, 0 for
/// what operators wrote at the first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Who votes, and how quorums are counted.
    pub ensemble: Ensemble,
    /// Where they are: for each member its line.
    pub servers: BTreeMap<ServerId, ServerLine>,
}

impl Membership {
    /// Plain majorities of those servers that vote.
    #[must_use]
    pub fn of(servers: BTreeMap<ServerId, ServerLine>, version: u64) -> Self {
        let member = |line: &ServerLine| {
            let kind = if line.observer { MemberKind::Observer } else { MemberKind::Participant };
            Member { kind, group: 0, weight: 1 }
        };
        let members = servers.iter().map(|(id, line)| (*id, member(line))).collect();
        Self { ensemble: Ensemble { version, members, hierarchical: false }, servers }
    }

    /// The meaning of the lines `server.N`, `group.N`, `weight.N` and `version`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut servers, mut groups, mut weights) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut version = 0;
        let lines = text.split(['\n', '\r']).map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '!'])) {
            let wrong = |what: &str| format!("`{line}`: {what}");
            let (key, value) = line.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
            let (key, value) = (key.trim(), value.trim());
            if key == "version" {
                version = u64::from_str_radix(value, 16).map_err(|_| wrong("not a hexadecimal number"))?;
                continue;
            }
            let (kind, number) = key.split_once('.').ok_or_else(|| wrong("no such setting"))?;
            let id = ServerId(number.parse().map_err(|_| wrong("no number stands behind the dot"))?);
            match kind {
                "server" => drop(servers.insert(id, line::parse(value)?)),
                "group" => drop(groups.insert(id.0, value)),
                "weight" => {
                    weights.insert(id, value.parse().map_err(|_| wrong("a weight is a number"))?);
                }
                _ => return Err(wrong("no such setting")),
            }
        }
        let mut membership = Self::of(servers, version);
        membership.group(&groups, &weights)?;
        Ok(membership)
    }

    /// zab.md section 12.
    fn group(
        &mut self,
        groups: &BTreeMap<u64, &str>,
        weights: &BTreeMap<ServerId, u32>,
    ) -> Result<(), String> {
        let members = &mut self.ensemble.members;
        let mut ungrouped: BTreeSet<ServerId> = members.keys().copied().collect();
        for (group, ids) in groups {
            for id in ids.split(':').map(str::trim) {
                let id = id.parse().map_err(|_| format!("group.{group}: `{id}` is no id of a server"))?;
                if !ungrouped.remove(&ServerId(id)) {
                    return Err(format!("group.{group}: server {id} is not there, or in two groups"));
                }
                let group =
                    u32::try_from(*group).map_err(|_| format!("group.{group}: too large a number"))?;
                members.entry(ServerId(id)).and_modify(|member| member.group = group);
            }
        }
        for (id, weight) in weights {
            let member = members.get_mut(id).filter(|_| !groups.is_empty());
            member.ok_or_else(|| format!("weight.{id}: there is no such server in a group"))?.weight =
                *weight;
        }
        self.ensemble.hierarchical = !groups.is_empty();
        match self.ensemble.voters().find(|id| !groups.is_empty() && ungrouped.contains(id)) {
            Some(id) => Err(format!("server {id} is in no group")),
            None => Ok(()),
        }
    }

    /// What a transaction or another server says of the members, if it is readable.
    #[must_use]
    pub fn from_bytes(data: &[u8]) -> Option<Self> {
        core::str::from_utf8(data).ok().and_then(|text| Self::parse(text).ok())
    }

    /// The lines without the version, as files have them.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (id, line) in &self.servers {
            let _ = writeln!(text, "server.{id}={line}");
        }
        if self.ensemble.hierarchical {
            let mut groups: BTreeMap<u32, String> = BTreeMap::new();
            for (id, member) in self.ensemble.members.iter().filter(|(id, _)| self.ensemble.is_voter(**id)) {
                let ids = groups.entry(member.group).or_default();
                let colon = if ids.is_empty() { "" } else { ":" };
                let _ = write!(ids, "{colon}{id}");
            }
            for (group, ids) in groups {
                let _ = writeln!(text, "group.{group}={ids}");
            }
            for (id, member) in &self.ensemble.members {
                let _ = writeln!(text, "weight.{id}={}", member.weight);
            }
        }
        text
    }

    /// What `/zookeeper/config` says.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}version={:x}", self.lines(), self.ensemble.version)
    }

    /// The same members from another transaction on.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.ensemble.version = version;
        self
    }

    /// Whether two servers would have one address, as far as that can be known without asking for
    /// names: addresses that mean something else on every machine may be the same.
    #[must_use]
    pub fn has_address_twice(&self) -> bool {
        let mut seen = BTreeMap::new();
        let addresses = self.servers.iter().flat_map(|(id, line)| {
            let peers = line.addresses.iter().flat_map(|address| {
                [(&*address.host, address.quorum_port), (&*address.host, address.election_port)]
            });
            let client = line.client.iter().map(|client| (&*client.host, client.port));
            peers.chain(client).map(move |address| (address, *id))
        });
        addresses
            .filter(|((host, _), _)| !is_local(host))
            .any(|(address, id)| seen.insert(address, id).is_some_and(|other| other != id))
    }
}

fn is_local(host: &str) -> bool {
    matches!(host, "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0" | "::1" | "localhost") || host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: &str = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n\
                         server.3=c:1:2:observer;0.0.0.0:3\n";

    fn parse(text: &str) -> Membership {
        Membership::parse(text).expect(text)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = format!("{LINES}version=10000000a");
        let membership = parse(&text);
        assert_eq!(membership.text(), text);
        assert_eq!(membership.lines(), LINES);
        assert_eq!(membership.ensemble, Ensemble { version: 0x1_0000_000a, ..Ensemble::plain(2, 1) });
    }

    #[test]
    fn groups_and_weights_are_written_and_read_back() {
        let lines = LINES.replace("observer", "participant");
        let text = format!("{lines}group.1=1:2\ngroup.2=3\nweight.1=2\nweight.2=0\nweight.3=1\nversion=0");
        let membership = parse(&text);
        assert_eq!(membership.text(), text);
        let ensemble = &membership.ensemble;
        assert!(ensemble.hierarchical && ensemble.may_lead(ServerId(1)) && !ensemble.may_lead(ServerId(2)));
    }

    #[test]
    fn spaces_comments_and_empty_lines_mean_nothing() {
        let text = "# three\n\n server.1 = a:1:2 \r\nserver.2=b:1:2;4\n";
        let expected = "server.1=a:1:2:participant\nserver.2=b:1:2:participant;0.0.0.0:4\n";
        assert_eq!(parse(text).lines(), expected);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let grouped = |text: &str| format!("server.1=a:1:2\nserver.2=b:1:2\n{text}");
        for (text, complaint) in [
            ("foo".into(), "no `=`"),
            ("foo=1".into(), "no such setting"),
            ("foo.1=1".into(), "no such setting"),
            ("server.x=a:1:2".into(), "no number"),
            ("server.1=a".into(), "must begin with a host"),
            ("version=x".into(), "hexadecimal"),
            (grouped("weight.1=x"), "a weight is a number"),
            (grouped("weight.1=1"), "no such server in a group"),
            (grouped("group.1=1"), "server 2 is in no group"),
            (grouped("group.1=1:2\ngroup.2=2"), "in two groups"),
            (grouped("group.1=1:x"), "no id"),
        ] {
            let error = Membership::parse(&text).expect_err(&text);
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_names_members_or_is_wrong(
            text in r"((server|group|weight)\.[0-9]{1,2}=([0-9]:?){1,3}\n|version=[0-9a-f]{1,20}|\PC*)*",
            servers in 1..5_u64,
        ) {
            let lines = (1..=servers).map(|id| format!("server.{id}=s{id}:1:2\n"));
            let text = lines.collect::<String>() + &text;
            if let Ok(membership) = Membership::parse(&text) {
                let again = Membership::parse(&membership.text()).expect("what it writes itself");
                prop_assert_eq!(again.servers, membership.servers);
                prop_assert!(again.ensemble.has_same_voters(&membership.ensemble));
            }
        }
    }

    #[test]
    fn an_address_of_two_servers_is_seen_unless_each_machine_has_one_like_it() {
        assert!(!parse(LINES).has_address_twice());
        assert!(parse(&LINES.replace("b:1:2", "a:2:4")).has_address_twice());
        assert!(parse(&LINES.replace("c:1:2:observer;0.0.0.0:3", "c:1:2;a:2")).has_address_twice());
        let local = LINES.replace("a:", "127.0.0.1:").replace("b:", "127.0.0.1:");
        assert!(!parse(&local).has_address_twice());
    }
}
