//! What people asked for, what they were answered, and what they may therefore count on.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::id::ImageKey;
use motey_core::record::{Desired, ServiceRecord};
use motey_core::step::{Answer, AskId, Refusal};

use crate::blueprint::{image_key, spec};
use crate::disk::Stored;
use crate::plan::Wish;

/// The image that `scale` is about; every blueprint has it.
pub fn scaled_image() -> ImageKey {
    image_key("web")
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody has answered yet.
    Open,
    Accepted,
    /// It is not done.
    Refused,
    /// Nobody will ever answer: it may be done, or not.
    Lost,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub node: usize,
    pub service: usize,
    pub wish: Wish,
    fate: Fate,
}

/// All wishes, in the order in which they were made.
#[derive(Debug, Default)]
pub struct People {
    asks: Vec<Asked>,
}

/// What a service may be in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Somebody was told that it is taken over.
    pub deployed: bool,
    /// The blueprints that it may have.
    pub kinds: BTreeSet<u8>,
    pub surely_deleted: bool,
    pub perhaps_deleted: bool,
    /// Whether it is wanted to run; both when an answer was lost.
    pub running: BTreeSet<bool>,
    /// How many slots the scaled image may have; empty: as in the blueprint.
    pub counts: BTreeSet<u16>,
    /// The count of the blueprint is possible as well.
    pub or_first_count: bool,
}

impl People {
    /// Somebody asks.
    pub fn open(&mut self, node: usize, service: usize, wish: Wish) -> AskId {
        self.asks.push(Asked { node, service, wish, fate: Fate::Open });
        AskId(self.asks.len() as u64)
    }

    fn asked(&mut self, ask: AskId) -> Option<&mut Asked> {
        let at = usize::try_from(ask.0).ok()?.checked_sub(1)?;
        self.asks.get_mut(at)
    }

    /// Somebody is answered; `stored` is what the answering node would keep if its power failed now.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn answered(&mut self, ask: AskId, answer: &Answer, stored: &Stored) -> Result<(), String> {
        let asked = self.asked(ask).ok_or("an answer to nobody")?;
        if asked.fate != Fate::Open {
            return Err(format!("a second answer to {:?}", asked.wish));
        }
        asked.fate = if matches!(answer, Answer::Refused(_)) { Fate::Refused } else { Fate::Accepted };
        truthful(asked.wish, answer, stored)
    }

    /// Somebody is told that the disk is full.
    pub fn not_stored(&mut self, ask: AskId) {
        if let Some(asked) = self.asked(ask) {
            asked.fate = Fate::Refused;
        }
    }

    /// A node dies: who waits for its answer waits for ever.
    pub fn lose(&mut self, node: usize) {
        let waiting = self.asks.iter_mut().filter(|asked| asked.node == node && asked.fate == Fate::Open);
        waiting.for_each(|asked| asked.fate = Fate::Lost);
    }

    /// Those who still wait.
    pub fn waiting(&self) -> impl Iterator<Item = &Asked> {
        self.asks.iter().filter(|asked| asked.fate == Fate::Open)
    }

    /// So many were told that it is done.
    pub fn accepted(&self) -> usize {
        self.asks.iter().filter(|asked| asked.fate == Fate::Accepted).count()
    }

    /// What may have become of a service that one node answers for.
    pub fn expected(&self, service: usize) -> Expected {
        let mut expected = Expected { or_first_count: true, ..Expected::default() };
        let about = self.asks.iter().filter(|asked| asked.service == service);
        for Asked { wish, fate, .. } in about {
            match fate {
                Fate::Accepted => expected.comes(*wish),
                Fate::Lost | Fate::Open => expected.may_come(*wish),
                Fate::Refused => {}
            }
        }
        expected
    }
}

