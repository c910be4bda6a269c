//! What the YAML parser says, in words that help: what was meant, where, and what to write.
//!
//! The parser's messages are about grammar. Most slips in a policy are the same few: quotes, brackets, tabs, columns.

use super::tree::Place;
use crate::policy::mask;
use crate::policy::report::Report;

/// Reports an error of the parser. `opened` is the innermost flow map or list that is still open.
pub(super) fn tell(info: &str, text: &str, place: Place, opened: Option<Place>, report: &mut Report) {
    let here = text.get(place.start..).and_then(|rest| rest.chars().next());
    if let Some(tab) = tab(info, text, place) {
        report
            .error(tab, "yaml", "a tab, where YAML takes spaces alone")
            .help("indent with two spaces a level");
        return;
    }
    let opening = opened.and_then(|place| text.get(place.start..place.end));
    let (message, help) = match opening {
        Some(opening) if is_about_brackets(info) => {
            let closing = if opening == "{" { "}" } else { "]" };
            let message = format!("here should stand `,` or the `{closing}` that closes this");
            let help = "a text or a condition with brackets, commas or `: ` in it needs quotes";
            (message, Some(help))
        }
        _ => words(info, here),
    };
    let found = report.error(place, "yaml", message);
    if let Some(help) = help {
        found.help(help);
    }
    if let Some(place) = opened.filter(|_| is_about_brackets(info)) {
        found.related(place, "opened here");
    }
}

fn is_about_brackets(info: &str) -> bool {
    info.contains("did not find expected ','") || info == "invalid indentation" || info.contains("flow")
}

fn words(info: &str, here: Option<char>) -> (String, Option<&'static str>) {
    let told = |message: &str, help: &'static str| (message.to_owned(), Some(help));
    if info.contains("unexpected character") {
        let sign = here.map_or_else(String::new, |c| mask::shown(&c.to_string()));
        return (format!("a value cannot begin with `{sign}`"), Some("put it in quotes"));
    }
    if info.contains("unknown anchor") || info.contains("anchor or alias") {
        return told(
            "`*` refers to an anchor (`&name`), and no anchor before it is called that",
            "a text that begins with `*` needs quotes: `\"*\"`",
        );
    }
    if info.contains("scanning a tag") {
        return told(
            "`!` begins a YAML tag, for which a policy has no use",
            "a condition that begins with `!` needs single quotes: `'!provider(\"NAME\").up'`",
        );
    }
    if info.contains("mapping values are not allowed") {
        return told(
            "a `:` where no key can stand",
            "behind a key stands `: `, with a space, here and on the line above; a text with `: ` in it needs quotes",
        );
    }
    if info.contains("did not find expected key") || info.contains("did not find expected '-'") {
        return told(
            "this line begins in a column where nothing above it began",
            "the entries of one map or list all begin in the same column",
        );
    }
    if info.contains("trailing content") {
        return told(
            "text behind the closing quote",
            "a condition stands in single quotes, and its texts in double ones: `'model.name == \"tiny\"'`",
        );
    }
    if info.contains("quoted scalar") {
        return told(
            "this quote is never closed",
            "a quote within single quotes is written twice: `''`",
        );
    }
    if info == "invalid indentation" {
        return told(
            "this line begins too far to the left for what is still open above it",
            "every `[` and `{` needs its own closing bracket",
        );
    }
    if info.contains("comment intercepting") {
        return told(
            "a comment in the middle of a text that goes on in the next line",
            "put the whole text, a condition say, in single quotes: `'… # …'`",
        );
    }
    if info.contains("must be followed by a valid YAML whitespace") {
        return told(
            "a `:` with no space behind it",
            "behind a key stands `: `, with a space and not a tab; a text with `:` in it needs quotes",
        );
    }
    if info.contains("misplaced bracket") {
        return told("this bracket closes nothing", "take it out, or open one before it");
    }
    if info.contains("unprintable") {
        return told("a character that cannot be printed", "take it out");
    }
    let info = mask::masked(info, std::iter::empty());
    (format!("not valid YAML: {info}"), None)
}

/// The tab that the parser stumbled over: in the indentation of the line that it names, or of the next one.
fn tab(info: &str, text: &str, place: Place) -> Option<Place> {
    if !info.contains("tab") {
        return None;
    }
    let line = text.get(..place.start)?.rfind('\n').map_or(0, |at| at + 1);
    let mut start = line;
    for line in text.get(line..)?.split_inclusive('\n').take(2) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(at) = line.get(..indent)?.find('\t') {
            return Some(Place {
                file: place.file,
                start: start + at,
                end: start + at + 1,
            });
        }
        start += line.len();
    }
    None
}
