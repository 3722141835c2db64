//! Requests that change the ensemble (client.md section 16).

use std::fmt::Write as _;

use zabrus_core::ServerId;
use zabrus_core::wire::Reconfig;

use crate::random::Random;
use crate::settings::member_line;

/// A change of who votes, of the servers with these ids. With groups (`hierarchical`) only a whole ensemble can follow
/// another one.
pub(crate) fn change_voters(ids: &[u64], hierarchical: bool, random: &mut Random) -> Reconfig {
    let mut asked = Reconfig { version: -1, ..Reconfig::default() };
    let (one, other) = (*random.pick(ids), *random.pick(ids));
    match random.below(20) {
        0..6 if !hierarchical => asked.joining = Some(member_line(one, false)),
        6..10 if !hierarchical => asked.leaving = Some(one.to_string()),
        10 if !hierarchical => asked.joining = Some(member_line(one, true)),
        11..15 if !hierarchical => {
            (asked.leaving, asked.joining) = (Some(one.to_string()), Some(member_line(other, false)));
        }
        _ => asked.members = Some(any_ensemble(ids, random)),
    }
    asked
}

/// A whole ensemble as the lines of a file, most of its members voters.
fn any_ensemble(ids: &[u64], random: &mut Random) -> String {
    let mut members = ids.to_vec();
    random.shuffle(&mut members);
    members.truncate(random.range(1..=ids.len() as u64) as usize);
    let voters =
        if random.chance(700) { members.len() as u64 } else { random.range(1..=members.len() as u64) };
    let groups = if random.chance(200) { random.range(1..=voters.min(3)) } else { 0 };
    let mut voters = members[..voters as usize].to_vec();
    members.sort_unstable();
    voters.sort_unstable();
    let servers = members.iter().map(|id| member_line(*id, !voters.contains(id)));
    let mut lines: Vec<String> = servers.collect();
    let in_group = |group: u64| (0..).zip(&voters).filter(move |(place, _)| place % groups == group);
    for group in 0..groups {
        let ids: Vec<String> = in_group(group).map(|(_, id)| id.to_string()).collect();
        lines.push(format!("group.{group}={}", ids.join(":")));
    }
    for id in members.iter().filter(|_| groups > 0) {
        // Each group counts, and somebody in each may lead.
        let is_first = voters.iter().take(groups as usize).any(|first| first == id);
        let weight = (*random.pick(&[0, 1, 1, 1, 2, 3])).max(u32::from(is_first));
        lines.push(format!("weight.{id}={}", if voters.contains(id) { weight } else { 1 }));
    }
    lines.join(",")
}

/// Exactly these voters.
pub(crate) fn only(voters: &[ServerId]) -> Reconfig {
    let lines: Vec<String> = voters.iter().map(|id| member_line(id.0, false)).collect();
    Reconfig { version: -1, members: Some(lines.join(",")), ..Reconfig::default() }
}

/// Some go, some come as voters.
pub(crate) fn other(leaving: &[ServerId], joining: &[ServerId]) -> Reconfig {
    let mut asked = Reconfig { version: -1, ..Reconfig::default() };
    for id in leaving {
        let ids = asked.leaving.get_or_insert_default();
        let comma = if ids.is_empty() { "" } else { "," };
        let _ = write!(ids, "{comma}{id}");
    }
    let lines: Vec<String> = joining.iter().map(|id| member_line(id.0, false)).collect();
    asked.joining = Some(lines.join(",")).filter(|lines| !lines.is_empty());
    asked
}

#[cfg(test)]
mod tests {
    use zabrus_core::membership::Membership;

    use super::*;

    #[test]
    fn every_whole_ensemble_that_is_asked_for_is_written_as_servers_write_it() {
        let mut random = Random::stream(1, "test");
        let mut grouped = 0;
        for _ in 0..200 {
            let lines = any_ensemble(&[1, 2, 3, 4, 5], &mut random).replace(',', "\n") + "\n";
            let membership = Membership::parse(&lines).expect("an ensemble");
            assert_eq!(membership.lines(), lines);
            assert!(membership.ensemble.voters().any(|id| membership.ensemble.may_lead(id)), "{lines}");
            grouped += usize::from(membership.ensemble.hierarchical);
        }
        assert!((10..100).contains(&grouped));
    }
}
