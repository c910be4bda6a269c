//! The bytes of an export as UTF-8, and what parts its cells. UTF-8 with and without a mark, UTF-16 with one; whatever
//! else a spreadsheet writes is told apart and refused, never guessed.

use super::InvoiceError;
use std::io::{Chain, Cursor, Read};

/// A header that ends behind this is none.
const FIRST_LINES: usize = 64 * 1024;

/// What was looked at already, and the rest.
type Again<R> = Chain<Cursor<Vec<u8>>, R>;

/// UTF-8, whatever it was, from the first cell on.
pub(super) enum Text<R> {
    Plain(Again<R>),
    Wide(Wide<Again<R>>),
}

impl<R: Read> Text<R> {
    pub(super) fn new(mut input: R) -> Result<Self, InvoiceError> {
        let mut mark = Vec::new();
        input.by_ref().take(4).read_to_end(&mut mark)?;
        let big_endian = match mark.as_slice() {
            [] => return Err(InvoiceError::Empty),
            [0xEF, 0xBB, 0xBF, ..] => {
                mark.drain(..3);
                None
            }
            [0xFF, 0xFE, ..] => Some(false),
            [0xFE, 0xFF, ..] => Some(true),
            [b'P', b'K', 3, 4] | [0x1F, 0x8B, ..] => return Err(InvoiceError::Packed),
            bytes if bytes.contains(&0) => return Err(InvoiceError::Encoding { line: 1 }),
            _ => None,
        };
        if big_endian.is_some() {
            mark.drain(..2);
        }
        let whole = Cursor::new(mark).chain(input);
        Ok(match big_endian {
            None => Self::Plain(whole),
            Some(big_endian) => Self::Wide(Wide::new(whole, big_endian)),
        })
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.read(into),
            Self::Wide(wide) => wide.read(into),
        }
    }
}

/// UTF-16 as UTF-8.
pub(super) struct Wide<R> {
    input: R,
    big_endian: bool,
    /// Half of a unit, and half of a pair.
    byte: Option<u8>,
    high: Option<u16>,
    ready: Vec<u8>,
    given: usize,
}

impl<R: Read> Wide<R> {
    const fn new(input: R, big_endian: bool) -> Self {
        Self {
            input,
            big_endian,
            byte: None,
            high: None,
            ready: Vec::new(),
            given: 0,
        }
    }

    fn unit(&mut self, unit: u16) {
        let units = self.high.take().into_iter().chain([unit]);
        let mut buffer = [0; 4];
        let mut pending = None;
        let mut decoded = Vec::new();
        for read in char::decode_utf16(units) {
            match read {
                Ok(character) => decoded.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
                Err(alone) if (0xD800..0xDC00).contains(&alone.unpaired_surrogate()) && pending.is_none() => {
                    pending = Some(alone.unpaired_surrogate());
                }
                Err(_) => decoded.extend_from_slice("\u{FFFD}".as_bytes()),
            }
        }
        self.high = pending;
        self.ready.extend(decoded);
    }

    fn fill(&mut self) -> std::io::Result<()> {
        self.ready.clear();
        self.given = 0;
        let mut bytes = [0; 8 * 1024];
        while self.ready.is_empty() {
            let count = self.input.read(&mut bytes)?;
            if count == 0 {
                break;
            }
            for byte in bytes.iter().take(count) {
                match self.byte.take() {
                    None => self.byte = Some(*byte),
                    Some(first) if self.big_endian => self.unit(u16::from_be_bytes([first, *byte])),
                    Some(first) => self.unit(u16::from_le_bytes([first, *byte])),
                }
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Wide<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.ready.len() {
            self.fill()?;
        }
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(into), Some(rest)) = (into.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(rest);
        }
        self.given += count;
        Ok(count)
    }
}

/// The same text again, and what parts its cells: what its first line of several cells has most of, outside quotes.
pub(super) fn separated<R: Read>(mut input: R) -> Result<(Again<R>, u8), InvoiceError> {
    let mut first = Vec::new();
    let mut chunk = [0; 1024];
    let separator = loop {
        if let Some(separator) = separator_in(&first) {
            break separator;
        }
        let count = if first.len() < FIRST_LINES {
            input.read(&mut chunk)?
        } else {
            0
        };
        if count == 0 {
            first.push(b'\n');
            let separator = separator_in(&first).unwrap_or(b',');
            first.pop();
            break separator;
        }
        first.extend(chunk.iter().take(count));
    };
    Ok((Cursor::new(first).chain(input), separator))
}

/// By the first whole line that has one twice.
fn separator_in(text: &[u8]) -> Option<u8> {
    let (mut quoted, mut counts) = (false, [(b'\t', 0_u32), (b';', 0), (b',', 0)]);
    for byte in text {
        quoted ^= *byte == b'"';
        if *byte == b'\n' && !quoted {
            let most = counts.iter().max_by_key(|(_, count)| *count)?;
            if most.1 >= 2 {
                return Some(most.0);
            }
            counts.iter_mut().for_each(|(_, count)| *count = 0);
        }
        for (separator, count) in &mut counts {
            *count += u32::from(!quoted && separator == byte);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One byte at a time, as a slow pipe gives them.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let most = into.len().min(1);
            self.0.read(&mut into[..most])
        }
    }

    fn decoded(bytes: Vec<u8>) -> String {
        let mut text = String::new();
        Text::new(Slow(Cursor::new(bytes)))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    proptest! {
        #[test]
        fn every_text_is_read_in_every_encoding_that_has_a_mark(text in "[a-z一-龥😀,;\n\"]{1,60}") {
            let wide = |mark: u16, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
                std::iter::once(mark).chain(text.encode_utf16()).flat_map(bytes).collect()
            };
            prop_assert_eq!(&decoded(wide(0xFEFF, u16::to_le_bytes)), &text);
            prop_assert_eq!(&decoded(wide(0xFEFF, u16::to_be_bytes)), &text);
            prop_assert_eq!(&decoded(text.clone().into_bytes()), &text);
            prop_assert_eq!(&decoded(format!("\u{FEFF}{text}").into_bytes()), &text);
        }
    }

    #[test]
    fn what_is_no_text_is_told_apart() {
        let refused = |bytes: &[u8]| Text::new(Cursor::new(bytes.to_vec())).err().unwrap().to_string();
        assert!(refused(b"").contains("empty"));
        assert!(refused(b"PK\x03\x04rest").contains("packed"));
        assert!(refused(b"a\0b\0").contains("UTF-8"));
    }

    #[test]
    fn the_separator_is_what_the_first_line_has_most_of() {
        let found = |text: &str| separated(Cursor::new(text.as_bytes().to_vec())).unwrap().1;
        assert_eq!(found("a,b,c\n1;2;3;4"), b',');
        assert_eq!(found("a;\"b,b,b\";c\n"), b';');
        assert_eq!(found("a bill, whole\na\tb\tc"), b'\t');
        assert_eq!(found("alone"), b',');
    }
}
