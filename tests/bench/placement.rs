//! How long an owner looks for the best node, among few and among many, while their facts change; beside a bare
//! intersection of bitsets for the names that are asked for, which knows neither properties nor amounts nor ranks.

mod cluster;

use std::{hint::black_box, time::Instant};

use motey_core::directory::Ask;
use motey_core::id::Called;
use motey_core::spec::ImageSpec;
use motey_tests::Random;

use crate::sample::Sample;
use cluster::{Cluster, Kind, Question};

const SIZES: [u64; 3] = [10, 1_000, 10_000];

/// Questions of each size, after so many that are not counted.
const ASKED: usize = 10_000;
const WARM_UP: usize = 500;

/// Every so many answers are compared with a look at every node.
const PROVEN: usize = 500;

pub fn print() {
    println!("{:56} {:>9} {:>9} {:>9} {:>9}", "µs", "p50", "p90", "p99", "max");
    for size in SIZES {
        measure(size);
    }
}

fn measure(size: u64) {
    let mut random = Random::new(size);
    let mut cluster = Cluster::new(size, &mut random);
    let (mut all, mut bare, mut update) = (Sample::default(), Sample::default(), Sample::default());
    let mut kinds = Kind::ALL.map(|kind| (kind, Sample::default()));
    let mut none = 0;
    for round in 0..WARM_UP + ASKED {
        let (changed, told) = cluster.change(&mut random);
        let (_, taken_in) = microseconds(|| cluster.directory.update(changed, told));
        let question = Question::draw(&mut random);
        let image = question.image();
        let images: [&ImageSpec; 1] = [&image];
        let ask = Ask::new(&images);
        let (answer, looked) = microseconds(|| cluster.directory.choose(black_box(&ask)));
        let (_, scanned) = microseconds(|| cluster.bare(black_box(&question)));
        if round % PROVEN == 0 {
            let fitting = cluster.directory.verdicts(&ask, |node| Called { node, name: None });
            let fits = |node| fitting.iter().any(|it| it.node == node && it.unmet.is_empty());
            match &answer {
                Ok(choice) => assert!(fits(choice.node), "{question:?} does not fit on {choice:?}"),
                Err(_) => {
                    assert!(fitting.iter().all(|it| !it.unmet.is_empty()), "{question:?} fits somewhere");
                }
            }
        }
        if round < WARM_UP {
            continue;
        }
        none += u32::from(answer.is_err());
        all.push(looked);
        bare.push(scanned);
        update.push(taken_in);
        let of_kind = kinds.iter_mut().find(|(kind, _)| *kind == question.kind());
        of_kind.expect("every kind has a sample").1.push(looked);
    }
    line(&format!("{size} nodes: the best node ({none} of {ASKED} fit nowhere)"), &all);
    for (kind, sample) in &kinds {
        line(&format!("{size} nodes: of these, {}", kind.as_str()), sample);
    }
    line(&format!("{size} nodes: bare intersection"), &bare);
    line(&format!("{size} nodes: a node's facts taken in"), &update);
}

fn microseconds<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let result = run();
    (result, began.elapsed().as_secs_f64() * 1e6)
}

fn line(what: &str, sample: &Sample) {
    let [half, most, nearly_all, all] = [0.5, 0.9, 0.99, 1.0].map(|part| sample.quantile(part));
    println!("{what:56} {half:9.2} {most:9.2} {nearly_all:9.2} {all:9.2}");
}
