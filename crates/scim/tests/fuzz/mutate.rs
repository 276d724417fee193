//! A small mutator: byte flips, cuts, duplication, splices, dictionary tokens and nesting.

/// SplitMix64: small, deterministic, replayable from its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const TOKENS: [&str; 24] = [
    " and ",
    " or ",
    "not (",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "\\u0000",
    "\\",
    " eq ",
    " pr",
    " co ",
    ".value",
    "emails",
    "urn:ietf:params:scim:schemas:core:2.0:User:",
    "null",
    "true",
    "é",
    "🦀",
    "{",
    "}",
    ",",
    "1e999",
];
/// Longer inputs only repeat what shorter ones show.
const INPUT_BYTES_MAX: usize = 8 * 1024;

/// One to six mutations of a seed.
pub(crate) fn mutated(random: &mut Random, seeds: &[&str]) -> Vec<u8> {
    let mut bytes = random.pick(seeds).as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below((bytes.len() - at).min(64) + 1);
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece.repeat(1 + random.below(4)));
            }
            3 => {
                let other = random.pick(seeds).as_bytes();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.below(other.len())..]);
            }
            4 => {
                let depth = 1 + random.below(40);
                let (open, close) = *random.pick(&[&("(", ")"), &("not (", ")"), &("[", "]")]);
                bytes.splice(end..end, close.repeat(depth).into_bytes());
                bytes.splice(at..at, open.repeat(depth).into_bytes());
            }
            _ => drop(bytes.splice(at..at, random.pick(&TOKENS).bytes()).count()),
        }
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}
