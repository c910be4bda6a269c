//! A curl command as people paste it: its headers and its body, by the shell's own rules of quoting.
//!
//! Nothing is run and nothing is expanded; a body from a file (`@FILE`) is not read.

/// What a command would send.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
}

/// Options of curl that take a word and say nothing of the request.
const WITH_WORD: [&str; 14] = [
    "-X",
    "--request",
    "-o",
    "--output",
    "-u",
    "--user",
    "-m",
    "--max-time",
    "--connect-timeout",
    "-A",
    "--user-agent",
    "-x",
    "--proxy",
    "--url",
];
const BODIES: [&str; 6] = ["-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"];

pub fn read(command: &str) -> Result<Call, String> {
    let mut words = split(command)?.into_iter().skip(1);
    let mut call = Call::default();
    while let Some(word) = words.next() {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (word.clone(), None),
        };
        let mut value = |what: &str| {
            joined
                .clone()
                .or_else(|| words.next())
                .ok_or_else(|| format!("`{what}` has no value"))
        };
        if name == "-H" || name == "--header" {
            let header = value(&name)?;
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("`{header}` is no header"))?;
            call.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        } else if BODIES.contains(&name.as_str()) {
            let body = value(&name)?;
            if body.starts_with('@') {
                return Err(format!(
                    "the body is in a file ({body}): give that file in place of the command"
                ));
            }
            call.body = Some(body);
        } else if let Some(header) = word.strip_prefix("-H").filter(|rest| rest.contains(':')) {
            let (name, value) = header.split_once(':').unwrap_or_default();
            call.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        } else if WITH_WORD.contains(&name.as_str()) {
            value(&name)?;
        }
    }
    Ok(call)
}

/// Words of a shell command: quotes, backslashes, continued lines.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(letter) => word.push(letter),
                        None => return Err("a single quote is not closed".to_owned()),
                    }
                }
            }
            '"' => double(&mut letters, word.get_or_insert_default())?,
            '$' if letters.peek() == Some(&'\'') => {
                letters.next();
                ansi(&mut letters, word.get_or_insert_default())?;
            }
            '\\' => match letters.next() {
                Some('\n') | None => {}
                Some('\r') => drop(letters.next_if_eq(&'\n')),
                Some(letter) => word.get_or_insert_default().push(letter),
            },
            letter if letter.is_whitespace() => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn double(letters: &mut Letters<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match letters.next() {
            Some('"') => return Ok(()),
            Some('\\') => match letters.next() {
                Some(letter @ ('"' | '\\' | '$' | '`')) => word.push(letter),
                Some('\n') => {}
                Some(letter) => word.extend(['\\', letter]),
                None => return Err("a double quote is not closed".to_owned()),
            },
            Some(letter) => word.push(letter),
            None => return Err("a double quote is not closed".to_owned()),
        }
    }
}

/// `$'…'`, as browsers copy commands.
fn ansi(letters: &mut Letters<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match letters.next() {
            Some('\'') => return Ok(()),
            Some('\\') => match letters.next() {
                Some('n') => word.push('\n'),
                Some('t') => word.push('\t'),
                Some('r') => word.push('\r'),
                Some('u') => {
                    let digits: String = letters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    word.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(letter) => word.push(letter),
                None => return Err("a quote is not closed".to_owned()),
            },
            Some(letter) => word.push(letter),
            None => return Err("a quote is not closed".to_owned()),
        }
    }
}

/// What holds of any text whatever: it ends, and what stands in quotes comes through as it is.
pub fn trial(text: &str) -> Result<(), String> {
    let _ = read(text);
    if text.starts_with('@') {
        return Ok(());
    }
    let quoted = format!("curl -d '{}' -H 'a:b' URL", text.replace('\'', r"'\''"));
    let call = read(&quoted)?;
    if call.body.as_deref() != Some(text) || call.headers.len() != 1 {
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
        read(command).unwrap().body
    }

    #[test]
    fn quotes_are_those_of_a_shell() {
        for (command, expected) in [
            (r#"curl URL -d '{"a": "b"}'"#, r#"{"a": "b"}"#),
            (r#"curl URL -d "{\"a\": \"it's\"}""#, r#"{"a": "it's"}"#),
            ("curl URL --data-raw $'{\"a\": \"it\\'s\\n\"}'", "{\"a\": \"it's\n\"}"),
            (r"curl URL --json='{}' -X POST", "{}"),
            ("curl \\\n  --url URL \\\n  -d {}", "{}"),
            (r#"curl -d 'a'"b"c URL"#, "abc"),
        ] {
            assert_eq!(body(command).as_deref(), Some(expected), "{command}");
        }
        assert!(read("curl -d '{").is_err());
        assert!(read("curl -d @body.json URL").unwrap_err().contains("in a file"));
    }

    #[test]
    fn headers_are_kept_and_the_rest_says_nothing() {
        let call = read("curl -sS -X POST -o /dev/null -H 'A: b' --header=C:d -H\"E: f\" -m 5 URL").unwrap();
        let headers = [("A", "b"), ("C", "d"), ("E", "f")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            call,
            Call {
                headers: headers.into(),
                body: None
            }
        );
    }
}
