//! A curl command as people paste it: its address, its headers and its body, by curl's options and the shell's own rules
//! of quoting.
//!
//! Nothing is run and nothing is expanded. A body in a file is read by whoever asks for it.

mod shell;

use shell::Command;

/// What a command would send.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub url: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Body>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    Text(String),
    /// `@FILE`, relative to where the command would run.
    File(String),
}

/// Options that take a word and say nothing of the request. Of the short ones the letters alone.
const SHORT: &str = "XomuAxebcwEKCTyYzrtU";
const LONG: [&str; 24] = [
    "request",
    "output",
    "max-time",
    "connect-timeout",
    "user",
    "user-agent",
    "proxy",
    "referer",
    "cookie",
    "cookie-jar",
    "write-out",
    "cert",
    "key",
    "cacert",
    "capath",
    "config",
    "resolve",
    "retry",
    "retry-delay",
    "retry-max-time",
    "limit-rate",
    "unix-socket",
    "interface",
    "dump-header",
];
const BODIES: [&str; 5] = ["data", "data-raw", "data-binary", "data-ascii", "json"];

/// Is this text a command? A prompt or a path before its name is no matter.
pub fn is_command(text: &str) -> bool {
    let first = text
        .trim_start()
        .trim_start_matches(['$', '>', '%'])
        .split_whitespace()
        .next();
    first.is_some_and(|word| word.rsplit('/').next() == Some("curl"))
}

pub fn read(text: &str) -> Result<Call, String> {
    let Command { words, input } = shell::split(text.trim_start().trim_start_matches(['$', '>', '%']))?;
    let mut words = words.into_iter().skip(1);
    let mut call = Call::default();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, joined) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let mut value = || {
                joined
                    .clone()
                    .or_else(|| words.next())
                    .ok_or_else(|| missing(&format!("--{name}")))
            };
            match name {
                "header" => call.header(&value()?)?,
                "url" => call.url = Some(value()?),
                name if BODIES.contains(&name) => call.data(&value()?, name == "data-raw", input.as_deref())?,
                "form" | "form-string" | "data-urlencode" => return Err(unreadable(&format!("--{name}"))),
                name if LONG.contains(&name) => drop(value()?),
                _ => {}
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            call.short(letters, &mut words, input.as_deref())?;
        } else if call.url.is_none() {
            call.url = Some(word);
        }
    }
    Ok(call)
}

impl Call {
    /// Letters in a row: the first that takes a word has the rest of them, or the next word.
    fn short(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = String>,
        input: Option<&str>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            let mut value = || match rest {
                "" => words.next().ok_or_else(|| missing(&format!("-{letter}"))),
                rest => Ok(rest.to_owned()),
            };
            match letter {
                'H' => return self.header(&value()?),
                'd' => return self.data(&value()?, false, input),
                'F' => return Err(unreadable("-F")),
                letter if SHORT.contains(letter) => return value().map(drop),
                _ => {}
            }
        }
        Ok(())
    }

    fn header(&mut self, text: &str) -> Result<(), String> {
        // `Name;` sends it empty, `Name:` does not send it.
        if let Some((name, value)) = text.split_once(':') {
            let (name, value) = (name.trim(), value.trim());
            if !value.is_empty() {
                self.headers.push((name.to_owned(), value.to_owned()));
            }
            return Ok(());
        }
        match text.starts_with('@') {
            true => Err(format!("the headers are in a file ({text}), which is not read")),
            false if text.ends_with(';') => Ok(()),
            false => Err(format!("`{text}` is no header")),
        }
    }

    fn data(&mut self, text: &str, raw: bool, input: Option<&str>) -> Result<(), String> {
        let body = match text.strip_prefix('@').filter(|_| !raw) {
            Some("-") => Body::Text(
                input
                    .ok_or("the body comes over the command's own input, which is not here")?
                    .to_owned(),
            ),
            Some(file) => Body::File(file.to_owned()),
            None => Body::Text(text.to_owned()),
        };
        self.body = match (self.body.take(), body) {
            (None, body) => Some(body),
            (Some(_), _) => return Err("the command gives its body in several parts".to_owned()),
        };
        Ok(())
    }
}

fn missing(option: &str) -> String {
    format!("`{option}` has no value")
}

fn unreadable(option: &str) -> String {
    format!("`{option}` sends a form, and requests to a model are JSON: `-d '{{…}}'`")
}

