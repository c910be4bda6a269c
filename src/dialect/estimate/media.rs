//! Pictures, sound, films and documents in a prompt: what they come to without being fetched or decoded.
//!
//! Only what stands where a part of a message carries media counts so. The same characters in a text are read as text,
//! so that no text is cheap because it begins like an address.

/// Dearest image of the served vendors at ordinary resolution; a remote image's size is unknown before it is billed.
pub const PER_IMAGE: u64 = 8_192;
/// Dearest film of the served vendors, as they sample it.
const PER_VIDEO: u64 = 32_768;
/// Bytes of base64 behind one token. Sound is the densest of what is small, at some 25 tokens a second; films are
/// compressed harder than they are sampled; a document may be nothing but compressed text.
const IMAGE_OR_SOUND: u64 = 32;
const VIDEO: u64 = 4;
const DOCUMENT: u64 = 2;

/// Under which keys a part carries media or says where it is.
const CARRIERS: [(&[u8], Kind); 13] = [
    (b"image_url", Kind::Image),
    (b"image", Kind::Image),
    (b"url", Kind::Image),
    (b"file_url", Kind::Image),
    (b"file_id", Kind::Image),
    (b"audio_url", Kind::Image),
    (b"audio", Kind::Image),
    (b"input_audio", Kind::Sound),
    (b"video_url", Kind::Video),
    (b"video", Kind::Video),
    (b"file_data", Kind::Data),
    (b"data", Kind::Data),
    (b"uri", Kind::Image),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Image,
    /// Bare base64 stands in it.
    Sound,
    Video,
    /// Never an address.
    Data,
}

/// The key that a string stands under, and whether an object around it is about sound or a film.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Within {
    carrier: Option<Kind>,
    part: Option<Kind>,
}

impl Within {
    pub fn enter(&mut self, key: &[u8]) {
        let found = CARRIERS.iter().find(|(name, _)| *name == key);
        self.carrier = found.map(|(_, kind)| *kind);
        if let Some(kind @ (Kind::Sound | Kind::Video)) = self.carrier {
            self.part = Some(kind);
        }
    }

    /// Tokens of a string, where it is media.
    pub fn media(self, inner: &[u8]) -> Option<u64> {
        let kind = self.carrier?;
        let video = kind == Kind::Video || self.part == Some(Kind::Video);
        let least = if video { PER_VIDEO } else { PER_IMAGE };
        if let Some(data) = inner.strip_prefix(b"data:") {
            return Some(least.max(data.len() as u64 / density(data, video)));
        }
        if self.part == Some(Kind::Sound) && is_base64(inner) {
            return Some(least.max(inner.len() as u64 / IMAGE_OR_SOUND));
        }
        // An address, however its scheme is called, or the name of a file that was sent before.
        (kind != Kind::Data && is_reference(inner)).then_some(least)
    }
}

fn density(data: &[u8], video: bool) -> u64 {
    match data {
        _ if video || data.starts_with(b"video/") => VIDEO,
        _ if data.starts_with(b"image/") || data.starts_with(b"image\\/") || data.starts_with(b"audio") => {
            IMAGE_OR_SOUND
        }
        _ => DOCUMENT,
    }
}

fn is_base64(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_\\".contains(byte);
    text.iter().all(letter)
}

/// A reference has no blank in it, and is no longer than addresses are.
fn is_reference(text: &[u8]) -> bool {
    const LONGEST: usize = 8_192;
    !text.is_empty() && text.len() <= LONGEST && !text.iter().any(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::super::{of_messages, of_text};
    use super::*;

    fn part(json: &str) -> u64 {
        of_messages(format!(r#"[{{"role":"user","content":[{json}]}}]"#).as_bytes())
    }

    #[test]
    fn an_image_somewhere_else_counts_as_the_dearest_one() {
        for address in [
            "https://a.example/i.png",
            "http:\\/\\/a.example\\/i.png",
            "oss://bucket/i",
            "file-1a2b",
        ] {
            for json in [
                format!(r#"{{"type":"image_url","image_url":{{"url":"{address}"}}}}"#),
                format!(r#"{{"type":"image_url","image_url":{{"detail":"low","url":"{address}"}}}}"#),
                format!(r#"{{"type":"image_url","image_url":"{address}"}}"#),
                format!(r#"{{"image":"{address}"}}"#),
            ] {
                assert!(
                    (PER_IMAGE..PER_IMAGE + 60).contains(&part(&json)),
                    "{json}: {}",
                    part(&json)
                );
            }
        }
        let film = r#"{"type":"video","video":["https://a.example/1.png","https://a.example/2.png"]}"#;
        assert!(part(film) >= 2 * PER_VIDEO);
        let film = r#"{"type":"video_url","video_url":{"url":"https://a.example/1.mp4"}}"#;
        assert!(part(film) >= PER_VIDEO);
    }

    #[test]
    fn sound_is_measured_by_its_length_and_a_document_as_if_it_were_text() {
        let base64 = "iVBORw0K".repeat(100_000);
        let sound = format!(r#"{{"type":"input_audio","input_audio":{{"format":"wav","data":"{base64}"}}}}"#);
        assert!((25_000..26_000).contains(&part(&sound)), "{}", part(&sound));
        let document = format!(r#"{{"type":"file","file":{{"file_data":"data:application/pdf;base64,{base64}"}}}}"#);
        assert!(part(&document) >= 400_000, "{}", part(&document));
        let film = format!(r#"{{"type":"video_url","video_url":{{"url":"data:video/mp4;base64,{base64}"}}}}"#);
        assert!(part(&film) >= 200_000, "{}", part(&film));
    }

    #[test]
    fn a_text_that_begins_like_media_is_a_text() {
        let log = "data: {}\\n".repeat(20_000);
        let of_log = of_text(log.as_bytes());
        assert!(of_log > 60_000);
        assert!(part(&format!(r#"{{"type":"text","text":"{log}"}}"#)) >= of_log);
        // What only its maker can read is as long as what was thought.
        let sealed = format!(r#"{{"type":"reasoning.encrypted","data":"{}"}}"#, "x".repeat(100_000));
        assert!(part(&sealed) >= of_text("x".repeat(100_000).as_bytes()));
        let message = format!(r#"[{{"role":"user","content":"{log}"}}]"#);
        assert!(of_messages(message.as_bytes()) >= of_log);
        let after = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"},"text":"http"}"#;
        assert!(part(after) < PER_IMAGE + 60);
    }
}
