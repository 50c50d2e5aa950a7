//! Chance that can be repeated: every failure names the seed that leads to it.

use std::{cell::Cell, panic, sync::Once, thread};

/// The seed of a test run, from which all others are counted. `USHER_SEED` sets another one; `.ci/run` sets a fresh one. A
/// test that asked for it says, when it fails, how it is repeated.
pub(crate) fn seed() -> u64 {
    let seed = seed_of_run();
    tell(seed);
    seed
}

/// The seeds of a test run, one after the other. After the last number comes the first, so that every seed has others.
pub(crate) fn seeds() -> impl Iterator<Item = u64> {
    following(seed())
}

/// One of [`seeds`].
pub(crate) fn nth_seed(index: usize) -> u64 {
    seed().wrapping_add(index as u64)
}

fn following(first: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(first), |seed| Some(seed.wrapping_add(1)))
}

/// Has panics of this thread, and of no other, say how they are had again.
fn tell(seed: u64) {
    thread_local!(static BY_CHANCE: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            usual(panic);
            if BY_CHANCE.get() {
                let thread = thread::current();
                let test = thread.name().unwrap_or_default();
                eprintln!(
                    "by chance; again: USHER_SEED={seed} cargo test --test integration {test}"
                );
            }
        }));
    });
    BY_CHANCE.set(true);
}

fn seed_of_run() -> u64 {
    let text = std::env::var("USHER_SEED").unwrap_or_else(|_| "20261121".to_owned());
    text.parse().unwrap_or_else(|_| {
        panic!("USHER_SEED must be a number below 2^64, not \"{text}\"");
    })
}

/// A generator of numbers (SplitMix64): small, even, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % (end.max(1) as u64)).unwrap()
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }

    /// Between `least` and `most` of them, the same one possibly twice.
    pub(crate) fn picks(&mut self, least: usize, most: usize, of: &[&str]) -> Vec<String> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.pick(of).to_owned()).collect()
    }
}

#[test]
fn after_the_last_seed_comes_the_first() {
    let seeds: Vec<u64> = following(u64::MAX - 1).take(4).collect();
    assert_eq!(seeds, [u64::MAX - 1, u64::MAX, 0, 1]);
}