/// What holds of any text whatever: it ends, and what stands in quotes comes through as it is.
pub fn trial(text: &str) -> Result<(), String> {
    let _ = read(text);
    if text.starts_with('@') {
        return Ok(());
    }
    let quoted = format!("curl -d '{}' -H 'a:b' URL", text.replace('\'', r"'\''"));
    let call = read(&quoted)?;
    let came = matches!(&call.body, Some(Body::Text(body)) if body == text);
    if !came || call.headers.len() != 1 || call.url.as_deref() != Some("URL") {
        return Err(format!("{quoted} was read as {call:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_body_in_quotes_comes_through(text in "(\\PC|['\"\\\\$\n@=]){0,40}") {
            prop_assert_eq!(trial(&text), Ok(()));
        }
    }

    fn body(command: &str) -> Option<String> {
        match read(command).unwrap().body? {
            Body::Text(text) => Some(text),
            Body::File(file) => Some(format!("file {file}")),
        }
    }

    #[test]
    fn bodies_are_found_however_they_are_written() {
        for (command, expected) in [
            (r#"curl URL -d '{"a": "b"}'"#, r#"{"a": "b"}"#),
            (r#"curl URL -d "{\"a\": \"it's\"}""#, r#"{"a": "it's"}"#),
            (
                "curl URL --data-raw $'{\"a\": \"it\\'s\\n\\u4f60\\x21\"}'",
                "{\"a\": \"it's\n你!\"}",
            ),
            (r"curl URL --json='{}' -X POST", "{}"),
            ("curl \\\n  --url URL \\\n  -d {}", "{}"),
            ("curl \\\r\n  URL \\\r\n  -d {}\r\n", "{}"),
            (r#"curl -d 'a'"b"c URL"#, "abc"),
            ("curl -d'{}' URL", "{}"),
            ("curl -sSLd '{}' URL", "{}"),
            ("$ /usr/bin/curl -sXPOST URL -d '{}' | jq .choices[0]", "{}"),
            ("curl URL -d '{}' > out.json 2>&1", "{}"),
            ("curl URL -d '{}' && echo done", "{}"),
            ("curl -d @body.json URL", "file body.json"),
            ("curl --data-binary @dir/body.json URL", "file dir/body.json"),
            ("curl --data-raw @me URL", "@me"),
            (
                "curl URL -d @- <<'EOF'\n{\"a\": \"$HOME\"}\nEOF\n",
                "{\"a\": \"$HOME\"}\n",
            ),
            (
                "curl URL -d @- <<-EOF | jq .\n\t{\"a\":\n\t1}\n\tEOF\n",
                "{\"a\":\n1}\n",
            ),
            ("curl URL --json @- <<< '{\"b\": 1}'", "{\"b\": 1}"),
            ("curl -u me:secret -m 5 -b a=b -w '%{http_code}' URL -d {}", "{}"),
        ] {
            assert!(is_command(command), "{command}");
            assert_eq!(body(command).as_deref(), Some(expected), "{command}");
            assert_eq!(read(command).unwrap().url.as_deref(), Some("URL"), "{command}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (command, part) in [
            ("curl -d '{", "not closed"),
            ("curl -d \"{", "not closed"),
            ("curl URL -d", "`-d` has no value"),
            ("curl URL --json", "`--json` has no value"),
            ("curl URL -F a=b", "sends a form"),
            ("curl URL --data-urlencode a=b", "sends a form"),
            ("curl URL -H nothing", "is no header"),
            ("curl URL -H @file", "in a file"),
            ("curl URL -d @-", "own input"),
            ("curl URL -d a -d b", "several parts"),
            ("curl URL -d @- <<EOF\n{}", "`EOF`"),
        ] {
            let told = read(command).unwrap_err();
            assert!(told.contains(part), "{command}: {told}");
        }
        assert!(!is_command("{\"model\": \"chat\"}") && !is_command("") && !is_command("wget URL"));
    }

    #[test]
    fn headers_are_kept_and_the_rest_says_nothing() {
        let call = read(
            "curl -sS -X POST -o /dev/null -H 'A: b' --header=C:d -H\"E: f\" -H 'G;' -H 'I:' -sHJ:k -m 5 http://x/v1",
        )
        .unwrap();
        let headers = [("A", "b"), ("C", "d"), ("E", "f"), ("J", "k")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            call,
            Call {
                url: Some("http://x/v1".to_owned()),
                headers: headers.into(),
                body: None
            }
        );
    }
}
