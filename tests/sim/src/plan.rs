//! What will go wrong, and what people will want: drawn from the seed before the run, as a list that can be cut.
//!
//! Every fault is one entry that begins and ends by itself, so that a run with any of them left out is a run too. An
//! entry that finds nothing to act upon (a dead node to kill) does nothing.

use motey_core::peer::Duty;
use motey_core::step::EngineErrorKind;

use crate::blueprint::KINDS;
use crate::dice::{Dice, mix};
use crate::engine::{Mishap, Verb};
use crate::queue::Time;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub at: Time,
    pub what: Happening,
}

/// What people ask of a node about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Deploy {
        kind: u8,
        reject: bool,
    },
    Update {
        kind: u8,
    },
    Scale {
        count: u16,
    },
    Stop,
    Start,
    Restart,
    Delete,
    /// The node itself is to take on so much from now on.
    Duty(Duty),
    /// That node is gone for good; or it is not.
    Forget {
        node: usize,
        forgotten: bool,
    },
}

/// How an instance changes without being asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Exits(i32),
    Killed,
    Vanishes,
    Freezes,
    Thaws,
    /// Somebody else starts what had ended.
    Started,
}

/// One entry's content. Nodes, services and engines are numbers; `pick` chooses among what is there then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    Ask {
        node: usize,
        service: usize,
        wish: Wish,
    },
    /// A node takes on nothing new for a while, or is emptied; `None`: it stays so.
    Duty {
        node: usize,
        duty: Duty,
        span: Option<Time>,
    },
    /// Whoever is asked gives up a node; it is taken back when all is calm.
    Forgets {
        node: usize,
        about: usize,
    },
    /// A node is no member of the cluster for a while.
    Removes {
        node: usize,
        span: Time,
    },
    /// A node's disk is backed up, and set back to that after a while.
    Restores {
        node: usize,
        span: Time,
    },
    /// A node and its disk are lost for ever when all others are calm.
    Lost {
        node: usize,
    },
    /// The process, or the whole machine, dies after it has survived so many more points at which it could.
    Dies {
        node: usize,
        points: u16,
        power: bool,
        kept: usize,
        calls_done: bool,
        down: Time,
    },
    /// It stops for a while, as a suspended machine does.
    Pauses {
        node: usize,
        span: Time,
    },
    DiskFull {
        node: usize,
        span: Time,
        reserve: bool,
    },
    EngineDown {
        node: usize,
        engine: usize,
        span: Time,
        loses: bool,
    },
    Spoils {
        node: usize,
        engine: usize,
        verb: Verb,
        mishap: Mishap,
    },
    Changes {
        node: usize,
        pick: u64,
        change: Change,
    },
    /// It runs and does not do its work, for a while or until it is started again.
    Sickens {
        node: usize,
        pick: u64,
        span: Option<Time>,
    },
    /// What the engine tells is lost, or late, for a while.
    EngineMute {
        node: usize,
        engine: usize,
        span: Time,
    },
    EngineLate {
        node: usize,
        engine: usize,
        span: Time,
    },
    /// The engine is asked for everything it has, for no reason.
    Lists {
        node: usize,
        engine: usize,
    },
    /// A stick is pulled, and put back; `None`: it stays away.
    DongleAway {
        node: usize,
        unit: usize,
        span: Option<Time>,
    },
    /// A stick is pulled, and is another device when it is put back.
    DongleMoves {
        node: usize,
        unit: usize,
        span: Time,
    },
    /// There is only so much memory for a while.
    MemoryShrinks {
        node: usize,
        to: u64,
        span: Option<Time>,
    },
    /// Nodes in the mask hear those outside no more, nor these them.
    Splits {
        mask: u16,
        span: Time,
    },
    /// `to` does not hear `from`.
    Deaf {
        from: usize,
        to: usize,
        span: Time,
    },
    /// So many letters of a hundred are lost, doubled, or very late.
    Lossy {
        percent: u64,
        span: Time,
    },
    Doubling {
        percent: u64,
        span: Time,
    },
    Slow {
        most: Time,
        span: Time,
    },
    /// Letters overtake each other.
    Disorder {
        span: Time,
    },
    BrokerAway {
        span: Time,
    },
}