impl Expected {
    fn comes(&mut self, wish: Wish) {
        match wish {
            Wish::Deploy { kind, .. } if !self.deployed => {
                (self.deployed, self.kinds) = (true, [kind].into());
                self.running.insert(true);
            }
            Wish::Deploy { .. } => {}
            Wish::Scale { count } => (self.counts, self.or_first_count) = ([count].into(), false),
            Wish::Stop => self.running = [false].into(),
            Wish::Start | Wish::Restart => self.running = [true].into(),
            Wish::Delete => self.surely_deleted = true,
        }
    }

    fn may_come(&mut self, wish: Wish) {
        match wish {
            Wish::Deploy { kind, .. } if !self.deployed => {
                self.kinds.insert(kind);
                self.running.insert(true);
            }
            Wish::Deploy { .. } => {}
            Wish::Scale { count } => drop(self.counts.insert(count)),
            Wish::Stop => drop(self.running.insert(false)),
            Wish::Start | Wish::Restart => drop(self.running.insert(true)),
            Wish::Delete => self.perhaps_deleted = true,
        }
    }

    /// # Errors
    /// What of it nobody asked for, or what was promised and is not so.
    pub fn judge(&self, record: Option<&ServiceRecord>) -> Result<(), String> {
        let Some(record) = record else {
            return if self.deployed { Err("it was accepted, and is gone".into()) } else { Ok(()) };
        };
        if record.is_absent() {
            let asked_for = self.surely_deleted || self.perhaps_deleted;
            return if asked_for { Ok(()) } else { Err("it is deleted, and nobody asked for that".into()) };
        }
        if self.surely_deleted {
            return Err("its deletion was accepted, and it is there".into());
        }
        let kind = self.kinds.iter().find(|kind| spec(**kind).source == record.revision.spec.source);
        let Some(kind) = kind else { return Err("nobody deployed this blueprint".into()) };
        if !self.running.contains(&(record.desired == Desired::Running)) {
            return Err(format!("it is to be {:?}, and that was not the last wish", record.desired));
        }
        let first = spec(*kind).image(&scaled_image()).map(|image| match image.replicas {
            motey_core::spec::Replicas::Count(count) => count,
        });
        let count = record.revision.replicas(&scaled_image());
        if !self.counts.contains(&count) && !(self.or_first_count && first == Some(count)) {
            return Err(format!("it has {count} slots, and that was not the last wish"));
        }
        Ok(())
    }
}

/// Whether an answer says what the disk says.
fn truthful(wish: Wish, answer: &Answer, stored: &Stored) -> Result<(), String> {
    let id = match answer {
        Answer::Accepted(id) | Answer::Unchanged(id) => *id,
        Answer::Refused(Refusal::Deleted(id)) => {
            let absent = stored.records.get(id).is_some_and(|record| record.is_absent());
            return if absent { Ok(()) } else { Err("it is not deleted".into()) };
        }
        Answer::Refused(Refusal::Conflict(id)) => {
            return if stored.records.contains_key(id) { Ok(()) } else { Err("there is no other".into()) };
        }
        Answer::Refused(_) => return Ok(()),
    };
    let Some(record) = stored.records.get(&id) else {
        return Err(format!("{wish:?} was answered before it is on the disk"));
    };
    let is_so = match wish {
        Wish::Deploy { kind, .. } => record.is_absent() || record.revision.spec.source == spec(kind).source,
        Wish::Scale { count } => record.revision.replicas(&scaled_image()) == count,
        Wish::Stop => record.desired == Desired::Stopped,
        Wish::Start | Wish::Restart => record.desired == Desired::Running,
        Wish::Delete => record.is_absent(),
    };
    if is_so { Ok(()) } else { Err(format!("{wish:?} was answered, and the disk says {:?}", record.desired)) }
}

/// How many services of each fate were asked for, for a summary.
pub fn tally(people: &People) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for asked in &people.asks {
        let fate = match asked.fate {
            Fate::Open => "open",
            Fate::Accepted => "accepted",
            Fate::Refused => "refused",
            Fate::Lost => "lost",
        };
        *tally.entry(fate).or_default() += 1;
    }
    tally
}
