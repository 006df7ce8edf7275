//! Cuts a plan that leads to a broken rule down to what it takes: leaves out ever smaller parts while the same rule
//! still breaks.

use crate::plan::{Planned, Scene};
use crate::run::play;

/// No more runs than this.
const TRIES: usize = 2_000;

/// The entries without which `rule` would not break; no single one can be left out.
pub fn shrink(scene: &Scene, rule: &str) -> Vec<Planned> {
    let breaks = |plan: &[Planned]| {
        let scene = Scene { plan: plan.to_vec(), ..scene.clone() };
        play(&scene, false).broken.is_some_and(|(_, broken)| broken.rule == rule)
    };
    minimal(scene.plan.clone(), breaks)
}

/// The same for any list and any test that holds for the whole of it.
fn minimal<T: Clone>(mut list: Vec<T>, mut holds: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut size = list.len().div_ceil(2);
    let mut tries = 0;
    while size > 0 && !list.is_empty() {
        let mut from = 0;
        let before = list.len();
        while from < list.len() && tries < TRIES {
            let to = (from + size).min(list.len());
            let rest = [&list[..from], &list[to..]].concat();
            tries += 1;
            if holds(&rest) {
                list = rest;
            } else {
                from = to;
            }
        }
        // a part may be left out only after a later one was
        if size > 1 || list.len() == before || tries >= TRIES {
            size /= 2;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_takes_is_left() {
        let needs = |list: &[u32]| list.contains(&13) && list.contains(&77) && list.contains(&78);
        assert_eq!(minimal((0..100).collect(), needs), [13, 77, 78]);
    }

    #[test]
    fn what_needs_another_goes_with_it() {
        // 5 may be there only with 50
        let needs = |list: &[u32]| list.contains(&7) && (!list.contains(&5) || list.contains(&50));
        assert_eq!(minimal((0..100).rev().collect(), needs), [7]);
    }

    #[test]
    fn nothing_is_left_where_nothing_is_needed() {
        assert!(minimal(vec![1, 2, 3], |_| true).is_empty());
    }
}
