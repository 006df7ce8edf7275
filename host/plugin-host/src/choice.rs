//! Which of the files of one id runs.

use std::cmp::Reverse;

use crate::{
    entry::Entry,
    plugin::State,
    reason::{Reason, code},
};

/// Disables what the configuration names, then leaves of each id one: what runs already, or else the newest version,
/// the first found of equal ones.
pub(crate) fn choose(entries: &mut [Entry], disabled: &[String]) {
    for index in 0..entries.len() {
        if entries[index].state() != State::Discovered {
            continue;
        }
        let Some(id) = entries[index].manifest.as_ref().map(|manifest| manifest.id.clone()) else {
            continue;
        };
        if disabled.contains(&id) {
            let reason =
                Reason::new(code::DISABLED, format!("plugin `{id}` is disabled in the configuration"));
            entries[index].refuse(State::Disabled, reason);
        } else if let Some(winner) = winner_over(entries, index, &id) {
            let reason = shadowed(&entries[index], &entries[winner], &id);
            entries[index].refuse(State::Shadowed, reason);
        }
    }
}

/// Chooses once more among the files of this id, after the one that was chosen has failed: it is out.
pub(crate) fn choose_again(entries: &mut [Entry], id: &str, disabled: &[String]) {
    for entry in entries.iter_mut().filter(|entry| entry.is(id) && entry.state() == State::Shadowed) {
        entry.state = State::Discovered;
        entry.reason = None;
    }
    choose(entries, disabled);
}

fn shadowed(loser: &Entry, winner: &Entry, id: &str) -> Reason {
    let version = |entry: &Entry| entry.manifest.as_ref().map_or_else(String::new, |it| it.version.clone());
    let text = format!(
        "{} (version {}) is not used: plugin `{id}` is taken from {} (version {})",
        loser.path.display(),
        version(loser),
        winner.path.display(),
        version(winner),
    );
    Reason::new(code::VERSION_SHADOWED, text)
}

/// The best of those that come before this one.
fn winner_over(entries: &[Entry], index: usize, id: &str) -> Option<usize> {
    let rank = |(index, entry): (usize, &Entry)| {
        let runs = match entry.state() {
            State::Discovered => false,
            State::Loaded | State::Active | State::Inactive | State::Unresponsive => true,
            State::Rejected | State::Shadowed | State::Disabled | State::Failed => return None,
        };
        entry.is(id).then(|| (runs, entry.version(), Reverse(index)))
    };
    let (_, _, Reverse(best)) = entries.iter().enumerate().filter_map(rank).max()?;
    (best != index).then_some(best)
}
