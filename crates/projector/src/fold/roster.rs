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
            let expected: Vec<u32> = model.into_iter().skip(skip).take(count).collect();
            prop_assert_eq!(roster.page(skip as u64, count), expected);
        }
    }
}