/// How a world of that seed is made.
#[derive(Clone, Debug)]
pub struct Scene {
    pub seed: u64,
    pub nodes: usize,
    /// When everything that went wrong is mended.
    pub calm_at: Time,
    pub plan: Vec<Planned>,
}

/// So many services are spoken of in one run.
pub const SERVICES: usize = 6;

/// What one run is about: not everything happens in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ask,
    Dies,
    Pauses,
    Disk,
    Engine,
    Spoils,
    Changes,
    Sickens,
    Devices,
    Network,
    Broker,
    Duty,
    Forget,
    Restore,
    Lost,
}

const KINDS_OF_FAULTS: [(u64, Kind); 14] = [
    (3, Kind::Dies),
    (1, Kind::Pauses),
    (1, Kind::Disk),
    (3, Kind::Engine),
    (4, Kind::Spoils),
    (3, Kind::Changes),
    (2, Kind::Sickens),
    (2, Kind::Devices),
    (4, Kind::Network),
    (1, Kind::Broker),
    (2, Kind::Duty),
    (1, Kind::Forget),
    (1, Kind::Restore),
    (1, Kind::Lost),
];

/// The scene of a seed, with so many nodes.
pub fn draw(seed: u64, nodes: usize) -> Scene {
    let mut dice = Dice::new(seed);
    let calm_at = dice.between(60, 400) * 1_000;
    let mut kinds = vec![(10, Kind::Ask)];
    kinds.extend(KINDS_OF_FAULTS.into_iter().filter(|(_, kind)| nodes > 1 || !is_between(*kind)));
    kinds.retain(|(_, kind)| *kind == Kind::Ask || dice.percent(55));
    let mut plan = Vec::new();
    for service in 0..dice.between(1, 4) {
        let at = dice.below(10_000);
        let service = usize::try_from(service).unwrap_or(0);
        let wish = Wish::Deploy { kind: kind_of(&mut dice), reject: false };
        plan.push(Planned { at, what: Happening::Ask { node: node(&mut dice, nodes), service, wish } });
    }
    for _ in 0..dice.between(8, 60) {
        let at = dice.below(calm_at);
        let kind = dice.weighted(&kinds);
        plan.push(Planned { at, what: happening(&mut dice, nodes, kind) });
    }
    plan.extend(removals(seed, nodes, calm_at));
    plan.extend(fetches(seed, nodes, calm_at));
    plan.extend(moves(seed, nodes, calm_at));
    plan.sort_by_key(|planned| planned.at);
    Scene { seed, nodes, calm_at, plan }
}

/// In one run of eight members are removed and taken back. Drawn apart: the rest of a run is the same without.
fn removals(seed: u64, nodes: usize, calm_at: Time) -> Vec<Planned> {
    let mut dice = Dice::new(mix(&[seed, 10]));
    let times = if nodes > 1 && dice.below(8) == 0 { dice.between(1, 3) } else { 0 };
    let removal = |_| {
        let at = dice.below(calm_at);
        Planned { at, what: Happening::Removes { node: node(&mut dice, nodes), span: span(&mut dice) } }
    };
    (0..times).map(removal).collect()
}

/// In every other run fetches go wrong, once or several times in a row. Drawn apart, too.
fn fetches(seed: u64, nodes: usize, calm_at: Time) -> Vec<Planned> {
    let mut dice = Dice::new(mix(&[seed, 11]));
    let mut plan = Vec::new();
    let times = if dice.percent(50) { dice.between(1, 5) } else { 0 };
    for _ in 0..times {
        let (at, node, mishap) = (dice.below(calm_at), node(&mut dice, nodes), fetch_mishap(&mut dice));
        let what = Happening::Spoils { node, engine: 1, verb: Verb::Fetch, mishap };
        let row = dice.pick(&[1, 1, 3, 15]);
        plan.extend((0..row).map(|_| Planned { at, what }));
    }
    plan
}

