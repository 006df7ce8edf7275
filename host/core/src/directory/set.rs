//! Sets of indices `0..n`, where an index can come between two others.
//!
//! A set with few members costs little however many indices there are: names that one node alone has are many.

/// Up to so many members are listed one by one.
const FEW: usize = 32;

/// Indices as bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub fn insert(&mut self, index: usize) {
        if self.0.len() <= index / 64 {
            self.0.resize(index / 64 + 1, 0);
        }
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub fn remove(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
    }

    pub fn contains(&self, index: usize) -> bool {
        self.word(index / 64) >> (index % 64) & 1 == 1
    }

    /// The indices from 64 `n` on, as one number.
    pub fn word(&self, n: usize) -> u64 {
        self.0.get(n).copied().unwrap_or(0)
    }

    pub fn words(&self) -> &[u64] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    pub fn union(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// A new index, not in the set, comes before what was at `index`.
    pub fn open(&mut self, index: usize) {
        let first = index / 64;
        let Some(word) = self.0.get_mut(first) else { return };
        let below = (1 << (index % 64)) - 1;
        let mut carry = *word >> 63;
        *word = (*word & below) | ((*word & !below) << 1);
        for word in &mut self.0[first + 1..] {
            (*word, carry) = ((*word << 1) | carry, *word >> 63);
        }
        if carry == 1 {
            self.0.push(1);
        }
    }

    /// `index` is no more; those after it move up.
    pub fn close(&mut self, index: usize) {
        let first = index / 64;
        let Some(word) = self.0.get_mut(first) else { return };
        let below = (1 << (index % 64)) - 1;
        *word = (*word & below) | ((*word >> 1) & !below);
        for n in first + 1..self.0.len() {
            self.0[n - 1] |= self.0[n] << 63;
            self.0[n] >>= 1;
        }
    }
}

/// Indices, however few or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// In order.
    Few(Vec<u32>),
    Many(Bits),
}

impl Default for Set {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Set {
    pub fn insert(&mut self, index: usize) {
        match self {
            Self::Many(bits) => bits.insert(index),
            Self::Few(few) => {
                let index = short(index);
                if let Err(n) = few.binary_search(&index) {
                    few.insert(n, index);
                }
                if few.len() > FEW {
                    let mut bits = Bits::default();
                    few.iter().for_each(|index| bits.insert(*index as usize));
                    *self = Self::Many(bits);
                }
            }
        }
    }

    pub fn remove(&mut self, index: usize) {
        match self {
            Self::Many(bits) => bits.remove(index),
            Self::Few(few) => few.retain(|member| *member != short(index)),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Many(bits) => bits.is_empty(),
            Self::Few(few) => few.is_empty(),
        }
    }

    /// Leaves in `bits` only what is in this set, too.
    pub fn intersect(&self, bits: &mut Bits) {
        match self {
            Self::Many(own) => {
                bits.0.iter_mut().enumerate().for_each(|(n, word)| *word &= own.word(n));
            }
            Self::Few(few) => {
                let mut few = few.iter().map(|index| *index as usize).peekable();
                for (n, word) in bits.0.iter_mut().enumerate() {
                    let mut own = 0;
                    while let Some(index) = few.next_if(|index| index / 64 == n) {
                        own |= 1 << (index % 64);
                    }
                    *word &= own;
                }
            }
        }
    }

    /// Takes out of `bits` what is in this set.
    pub fn subtract(&self, bits: &mut Bits) {
        match self {
            Self::Many(own) => bits.0.iter_mut().zip(&own.0).for_each(|(word, own)| *word &= !own),
            Self::Few(few) => few.iter().for_each(|index| bits.remove(*index as usize)),
        }
    }

    /// Puts into `bits` what is in this set.
    pub fn add_to(&self, bits: &mut Bits) {
        match self {
            Self::Many(own) => bits.union(own),
            Self::Few(few) => few.iter().for_each(|index| bits.insert(*index as usize)),
        }
    }

    /// See [`Bits::open`].
    pub fn open(&mut self, index: usize) {
        match self {
            Self::Many(bits) => bits.open(index),
            Self::Few(few) => {
                few.iter_mut().filter(|member| **member >= short(index)).for_each(|member| *member += 1);
            }
        }
    }

    /// See [`Bits::close`].
    pub fn close(&mut self, index: usize) {
        match self {
            Self::Many(bits) => bits.close(index),
            Self::Few(few) => {
                few.retain(|member| *member != short(index));
                few.iter_mut().filter(|member| **member > short(index)).for_each(|member| *member -= 1);
            }
        }
    }
}

/// More than four thousand million nodes are not in one cluster.
fn short(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Change {
        Insert(usize),
        Remove(usize),
        Open(usize),
        Close(usize),
    }

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let change = prop_oneof![
            6 => (0..200_usize).prop_map(Change::Insert),
            2 => (0..200_usize).prop_map(Change::Remove),
            1 => (0..200_usize).prop_map(Change::Open),
            1 => (0..200_usize).prop_map(Change::Close),
        ];
        prop::collection::vec(change, 0..120)
    }

    /// The same as a list of truth values.
    fn apply(plain: &mut Vec<bool>, change: &Change) {
        match *change {
            Change::Insert(index) => plain[index] = true,
            Change::Remove(index) => plain[index] = false,
            Change::Open(index) => plain.insert(index, false),
            Change::Close(index) => drop(plain.remove(index)),
        }
    }

    fn built(changes: &[Change]) -> (Set, Vec<bool>) {
        let (mut set, mut plain) = (Set::default(), vec![false; 600]);
        for change in changes {
            apply(&mut plain, change);
            match *change {
                Change::Insert(index) => set.insert(index),
                Change::Remove(index) => set.remove(index),
                Change::Open(index) => set.open(index),
                Change::Close(index) => set.close(index),
            }
        }
        (set, plain)
    }

    fn all(n: usize) -> Bits {
        let mut bits = Bits::default();
        (0..n).for_each(|index| bits.insert(index));
        bits
    }

    fn listed(n: usize, contains: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..n).filter(|index| contains(*index)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_set_is_what_a_list_of_truth_values_is(one in changes(), other in changes()) {
            let ((one, plain), (other, plain_other)) = (built(&one), built(&other));
            let n = plain.len().min(plain_other.len());
            let mut own = all(n);
            one.intersect(&mut own);
            prop_assert_eq!(listed(n, |index| own.contains(index)), listed(n, |index| plain[index]));
            prop_assert_eq!(one.is_empty(), !plain.contains(&true));
            let bits = |change: fn(&Set, &mut Bits)| {
                let mut bits = all(n);
                other.intersect(&mut bits);
                change(&one, &mut bits);
                listed(n, |index| bits.contains(index))
            };
            prop_assert_eq!(bits(Set::intersect), listed(n, |index| plain[index] && plain_other[index]));
            prop_assert_eq!(bits(Set::subtract), listed(n, |index| !plain[index] && plain_other[index]));
            prop_assert_eq!(bits(Set::add_to), listed(n, |index| plain[index] || plain_other[index]));
        }
    }
}
