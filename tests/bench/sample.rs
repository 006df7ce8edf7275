//! Measured values, and how they are told: the median, and what lies around it.

use std::fmt;

/// Values of one kind, in one unit.
#[derive(Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1).expect("something was measured");
        sorted[(last as f64 * part).round() as usize]
    }

    /// Of each value to the value of the same round.
    pub fn ratios(&self, to: &Self) -> Self {
        Self(self.0.iter().zip(&to.0).map(|(own, other)| own / other).collect())
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "median {:8.2}   min {:8.2}   p90 {:8.2}   n {}",
            self.median(),
            self.quantile(0.0),
            self.quantile(0.9),
            self.0.len()
        )
    }
}

/// One line.
pub fn print(what: &str, unit: &str, sample: &Sample) {
    println!("{what:46} {sample}   {unit}");
}

/// How two compare: by their medians, and round by round.
pub fn compare(what: &str, own: &Sample, to: &Sample) {
    let rounds = own.ratios(to);
    println!(
        "{what:46} {:.2} by the medians, {:.2} round by round",
        own.median() / to.median(),
        rounds.median()
    );
}
