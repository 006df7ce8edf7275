//! What people asked for, what they were answered, and what they may therefore count on.

use std::collections::BTreeSet;
use std::sync::Arc;

use motey_core::id::{ImageKey, ServiceId};
use motey_core::record::{Desired, RevisionOrder, ServiceRecord, Stamp};
use motey_core::step::{Answer, AskId, Refusal};

use crate::blueprint::{image_key, spec};
use crate::disk::Contents;
use crate::plan::Wish;

/// The image that `scale` is about; a blueprint without it has nothing to scale.
pub fn scaled_image() -> ImageKey {
    image_key("web")
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody has answered yet.
    Open,
    /// It is so, and this is the revision that the service had then.
    Accepted(Option<Promise>),
    /// It is not done.
    Refused,
    /// Nobody will ever answer: it may be done, or not.
    Lost,
}

/// What somebody may count on: this revision, or a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Promise {
    stamp: Stamp,
    order: RevisionOrder,
    source: Arc<str>,
    count: u16,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub node: usize,
    /// `None`: it is about the node.
    pub service: Option<usize>,
    pub wish: Wish,
    fate: Fate,
    /// It was not so before.
    changed: bool,
}

/// All wishes, in the order in which they were made.
#[derive(Debug, Default)]
pub struct People {
    asks: Vec<Asked>,
}

