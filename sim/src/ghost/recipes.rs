//! What the players of recipes did and learned, against what recipes promise.

use std::collections::BTreeSet;

use zabrus_core::wire::SessionId;
use zabrus_core::{Duration, Instant, Zxid};

use super::Checked;
use super::court::Court;
use super::model::Model;
use crate::checks::p01_fencing::Tokens;
use crate::checks::p03_counter::Counter;
use crate::checks::p04_queue::Queue;
use crate::checks::p05_barrier::Barrier;
use crate::checks::p06_group::{self, Group};
use crate::checks::{Rule, Verdict};
use crate::clients::recipes::{COUNTER, GROUP, Note, QUEUE, Recipe, number};
use crate::counters::Mark;

/// The recipe that is played, and everything about it.
#[derive(Clone, Debug, Default)]
pub struct Recipes {
    recipe: Option<Recipe>,
    tokens: Tokens,
    counter: Counter,
    queue: Queue,
    barrier: Barrier,
    group: Group,
}

impl Recipes {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(recipe: Option<Recipe>) -> Self {
        Self { recipe, ..Self::default() }
    }

    /// A player did or learned something.
    ///
    /// # Errors
    /// The rule that this breaks.
    pub fn noted(&mut self, player: u32, note: &Note, model: &Model, court: &mut Court<'_>) -> Checked {
        let locks = self.recipe == Some(Recipe::Lock);
        let of = |lock, leader| if locks { lock } else { leader };
        let fencing = if locks { Rule::P1 } else { Rule::P2 };
        let ended_by = |zxid: Zxid| {
            move |session: SessionId| {
                model.session(session).and_then(|life| life.closed).is_some_and(|closed| closed <= zxid)
            }
        };
        match *note {
            Note::Granted { token } => {
                court.saw(of(Mark::LocksGranted, Mark::LeadersElected));
                court.judge(fencing, self.tokens.granted(player, token))?;
            }
            Note::Fenced { token, version } => {
                let outdated = self.tokens.is_outdated(token);
                court.judge(fencing, self.tokens.wrote(player, token, version))?;
                if outdated {
                    court.saw(Mark::FencedLate);
                }
            }
            Note::FencedOff => court.saw(of(Mark::LockWritesRefused, Mark::LeaderWritesRefused)),
            Note::LostToken => court.saw(of(Mark::LocksLost, Mark::LeadersLost)),
            Note::Counting => self.counter.attempted(),
            Note::Counted { value, version } => {
                court.saw(Mark::CountsDone);
                court.judge(Rule::P3, self.counter.counted(value, version))?;
            }
            Note::CountedBefore => court.saw(Mark::CountsRefused),
            Note::Putting { number } => self.queue.asked(player, number),
            Note::Put { number, place } => {
                court.judge(Rule::P4, self.queue.put(player, number, place))?;
            }
            Note::Taking { place } => self.queue.tries(player, place),
            Note::Took { producer, number, place } => {
                court.saw(Mark::ItemsTaken);
                court.judge(Rule::P4, self.queue.took(player, (producer, number), place))?;
            }
            Note::TakenBefore => court.saw(Mark::ItemsTakenBefore),
            Note::Entering { round } => self.barrier.entering(player, round),
            Note::Entered { round, session, czxid } => self.barrier.entered(player, round, session, czxid),
            Note::Passed { round, players } => {
                court.saw(Mark::BarriersPassed);
                court.judge(Rule::P5, self.barrier.passed(player, round, players))?;
            }
            Note::Leaving { round } => self.barrier.leaving(player, round),
            Note::Left { round, zxid } => {
                court.saw(Mark::BarriersLeft);
                court.judge(Rule::P5, self.barrier.left(player, round, zxid, ended_by(zxid)))?;
            }
            Note::Joining { ref name, session } => self.group.joining(name, session),
            Note::Joined { ref name, czxid } => self.group.joined(name, czxid),
            Note::Parting { ref name } => self.group.parting(name),
            Note::Saw { session, zxid, ref names } => {
                court.saw(Mark::GroupViews);
                let verdict = self.group.saw((player, session), zxid, names, ended_by(zxid));
                court.judge(Rule::P6, verdict)?;
            }
        }
        Ok(())
    }

    /// A transaction was committed.
    pub fn committed(&mut self, now: Instant, zxid: Zxid, model: &Model) {
        let changed = |node: &zabrus_core::wire::Stat| node.pzxid == zxid.0.cast_signed();
        if self.recipe == Some(Recipe::Group) && model.now(GROUP).is_some_and(|group| changed(&group.stat()))
        {
            self.group.changed(now);
        }
    }

