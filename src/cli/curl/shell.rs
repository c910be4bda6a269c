//! The words of one shell command: quotes, backslashes, continued lines, and the text that is given as its input (`<<EOF`,
//! `<<<`). It ends where another command begins; nothing is expanded.

pub(super) struct Command {
    pub words: Vec<String>,
    /// What a here-document or a here-string gives it.
    pub input: Option<String>,
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

pub(super) fn split(text: &str) -> Result<Command, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut input = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' | '\\' => quoted(letter, &mut letters, &mut word)?,
            '$' if matches!(letters.peek(), Some('\'' | '"')) => {
                let word = word.get_or_insert_default();
                match letters.next() {
                    Some('\'') => ansi(&mut letters, word)?,
                    _ => double(&mut letters, word)?,
                }
            }
            '<' if letters.next_if_eq(&'<').is_some() => {
                words.extend(word.take());
                let (text, ends) = given(&mut letters)?;
                input = Some(text);
                if ends {
                    break;
                }
            }
            // The shell's own: where its output goes, or what comes next.
            '|' | ';' | '&' | '>' | '<' => break,
            '#' if word.is_none() => while letters.next_if(|letter| *letter != '\n').is_some() {},
            letter if letter.is_whitespace() => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    // `2>` names a channel.
    let channel = word.take().filter(|word| !matches!(word.as_str(), "1" | "2"));
    words.extend(channel);
    if input.is_none() {
        input = later(&mut letters)?;
    }
    Ok(Command { words, input })
}

fn quoted(letter: char, letters: &mut Letters<'_>, word: &mut Option<String>) -> Result<(), String> {
    match letter {
        '"' => return double(letters, word.get_or_insert_default()),
        '\\' => match letters.next() {
            Some('\n') | None => {}
            Some('\r') => drop(letters.next_if_eq(&'\n')),
            Some(letter) => word.get_or_insert_default().push(letter),
        },
        _ => {
            let word = word.get_or_insert_default();
            loop {
                match letters.next() {
                    Some('\'') => break,
                    Some(letter) => word.push(letter),
                    None => return Err("a single quote is not closed".to_owned()),
                }
            }
        }
    }
    Ok(())
}

/// Behind the end of the command, on its line, there may still be a here-document for it.
fn later(letters: &mut Letters<'_>) -> Result<Option<String>, String> {
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => return Ok(None),
            '<' if letters.next_if_eq(&'<').is_some() => return given(letters).map(|(text, _)| Some(text)),
            _ => {}
        }
    }
    Ok(None)
}

/// Behind `<<`: the text, and whether the command has ended with it.
fn given(letters: &mut Letters<'_>) -> Result<(String, bool), String> {
    let here_string = letters.next_if_eq(&'<').is_some();
    let strips = letters.next_if_eq(&'-').is_some();
    while letters.next_if(|letter| *letter == ' ').is_some() {}
    let mut end: Option<String> = None;
    while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace() && !"|;&>".contains(*letter)) {
        match letter {
            '\'' | '"' | '\\' => quoted(letter, letters, &mut end)?,
            letter => end.get_or_insert_default().push(letter),
        }
    }
    let end = end.unwrap_or_default();
    if here_string {
        return Ok((end, false));
    }
    // The rest of the line belongs to the command, or to another.
    letters.by_ref().find(|letter| *letter == '\n');
    let rest: String = letters.clone().collect();
    let mut text = String::new();
    for line in rest.split_inclusive('\n') {
        letters.by_ref().take(line.chars().count()).for_each(drop);
        let line = if strips { line.trim_start_matches('\t') } else { line };
        if line.trim_end_matches(['\n', '\r']) == end {
            return Ok((text, true));
        }
        text.push_str(line);
    }
    Err(format!("the text that `<<` begins does not end: no line is `{end}`"))
}

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
                Some('e') => word.push('\u{1b}'),
                Some('x') => word.push(code(letters, 2)),
                Some('u') => word.push(code(letters, 4)),
                Some('U') => word.push(code(letters, 8)),
                Some(letter) => word.push(letter),
                None => return Err("a quote is not closed".to_owned()),
            },
            Some(letter) => word.push(letter),
            None => return Err("a quote is not closed".to_owned()),
        }
    }
}

/// At most so many hexadecimal digits.
fn code(letters: &mut Letters<'_>, most: usize) -> char {
    let mut number = 0_u32;
    for _ in 0..most {
        let Some(digit) = letters
            .next_if(char::is_ascii_hexdigit)
            .and_then(|letter| letter.to_digit(16))
        else {
            break;
        };
        number = number.saturating_mul(16).saturating_add(digit);
    }
    char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
}
