//! A conversation's key: a hash under a secret of this daemon's own, over what names the conversation or begins it.

use sha2::{Digest, Sha256};

/// Of long parts only both ends count, with the length: a prompt of a megabyte costs no more than one of a page.
const END: usize = 2_048;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(u128);

impl SessionKey {
    pub const fn of(hash: u128) -> Self {
        Self(hash)
    }

    /// In place of dice, the same for all requests of the conversation.
    pub const fn seed(self) -> u64 {
        self.0 as u64
    }
}

/// Makes keys. Whoever builds it has the secret, which nobody else knows.
#[derive(Clone)]
pub struct Keyer {
    secret: [u8; 32],
}

impl Keyer {
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// Every byte of the parts counts.
    pub fn whole(&self, parts: &[&[u8]]) -> SessionKey {
        let mut sum = Sha256::new();
        sum.update(self.secret);
        for part in parts {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part);
        }
        half(sum)
    }

    /// The parts in their order, each told apart from the next.
    pub fn key(&self, parts: &[&[u8]]) -> SessionKey {
        let mut sum = Sha256::new();
        sum.update(self.secret);
        for part in parts {
            sum.update((part.len() as u64).to_le_bytes());
            match (part.get(..END), part.len().checked_sub(END)) {
                (Some(head), Some(tail)) if part.len() > 2 * END => {
                    sum.update(head);
                    sum.update(part.get(tail..).unwrap_or_default());
                }
                _ => sum.update(part),
            }
        }
        half(sum)
    }
}

fn half(sum: Sha256) -> SessionKey {
    let digest: [u8; 32] = sum.finalize().into();
    let (half, _) = digest.split_at(16);
    SessionKey(half.iter().fold(0, |hash, byte| hash << 8 | u128::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_the_secret_tell_conversations_apart() {
        let keyer = Keyer::new([1; 32]);
        assert_eq!(keyer.key(&[b"ab", b"c"]), keyer.key(&[b"ab", b"c"]));
        assert_ne!(keyer.key(&[b"ab", b"c"]), keyer.key(&[b"a", b"bc"]));
        assert_ne!(keyer.key(&[b"ab"]), Keyer::new([2; 32]).key(&[b"ab"]));
    }

    #[test]
    fn of_a_long_part_both_ends_and_the_length_count() {
        let keyer = Keyer::new([1; 32]);
        let long = vec![b'x'; 10_000];
        let of = |at: usize| {
            let mut other = long.clone();
            other[at] = b'y';
            keyer.key(&[&other])
        };
        assert_ne!(keyer.key(&[&long]), of(0));
        assert_ne!(keyer.key(&[&long]), of(9_999));
        assert_eq!(keyer.key(&[&long]), of(5_000));
        assert_ne!(keyer.key(&[&long]), keyer.key(&[&long[1..]]));
    }
}
