//! Long runs of the simulator, and the story of one seed.
#![forbid(unsafe_code)]

mod long;

use std::num::NonZero;
use std::process::ExitCode;

use motey_sim::plan::draw;
use motey_sim::run::{explain, play};

const USAGE: &str = "usage: motey-sim [--nodes N] [--from K] [--seeds N] [--threads N] [--mutant NAME]
       motey-sim [--nodes N] --seed S [--story | --whole]

  --seeds N   runs so many seeds, from K on, and tells of the first that goes wrong; every minute, how far it is
  --seed S    runs one seed
  --story     with the fewest events that lead to what goes wrong
  --whole     with everything that happens
  --mutant    with a broken rule; `list` names them (needs the feature `mutants`)
  --survey    goes on, and tells of all of them in the end
  --threads N of every processor one, if it is not said
  --nodes N   1 to 10; without it, by the seed";

#[derive(Debug, Default)]
struct Wanted {
    nodes: Option<usize>,
    from: u64,
    seeds: u64,
    threads: u64,
    seed: Option<u64>,
    story: bool,
    whole: bool,
    survey: bool,
    mutant: Option<String>,
}

fn main() -> ExitCode {
    // a panic of the core is a finding like any other, and is told as one
    std::panic::set_hook(Box::new(|_| {}));
    let wanted = match parse(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(why) = order(wanted.mutant.as_deref()) {
        eprintln!("{why}");
        return ExitCode::from(2);
    }
    let fine = match wanted.seed {
        Some(seed) => one(seed, &wanted),
        None => long::many(&wanted),
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let mut wanted = Wanted { seeds: 1_000, threads, ..Wanted::default() };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
        match arg.as_str() {
            "--nodes" => {
                let nodes = number(value()?)?;
                let fits = usize::try_from(nodes).ok().filter(|nodes| (1..=10).contains(nodes));
                wanted.nodes = Some(fits.ok_or("1 to 10 nodes, no more")?);
            }
            "--from" => wanted.from = number(value()?)?,
            "--seeds" => wanted.seeds = number(value()?)?,
            "--threads" => wanted.threads = number(value()?)?.max(1),
            "--seed" => wanted.seed = Some(number(value()?)?),
            "--story" => wanted.story = true,
            "--survey" => wanted.survey = true,
            "--whole" => wanted.whole = true,
            "--mutant" => wanted.mutant = Some(value()?),
            _ => return Err(format!("{arg} means nothing")),
        }
    }
    Ok(wanted)
}

/// From now on this thread's cores break that rule.
#[cfg(feature = "mutants")]
fn order(name: Option<&str>) -> Result<(), String> {
    use motey_core::mutant::Mutant;
    let Some(name) = name else { return Ok(()) };
    let names: Vec<&str> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
    let mutant = Mutant::ALL.iter().find(|mutant| mutant.name() == name);
    let mutant = mutant.ok_or_else(|| format!("there are {}", names.join(", ")))?;
    Mutant::order(Some(*mutant));
    Ok(())
}

#[cfg(not(feature = "mutants"))]
fn order(name: Option<&str>) -> Result<(), String> {
    let why = "no rule can be broken here: build with --features mutants";
    name.map_or(Ok(()), |_| Err(why.into()))
}

fn nodes(seed: u64, wanted: &Wanted) -> usize {
    wanted.nodes.unwrap_or_else(|| motey_sim::plan::nodes(seed))
}

fn one(seed: u64, wanted: &Wanted) -> bool {
    let nodes = nodes(seed, wanted);
    if wanted.whole {
        let outcome = play(&draw(seed, nodes), true);
        outcome.story.iter().for_each(|line| println!("{line}"));
        println!("{:?}", outcome.figures);
        return outcome.broken.is_none();
    }
    match explain(seed, nodes) {
        None => println!("seed {seed} with {nodes} nodes is clean"),
        Some(failure) if wanted.story => println!("{failure}"),
        Some(failure) => println!("seed {seed}: {}: {}", failure.broken.rule, failure.broken.text),
    }
    explain(seed, nodes).is_none()
}