impl People {
    /// Somebody asks.
    pub fn open(&mut self, node: usize, service: Option<usize>, wish: Wish) -> AskId {
        self.asks.push(Asked { node, service, wish, fate: Fate::Open, changed: false });
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
    pub fn answered(&mut self, ask: AskId, answer: &Answer, stored: &Contents) -> Result<(), String> {
        let asked = self.asked(ask).ok_or("an answer to nobody")?;
        if asked.fate != Fate::Open {
            return Err(format!("a second answer to {:?}", asked.wish));
        }
        asked.fate = match answer {
            Answer::Refused(_) => Fate::Refused,
            Answer::Done | Answer::Offers { .. } => Fate::Accepted(None),
            Answer::Accepted(id) | Answer::Unchanged(id) => Fate::Accepted(promise(*id, stored)),
        };
        asked.changed = matches!(answer, Answer::Accepted(_));
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

    /// Of a service no more is left anywhere than this: what was done after that is done, or not.
    pub fn void(&mut self, service: usize, stamp: Option<Stamp>, order: Option<RevisionOrder>) {
        for asked in self.asks.iter_mut().filter(|asked| asked.service == Some(service)) {
            if let Fate::Accepted(Some(promise)) = &asked.fate
                && (Some(promise.stamp) > stamp || Some(promise.order) > order)
            {
                asked.fate = Fate::Lost;
            }
        }
    }

    /// Those who still wait.
    pub fn waiting(&self) -> impl Iterator<Item = &Asked> {
        self.asks.iter().filter(|asked| asked.fate == Fate::Open)
    }

    /// So many were told that it is done.
    pub fn accepted(&self) -> usize {
        self.asks.iter().filter(|asked| matches!(asked.fate, Fate::Accepted(_))).count()
    }

    /// # Errors
    /// What of a service was promised and is not so, or is so and nobody asked for it.
    pub fn judge(&self, service: usize, record: Option<&ServiceRecord>) -> Result<(), String> {
        let about: Vec<&Asked> = self.asks.iter().filter(|asked| asked.service == Some(service)).collect();
        let done = |is: fn(&Wish) -> bool| {
            about.iter().any(|it| matches!(it.fate, Fate::Accepted(_)) && is(&it.wish))
        };
        let lost = |is: fn(&Wish) -> bool| about.iter().any(|it| it.fate == Fate::Lost && is(&it.wish));
        let Some(record) = record else {
            let deployed = done(|wish| matches!(wish, Wish::Deploy { .. }));
            return if deployed { Err("it was accepted, and is gone".into()) } else { Ok(()) };
        };
        let deletes = |wish: &Wish| *wish == Wish::Delete;
        if record.is_absent() {
            let asked_for = done(deletes) || lost(deletes);
            return if asked_for { Ok(()) } else { Err("it is deleted, and nobody asked for that".into()) };
        }
        if done(deletes) {
            return Err("its deletion was accepted, and it is there".into());
        }
        if record.stamp.epoch == 1 && !wanted(&about).contains(&(record.desired == Desired::Running)) {
            return Err(format!("it is to be {:?}, and that was not the last wish", record.desired));
        }
        let revises =
            |wish: &Wish| matches!(wish, Wish::Deploy { .. } | Wish::Scale { .. } | Wish::Update { .. });
        let reverts = |wish: &Wish| matches!(wish, Wish::Update { .. });
        let may_be_later = lost(revises) || lost(reverts) || done(reverts);
        keeps(&about, record, may_be_later)
    }
}

/// The revision is the greatest that was promised, or a later one.
fn keeps(about: &[&Asked], record: &ServiceRecord, may_be_later: bool) -> Result<(), String> {
    let promises = about.iter().filter_map(|it| match &it.fate {
        Fate::Accepted(promise) => promise.as_ref(),
        _ => None,
    });
    let Some(last) = promises.max_by_key(|promise| promise.order) else { return Ok(()) };
    let revision = &record.revision;
    let number = last.order.number;
    if revision.order < last.order {
        return Err(format!("revision {number} was accepted, and it has {}", revision.order.number));
    }
    let same = revision.spec.source.text == last.source && revision.replicas(&scaled_image()) == last.count;
    if revision.order == last.order && !same {
        return Err(format!("revision {number} is not what was accepted as it"));
    }
    if revision.order > last.order && !may_be_later {
        return Err(format!("it has revision {}, and nobody asked for that", revision.order.number));
    }
    Ok(())
}

/// Whether a service that never had another owner may be wanted to run, or to be stopped; both when an answer was lost.
fn wanted(about: &[&Asked]) -> BTreeSet<bool> {
    let (mut wanted, mut deployed) = (BTreeSet::new(), false);
    for it in about {
        let (running, first) = match it.wish {
            Wish::Deploy { .. } => (true, true),
            Wish::Start | Wish::Restart => (true, false),
            Wish::Stop => (false, false),
            _ => continue,
        };
        match it.fate {
            _ if first && deployed => {}
            Fate::Accepted(_) if first && !it.changed => {
                deployed = true;
                if wanted.is_empty() {
                    wanted.insert(true);
                }
            }
            Fate::Accepted(_) => {
                wanted = [running].into();
                deployed |= first;
            }
            Fate::Lost | Fate::Open => drop(wanted.insert(running)),
            Fate::Refused => {}
        }
    }
    wanted
}

fn promise(id: ServiceId, stored: &Contents) -> Option<Promise> {
    let record = stored.records.get(&id)?;
    let (revision, stamp) = (&record.revision, record.stamp);
    let (order, source) = (revision.order, Arc::clone(&revision.spec.source.text));
    Some(Promise { stamp, order, source, count: revision.replicas(&scaled_image()) })
}

/// Whether an answer says what the disk says.
fn truthful(wish: Wish, answer: &Answer, stored: &Contents) -> Result<(), String> {
    let id = match answer {
        Answer::Accepted(id) | Answer::Unchanged(id) => *id,
        Answer::Refused(Refusal::Deleted(id)) => {
            let absent = stored.records.get(id).is_some_and(|record| record.is_absent());
            return if absent { Ok(()) } else { Err("it is not deleted".into()) };
        }
        Answer::Refused(Refusal::Conflict(id) | Refusal::Elsewhere(id, _)) => {
            return if stored.records.contains_key(id) { Ok(()) } else { Err("there is no other".into()) };
        }
        Answer::Refused(_) | Answer::Done | Answer::Offers { .. } => return Ok(()),
    };
    let Some(record) = stored.records.get(&id) else {
        return Err(format!("{wish:?} was answered before it is on the disk"));
    };
    let is_so = match wish {
        Wish::Deploy { kind, .. } => record.is_absent() || record.revision.spec.source == spec(kind).source,
        Wish::Update { kind } => record.revision.spec.source == spec(kind).source,
        Wish::Scale { count } => record.revision.replicas(&scaled_image()) == count,
        Wish::Stop => record.desired == Desired::Stopped,
        Wish::Start | Wish::Restart => record.desired == Desired::Running,
        Wish::Delete => record.is_absent(),
        Wish::Duty(_) | Wish::Forget { .. } => true,
    };
    if is_so { Ok(()) } else { Err(format!("{wish:?} was answered, and the disk says {:?}", record.desired)) }
}
