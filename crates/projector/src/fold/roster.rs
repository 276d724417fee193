//! The live entries of a connection in order of creation, so that a page in the middle of a million is found
//! without walking there: one bit an entry, counted by blocks.

/// Bits of one block.
const BLOCK_BITS: u32 = 4096;
const WORDS: usize = (BLOCK_BITS / 64) as usize;

#[derive(Debug, Clone)]
struct Block {
    count: u32,
    words: Box<[u64; WORDS]>,
}

/// A set of numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    blocks: Vec<Block>,
    total: u64,
}

impl Roster {
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn insert(&mut self, number: u32) {
        let at = (number / BLOCK_BITS) as usize;
        while self.blocks.len() <= at {
            self.blocks.push(Block {
                count: 0,
                words: Box::new([0; WORDS]),
            });
        }
        self.change(number, true);
    }

    pub(crate) fn remove(&mut self, number: u32) {
        self.change(number, false);
    }

    fn change(&mut self, number: u32, present: bool) {
        let Some(block) = self.blocks.get_mut((number / BLOCK_BITS) as usize) else {
            return;
        };
        let Some(word) = block.words.get_mut((number % BLOCK_BITS / 64) as usize) else {
            return;
        };
        let bit = 1u64 << (number % 64);
        if (*word & bit != 0) == present {
            return;
        }
        *word ^= bit;
        if present {
            block.count += 1;
            self.total += 1;
        } else {
            block.count -= 1;
            self.total -= 1;
        }
    }

    /// The numbers after the first `skip`, at most `count`.
    pub(crate) fn page(&self, skip: u64, count: usize) -> Vec<u32> {
        let mut skip = skip;
        let mut page = Vec::new();
        for (at, block) in (0u32..).zip(&self.blocks) {
            if page.is_empty() && skip >= u64::from(block.count) {
                skip -= u64::from(block.count);
                continue;
            }
            for (word_at, word) in (0u32..).zip(block.words.iter()) {
                let mut word = *word;
                while word != 0 {
                    let bit = word.trailing_zeros();
                    word &= word - 1;
                    if skip > 0 {
                        skip -= 1;
                        continue;
                    }
                    if page.len() == count {
                        return page;
                    }
                    page.push(at * BLOCK_BITS + word_at * 64 + bit);
                }
            }
        }
        page
    }

    /// What stands beside `number`, nearest first: after it (or from the start), or before it (or from the end).
    pub(crate) fn beside(&self, number: Option<u32>, back: bool, count: usize) -> Vec<u32> {
        match (number, back) {
            (number, false) => self.after(number, count),
            (number, true) => self.before(number.unwrap_or(u32::MAX), count),
        }
    }

    /// The numbers above `number` (or from the start), ascending, at most `count`. Costs what it gives and the
    /// gaps between, wherever in the list it stands.
    fn after(&self, number: Option<u32>, count: usize) -> Vec<u32> {
        let first = match number.map(|number| number.checked_add(1)) {
            None => 0,
            Some(Some(first)) => first,
            Some(None) => return Vec::new(),
        };
        let (block, within) = (first / BLOCK_BITS, first % BLOCK_BITS);
        let mut found = Vec::new();
        for (at, entry) in (0u32..).zip(&self.blocks).skip(block as usize) {
            if entry.count == 0 {
                continue;
            }
            let lowest = if at == block { within } else { 0 };
            for (word_at, word) in (0u32..).zip(entry.words.iter()).skip((lowest / 64) as usize) {
                let mut word = *word;
                if word_at == lowest / 64 {
                    word &= u64::MAX << (lowest % 64);
                }
                while word != 0 {
                    if found.len() == count {
                        return found;
                    }
                    found.push(at * BLOCK_BITS + word_at * 64 + word.trailing_zeros());
                    word &= word - 1;
                }
            }
        }
        found
    }

    /// The numbers below `number`, descending, at most `count`.
    fn before(&self, number: u32, count: usize) -> Vec<u32> {
        let (block, within) = (number / BLOCK_BITS, number % BLOCK_BITS);
        let mut found = Vec::new();
        let upto = (block as usize + 1).min(self.blocks.len());
        let blocks = self.blocks.get(..upto).unwrap_or_default();
        for (back, entry) in (1u32..).zip(blocks.iter().rev()) {
            let at = u32::try_from(upto).unwrap_or(u32::MAX) - back;
            if entry.count == 0 {
                continue;
            }
            for word_at in (0..BLOCK_BITS / 64).rev() {
                let mut word = entry.words.get(word_at as usize).copied().unwrap_or(0);
                if at == block {
                    if word_at > within / 64 {
                        continue;
                    }
                    if word_at == within / 64 {
                        word &= !(u64::MAX << (within % 64));
                    }
                }
                while word != 0 {
                    if found.len() == count {
                        return found;
                    }
                    let bit = 63 - word.leading_zeros();
                    found.push(at * BLOCK_BITS + word_at * 64 + bit);
                    word &= !(1u64 << bit);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_page_is_what_a_sorted_list_gives(
            changes in prop::collection::vec((0u32..20_000, any::<bool>()), 0..200),
            skip in 0usize..100,
            count in 0usize..20,
        ) {
            let (mut roster, mut model) = (Roster::default(), BTreeSet::new());
            for (number, present) in changes {
                if present {
                    roster.insert(number);
                    model.insert(number);
                } else {
                    roster.remove(number);
                    model.remove(&number);
                }
            }
            prop_assert_eq!(roster.total(), model.len() as u64);
            let expected: Vec<u32> = model.iter().copied().skip(skip).take(count).collect();
            prop_assert_eq!(roster.page(skip as u64, count), expected);
        }

        #[test]
        fn what_stands_beside_a_number_is_what_a_sorted_list_has_there(
            numbers in prop::collection::btree_set(0u32..20_000, 0..200),
            at in 0u32..21_000,
            count in 0usize..20,
        ) {
            let mut roster = Roster::default();
            for number in &numbers {
                roster.insert(*number);
            }
            let above: Vec<u32> = numbers.iter().copied().filter(|n| *n > at).take(count).collect();
            prop_assert_eq!(roster.after(Some(at), count), above);
            let first: Vec<u32> = numbers.iter().copied().take(count).collect();
            prop_assert_eq!(roster.after(None, count), first);
            let below: Vec<u32> = numbers.iter().rev().copied().filter(|n| *n < at).take(count).collect();
            prop_assert_eq!(roster.before(at, count), below);
        }
    }
}