    /// The end of a run that became well at `well_since`; clients keep the sessions `kept`. Every
    /// rule that has a case, and what it comes to.
    #[must_use]
    pub fn ended(
        &self,
        now: Instant,
        well_since: Instant,
        kept: &BTreeSet<SessionId>,
        model: &Model,
        zxid: Zxid,
    ) -> Vec<(Rule, Verdict)> {
        match self.recipe {
            Some(Recipe::Counter) => {
                let data = model.now(COUNTER).and_then(|node| node.data.clone()).unwrap_or_default();
                let text = str::from_utf8(&data).unwrap_or_default();
                vec![(Rule::P3, self.counter.ended(text.parse().unwrap_or(0)))]
            }
            Some(Recipe::Queue) => {
                let left = model.children(QUEUE, zxid).map(number).collect();
                vec![(Rule::P4, self.queue.ended(&left))]
            }
            Some(Recipe::Group) => {
                let members = model.children(GROUP, zxid).map(str::to_owned).collect();
                let calm = now.since(self.group.last_changed().max(well_since));
                let settled = |(player, session, view)| {
                    let timeout = model.session(session).filter(|life| life.closed.is_none())?.timeout;
                    // It may lose a connection without noticing, and must find another server.
                    let enough = Duration::from_millis(u64::from(timeout.unsigned_abs())).times(2)
                        + Duration::from_seconds(5);
                    (kept.contains(&session) && calm > enough)
                        .then(|| (Rule::P6, p06_group::settled(player, view, &members)))
                };
                self.group.views().filter_map(settled).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::config::ServiceSettings;

    use super::*;
    use crate::counters::Counters;

    /// The rule that the last of these notes breaks.
    #[track_caller]
    fn broken(recipe: Recipe, notes: &[(u32, Note)]) -> &'static str {
        let mut recipes = Recipes::new(Some(recipe));
        let model = Model::new(ServiceSettings::new(Duration::from_seconds(2)));
        let mut counters = Counters::default();
        let mut court = Court::new(&mut counters, Instant(0), None);
        let (last, before) = notes.split_last().expect("there are notes");
        for (player, note) in before {
            assert_eq!(recipes.noted(*player, note, &model, &mut court), Ok(()));
        }
        recipes.noted(last.0, &last.1, &model, &mut court).expect_err("the last note is wrong").rule
    }

    #[test]
    fn what_players_note_is_judged_by_the_rule_of_their_recipe() {
        let fenced = |token, version| Note::Fenced { token, version };
        assert_eq!(broken(Recipe::Lock, &[(0, fenced(2, 1)), (1, fenced(1, 2))]), "P1");
        assert_eq!(broken(Recipe::Election, &[(0, fenced(2, 1)), (1, fenced(1, 2))]), "P2");
        let counted = Note::Counted { value: 1, version: 2 };
        assert_eq!(broken(Recipe::Counter, &[(0, Note::Counting), (0, counted)]), "P3");
        assert_eq!(broken(Recipe::Queue, &[(0, Note::Took { producer: 1, number: 1, place: 0 })]), "P4");
        let passed = Note::Passed { round: 0, players: 2 };
        assert_eq!(broken(Recipe::Barrier, &[(0, Note::Entering { round: 0 }), (0, passed)]), "P5");
        let saw = Note::Saw { session: SessionId(1), zxid: Zxid(1), names: vec!["nobody".into()] };
        assert_eq!(broken(Recipe::Group, &[(0, saw)]), "P6");
    }

    #[test]
    fn what_is_wrong_at_the_end_is_judged_too() {
        let model = Model::new(ServiceSettings::new(Duration::from_seconds(2)));
        let mut recipes = Recipes::new(Some(Recipe::Counter));
        let ended = |recipes: &Recipes| {
            let verdicts = recipes.ended(Instant(1), Instant(0), &BTreeSet::new(), &model, Zxid(0));
            verdicts.into_iter().find(|(_, verdict)| verdict.is_err()).map(|(rule, _)| rule)
        };
        assert_eq!(ended(&recipes), None);
        recipes.counter.attempted();
        recipes.counter.counted(1, 1).expect("the first");
        assert_eq!(ended(&recipes), Some(Rule::P3), "the model has no counter");
        recipes = Recipes::new(Some(Recipe::Queue));
        recipes.queue.asked(0, 1);
        recipes.queue.put(0, 1, 0).expect("the first");
        assert_eq!(ended(&recipes), Some(Rule::P4), "the model has no queue");
    }
}