fn fetch_mishap(dice: &mut Dice) -> Mishap {
    use EngineErrorKind as Kind;
    let kinds = [
        (1, Kind::Unsupported),
        (3, Kind::NotFound),
        (1, Kind::Invalid),
        (1, Kind::Unavailable),
        (1, Kind::Busy),
        (3, Kind::Denied),
        (6, Kind::Unreachable),
        (3, Kind::Failed),
    ];
    let kind = dice.weighted(&kinds);
    let late = dice.between(1_000, 45_000);
    dice.weighted(&[
        (8, Mishap::Fails(kind)),
        (2, Mishap::DoneButFails(Kind::Failed)),
        (1, Mishap::DoneInSilence),
        (2, Mishap::Hangs),
        (1, Mishap::Late(late)),
        (6, Mishap::Slow(late)),
        (1, Mishap::Idle),
        (2, Mishap::Lies),
    ])
}

/// In one run of four sticks are pulled and put back as another device. Drawn apart, too.
fn moves(seed: u64, nodes: usize, calm_at: Time) -> Vec<Planned> {
    let mut dice = Dice::new(mix(&[seed, 12]));
    let times = if dice.below(4) == 0 { dice.between(1, 6) } else { 0 };
    let one = |_| {
        let (at, span) = (dice.below(calm_at), dice.pick(&[500, 2_000, 4_000, 30_000]));
        let (node, unit) = (node(&mut dice, nodes), index(&mut dice, 2));
        Planned { at, what: Happening::DongleMoves { node, unit, span } }
    };
    (0..times).map(one).collect()
}

fn is_between(kind: Kind) -> bool {
    use Kind::{Broker, Duty, Forget, Lost, Network, Restore};
    matches!(kind, Network | Broker | Duty | Forget | Restore | Lost)
}

fn node(dice: &mut Dice, nodes: usize) -> usize {
    index(dice, nodes)
}

fn index(dice: &mut Dice, of: usize) -> usize {
    usize::try_from(dice.below(of as u64)).unwrap_or(0)
}

fn kind_of(dice: &mut Dice) -> u8 {
    u8::try_from(dice.below(u64::from(KINDS))).unwrap_or(0)
}

/// Mostly short, sometimes long.
fn span(dice: &mut Dice) -> Time {
    let most = dice.pick(&[2_000, 8_000, 30_000, 90_000]);
    dice.between(200, most)
}

fn happening(dice: &mut Dice, nodes: usize, kind: Kind) -> Happening {
    let at = node(dice, nodes);
    let engine = index(dice, 2);
    match kind {
        Kind::Ask => Happening::Ask { node: at, service: index(dice, SERVICES), wish: wish(dice) },
        Kind::Dies => Happening::Dies {
            node: at,
            points: u16::try_from(dice.below(12)).unwrap_or(0),
            power: dice.percent(40),
            kept: index(dice, 1_001),
            calls_done: dice.percent(50),
            down: span(dice),
        },
        Kind::Pauses => Happening::Pauses { node: at, span: span(dice) },
        Kind::Disk => Happening::DiskFull { node: at, span: span(dice), reserve: dice.percent(50) },
        Kind::Engine => engine_trouble(dice, at, engine),
        Kind::Spoils => {
            let verb = dice.pick(&Verb::ALL);
            Happening::Spoils { node: at, engine, verb, mishap: mishap(dice, verb) }
        }
        Kind::Changes => Happening::Changes { node: at, pick: dice.any(), change: change(dice) },
        Kind::Sickens => {
            let span = if dice.percent(50) { None } else { Some(span(dice)) };
            Happening::Sickens { node: at, pick: dice.any(), span }
        }
        Kind::Devices => device(dice, at),
        Kind::Network => network(dice, nodes),
        Kind::Broker => Happening::BrokerAway { span: span(dice) },
        Kind::Duty => {
            let duty = dice.pick(&[Duty::Cordon, Duty::Drain, Duty::Drain]);
            let span = if dice.percent(15) { None } else { Some(span(dice)) };
            Happening::Duty { node: at, duty, span }
        }
        Kind::Forget => Happening::Forgets { node: at, about: node(dice, nodes) },
        Kind::Restore => Happening::Restores { node: at, span: span(dice) },
        Kind::Lost => Happening::Lost { node: at },
    }
}

