//! A run written down: settings, seed, and each fault with its time.
//!
//! A seed means another run as soon as the swarm draws otherwise. A case keeps its meaning: it can
//! be shrunk, changed by hand, and played again.

use serde::{Deserialize, Serialize};
use zabrus_core::{Instant, ServerId};

use crate::fault::{Fault, FaultKind};
use crate::settings::Settings;

/// A run written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The root of everything that is still random: delays, what clients ask, where bytes tear.
    pub seed: u64,
    /// The world.
    pub settings: Settings,
    /// What happens to it.
    pub incidents: Vec<Incident>,
    /// What is done when the faulty time is over.
    pub cures: Vec<Fault>,
}

/// A fault and what follows from it, such as a crash and the start after it. Half of an incident
/// would be something that no plan does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// What it began as; `None` if servers only start.
    pub kind: Option<FaultKind>,
    /// In the order of time.
    pub steps: Vec<TimedFault>,
}

/// A fault and when it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// In microseconds since the beginning of the world.
    #[serde(rename = "micros")]
    pub at: Instant,
    /// The fault.
    pub fault: Fault,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// If the text is none, or no server can work with its settings: what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let case: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut servers = case.settings.servers();
        case.settings.ensemble.members.first_key_value().ok_or("settings.ensemble: there is no server")?;
        servers.try_for_each(|server| {
            let config = case.settings.config(server, true);
            config.validate().map_err(|error| format!("settings: {error}"))
        })?;
        let steps = case.incidents.iter().flat_map(|incident| &incident.steps);
        let faults = steps.map(|step| &step.fault).chain(&case.cures);
        let is_server = |id: &ServerId| case.settings.servers().any(|server| server == *id);
        match faults.flat_map(Fault::harmed).find(|id| !is_server(id)) {
            Some(stranger) => Err(format!("a fault concerns server {stranger}, but there is no such server")),
            None => Ok(case),
        }
    }

    /// The case as text that [`Case::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a case has only names and numbers") + "\n"
    }

    /// The same without one of its servers.
    #[must_use]
    pub fn without(&self, server: ServerId) -> Self {
        let mut case = self.clone();
        case.settings.ensemble.members.remove(&server);
        case.settings.joiners.remove(&server);
        case.settings.load.voters.retain(|id| *id != server.0);
        for incident in &mut case.incidents {
            incident.steps = incident.steps.iter().filter_map(|step| step.without(server)).collect();
        }
        case.incidents.retain(|incident| !incident.steps.is_empty());
        case.cures = case.cures.iter().filter_map(|cure| cure.without(server)).collect();
        case
    }
}

impl TimedFault {
    fn without(&self, server: ServerId) -> Option<Self> {
        Some(Self { at: self.at, fault: self.fault.without(server)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{swarm, world};

    #[test]
    fn a_case_is_the_run_of_its_seed_to_the_last_event() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..30 {
            let (report, case) = world::write_down(swarm::draw(seed), seed);
            kinds.extend(case.incidents.iter().filter_map(|incident| incident.kind));
            let again = Case::parse(&case.text()).unwrap();
            assert_eq!(again, case);
            let replayed = world::play_case(&again, false);
            assert_eq!((replayed.trace_hash, replayed.events), (report.trace_hash, report.events), "{seed}");
        }
        assert!(kinds.len() > 15, "{kinds:?}");
    }

    #[test]
    fn a_case_without_a_server_plays_without_it() {
        let settings = (0..).map(swarm::draw).find(|settings| {
            settings.ensemble.members.len() == 5 && !settings.ensemble.hierarchical && settings.start_all
        });
        let (_, case) = world::write_down(settings.unwrap(), 1);
        let smaller = case.without(ServerId(5));
        assert!(!smaller.text().contains("\"5\""));
        assert!(world::play_case(&smaller, false).outcome.passed());
    }

    #[test]
    fn a_wrong_case_is_refused_with_its_place() {
        let (_, case) =
            world::write_down(Settings { duration: zabrus_core::Duration(1), ..swarm::draw(0) }, 0);
        let text = case.text();
        let wrong = text.replacen("\"tick_time\"", "\"tick\"", 1);
        assert!(Case::parse(&wrong).unwrap_err().contains("line"), "{wrong}");
        let mut nobody = case.clone();
        nobody.settings.ensemble.members.clear();
        assert!(Case::parse(&nobody.text()).unwrap_err().contains("no server"));
        let mut hasty = case;
        hasty.settings.tick_time = zabrus_core::Duration(0);
        assert!(Case::parse(&hasty.text()).is_err());
    }
}
