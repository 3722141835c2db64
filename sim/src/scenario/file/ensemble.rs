//! The servers of a scenario: how many, and by which rule they are a quorum.

use std::collections::BTreeSet;

use toml::Spanned;
use zabrus_core::ServerId;
use zabrus_core::quorum::Ensemble;

use super::super::sentence::Sentence;
use super::{File, Mistake, Reader, exist};

impl Reader<'_> {
    pub(super) fn ensemble(&self, file: &File) -> Result<Ensemble, Mistake> {
        let refuse = |span, message: &str| Err(Mistake { span, message: message.into() });
        let voters = *file.servers.get_ref();
        if !(1..=9).contains(&voters) || file.observers + file.joiners > 9 {
            let message = "expected 1 to 9 servers with a vote and at most 9 observers and joiners";
            return refuse(file.servers.span(), message);
        }
        let mut ensemble = Ensemble::plain(voters, file.observers);
        match (&file.groups, &file.weights) {
            (Some(groups), _) => self.group(&mut ensemble, groups)?,
            (None, Some(weights)) => {
                return refuse(
                    weights.span(),
                    "`weights` count within `groups`, which this file does not have",
                );
            }
            (None, None) => {}
        }
        let voters: Vec<_> = ensemble.voters().collect();
        for (name, weight) in file.weights.iter().flat_map(Spanned::get_ref) {
            let Some(server) = name.get_ref().parse().ok().map(ServerId).filter(|id| voters.contains(id))
            else {
                return refuse(name.span(), &format!("`{}` is no server with a vote", name.get_ref()));
            };
            ensemble.members.entry(server).and_modify(|member| member.weight = *weight);
        }
        Ok(ensemble)
    }

    /// Each voter belongs to one group.
    fn group(&self, ensemble: &mut Ensemble, groups: &Spanned<Vec<Spanned<String>>>) -> Result<(), Mistake> {
        let voters: Vec<_> = ensemble.voters().collect();
        let mut grouped = BTreeSet::new();
        for (group, text) in (1..).zip(groups.get_ref()) {
            let mut s = Sentence::new(text.get_ref(), self.offset(&text.span(), text.get_ref()));
            let servers = s.servers()?;
            s.finish()?;
            exist(&servers, &voters, &text.span())?;
            for server in servers {
                if !grouped.insert(server) {
                    let message = format!("server {server} is in two groups; expected one");
                    return Err(Mistake { span: text.span(), message });
                }
                ensemble.members.entry(server).and_modify(|member| member.group = group);
            }
        }
        if let Some(alone) = voters.iter().find(|voter| !grouped.contains(voter)) {
            let message = format!("server {alone} is in no group; expected one for each server with a vote");
            return Err(Mistake { span: groups.span(), message });
        }
        ensemble.hierarchical = true;
        Ok(())
    }
}