fn wish(dice: &mut Dice) -> Wish {
    let deploy = Wish::Deploy { kind: kind_of(dice), reject: dice.percent(15) };
    let update = Wish::Update { kind: kind_of(dice) };
    let scale = Wish::Scale { count: dice.pick(&[0, 1, 1, 2, 2, 3, 4]) };
    dice.weighted(&[
        (6, deploy),
        (3, update),
        (4, scale),
        (2, Wish::Stop),
        (3, Wish::Start),
        (3, Wish::Restart),
        (2, Wish::Delete),
    ])
}

fn engine_trouble(dice: &mut Dice, node: usize, engine: usize) -> Happening {
    let span = span(dice);
    match dice.below(6) {
        0 => Happening::EngineMute { node, engine, span },
        1 => Happening::EngineLate { node, engine, span },
        2 => Happening::Lists { node, engine },
        n => Happening::EngineDown { node, engine, span, loses: n == 3 },
    }
}

fn mishap(dice: &mut Dice, verb: Verb) -> Mishap {
    use EngineErrorKind as Kind;
    let kinds = [
        (1, Kind::Unsupported),
        (2, Kind::NotFound),
        (3, Kind::Conflict),
        (1, Kind::Invalid),
        (3, Kind::Unavailable),
        (3, Kind::Busy),
        (6, Kind::Failed),
        (2, Kind::TimedOut),
    ];
    let kind = match dice.weighted(&kinds) {
        // the one thing that must be true: that there is none
        Kind::NotFound if verb == Verb::Inspect => Kind::Failed,
        kind => kind,
    };
    let late = dice.between(100, 20_000);
    let code = i32::from(dice.percent(50));
    // a lie about an end leaves what nobody knows of: no rule can mend that
    let lies = u64::from(matches!(verb, Verb::Create | Verb::Start));
    dice.weighted(&[
        (5, Mishap::Fails(kind)),
        (2, Mishap::DoneButFails(Kind::Failed)),
        (1, Mishap::DoneButFails(Kind::Conflict)),
        (2, Mishap::DoneInSilence),
        (1, Mishap::Hangs),
        (1, Mishap::Late(late)),
        (2, Mishap::Slow(late)),
        (1, Mishap::Idle),
        (lies, Mishap::Lies),
        (2, Mishap::DoneAndExits(code)),
    ])
}

fn change(dice: &mut Dice) -> Change {
    dice.weighted(&[
        (4, Change::Exits(1)),
        (2, Change::Exits(0)),
        (2, Change::Killed),
        (2, Change::Vanishes),
        (1, Change::Freezes),
        (1, Change::Thaws),
        (1, Change::Started),
    ])
}

fn device(dice: &mut Dice, node: usize) -> Happening {
    let span = if dice.percent(15) { None } else { Some(span(dice)) };
    if dice.percent(60) {
        Happening::DongleAway { node, unit: index(dice, 2), span }
    } else {
        Happening::MemoryShrinks { node, to: dice.pick(&[0, 35, 60]), span }
    }
}

fn network(dice: &mut Dice, nodes: usize) -> Happening {
    let span = span(dice);
    match dice.below(7) {
        6 => Happening::Disorder { span },
        0 | 1 => {
            let mask = u16::try_from(dice.below(1 << nodes)).unwrap_or(0);
            Happening::Splits { mask, span }
        }
        2 => Happening::Deaf { from: node(dice, nodes), to: node(dice, nodes), span },
        3 => Happening::Lossy { percent: dice.pick(&[5, 20, 60]), span },
        4 => Happening::Doubling { percent: dice.pick(&[20, 60]), span },
        _ => Happening::Slow { most: dice.pick(&[2_000, 10_000, 30_000]), span },
    }
}

/// How many nodes a seed has, where nobody says so.
pub fn nodes(seed: u64) -> usize {
    let mut dice = Dice::new(mix(&[seed, 8]));
    dice.weighted(&[(4, 1), (5, 2), (7, 3), (4, 4), (3, 5), (1, 7), (1, 10)])
}
