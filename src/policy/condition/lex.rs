//! A condition's text to tokens. Refuses what CEL has and planb does not (bytes, unsigned and raw literals) by name.

use super::Fault;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SIGNS: [&str; 22] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "?", ":", ".", ",", "(", ")", "[", "]", "%",
];

pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Fault> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = token(text, at, c)?;
        found.push((token, at..at + length));
        at += length;
    }
    found.push((Token::End, text.trim_end().len()..text.trim_end().len()));
    Ok(found)
}

fn token(text: &str, at: usize, c: char) -> Result<(Token, usize), Fault> {
    let rest = &text[at..];
    if c == '"' || c == '\'' {
        return quoted(rest, at, c);
    }
    if c.is_ascii_digit() || c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit()) {
        return number(rest, at);
    }
    if c.is_ascii_alphabetic() || c == '_' {
        let length = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
        if length <= 2 && rest[length..].starts_with(['"', '\'']) {
            let message = format!("`{}` before a text is not supported", &rest[..length]);
            return Err(Fault::error("syntax", at..at + length, message));
        }
        return Ok((Token::Name(rest[..length].to_owned()), length));
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let fault = Fault::error("syntax", at..at + c.len_utf8(), format!("`{c}` means nothing here"));
    Err(match c {
        '=' => fault.help("equality is `==`"),
        '&' => fault.help("and is `&&`"),
        '|' => fault.help("or is `||`"),
        '“' | '”' | '‘' | '’' | '„' => fault.help("texts stand in straight quotes: \"…\""),
        _ => fault,
    })
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Fault> {
    let digits = |from: usize| from + run(&rest[from..], |c| c.is_ascii_digit());
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        end = if exponent > end + 1 + sign { exponent } else { end };
    }
    let odd = run(&rest[end..], |c| c.is_ascii_alphanumeric() || c == '_');
    let whole = &rest[..end + odd];
    let number: Option<f64> = rest[..end].parse().ok().filter(|n: &f64| n.is_finite() && odd == 0);
    match number {
        Some(number) => Ok((Token::Number(number), end)),
        None => Err(
            Fault::error("syntax", at..at + end + odd, format!("`{whole}` is not a number"))
                .help("numbers are written `80`, `0.8` or `1e3`; shares of a limit are numbers too: `0.8`, not `80%`"),
        ),
    }
}

fn quoted(rest: &str, at: usize, quote: char) -> Result<(Token, usize), Fault> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(value), offset + 1)),
            '\n' => break,
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, escaped @ ('\\' | '"' | '\''))) => value.push(escaped),
                other => {
                    let end = other.map_or(rest.len(), |(next, c)| next + c.len_utf8());
                    let range = at + offset..at + end;
                    return Err(Fault::error("syntax", range, "this escape is not supported")
                        .help("escapes are `\\\\`, `\\\"`, `\\'`, `\\n` and `\\t`"));
                }
            },
            _ => value.push(c),
        }
    }
    let end = at + run(rest, |c| c != '\n');
    Err(Fault::error("syntax", at..end, "this text has no closing quote"))
}
