//! Tokens to syntax by precedence climbing: `?:` < `||` < `&&` < comparisons and `in` < `+ -` < `* /` < `! -` < `.`.
//!
//! Stops at the first error, because what follows a slip in an expression is noise. Bounded in length and depth.

use super::Fault;
use super::lex::{self, Token};
use super::syntax::{Arithmetic, Comparison, Kind, Operator, Syntax};
use std::ops::Range;

/// Far more than a person can hold in mind.
const LENGTH: usize = 4096;
const DEPTH: usize = 64;

const COMPARING: u8 = 1;
const ADDING: u8 = 2;
const MULTIPLYING: u8 = 3;

pub(super) fn parse(text: &str) -> Result<Syntax, Fault> {
    if text.len() > LENGTH {
        let message = format!("a condition of more than {LENGTH} bytes");
        return Err(Fault::error("too-large", 0..text.len(), message));
    }
    let mut parser = Parser {
        tokens: lex::tokens(text)?,
        at: 0,
        depth: 0,
    };
    let whole = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(whole),
        _ => Err(parser.unexpected("an operator")),
    }
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn range(&self) -> Range<usize> {
        let last = self.tokens.len().saturating_sub(1);
        let found = self.tokens.get(self.at.min(last));
        found.map_or(0..0, |(_, range)| range.clone())
    }

    fn advance(&mut self) -> Range<usize> {
        let range = self.range();
        self.at += 1;
        range
    }

    fn take(&mut self, sign: &str) -> Option<Range<usize>> {
        matches!(self.peek(), Token::Sign(found) if *found == sign).then(|| self.advance())
    }

    fn expect(&mut self, sign: &'static str) -> Result<Range<usize>, Fault> {
        self.take(sign).ok_or_else(|| self.unexpected(&format!("`{sign}`")))
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let range = self.range();
        let (shown, help) = match self.peek() {
            Token::End => {
                let message = format!("the condition ends where {wanted} should stand");
                return Fault::error("syntax", range, message);
            }
            Token::Name(name) => {
                let help = match name.as_str() {
                    "and" | "AND" => Some("and is `&&`"),
                    "or" | "OR" => Some("or is `||`"),
                    "not" | "NOT" => Some("not is `!`"),
                    "is" => Some("equality is `==`"),
                    _ => None,
                };
                (name.clone(), help)
            }
            Token::Number(number) => (number.to_string(), None),
            Token::Text(text) => (format!("\"{}\"", crate::policy::mask::shown(text)), None),
            Token::Sign("%") => ("%".to_owned(), Some("shares are written as numbers: `0.8`, not `80%`")),
            Token::Sign(sign) => ((*sign).to_owned(), None),
        };
        let message = format!("{wanted} should stand here, not `{shown}`");
        Fault::error("syntax", range, message).maybe_help(help.map(str::to_owned))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= DEPTH {
            return Err(too_deep(self.range()));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Syntax, Fault> {
        self.deeper(|parser| {
            let condition = parser.any()?;
            if parser.take("?").is_none() {
                return Ok(condition);
            }
            let yes = parser.any()?;
            parser.expect(":")?;
            let no = parser.expression()?;
            let range = condition.range.start..no.range.end;
            let height = condition.height.max(yes.height).max(no.height);
            node(range, height, Kind::If(Box::new([condition, yes, no])))
        })
    }

    fn any(&mut self) -> Result<Syntax, Fault> {
        self.chain("||", Self::all, Kind::Any)
    }

    fn all(&mut self) -> Result<Syntax, Fault> {
        self.chain("&&", |parser| parser.binary(COMPARING), Kind::All)
    }

    /// A chain is one flat node, so that a long one is not a deep one.
    fn chain(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Result<Syntax, Fault>,
        kind: fn(Vec<Syntax>) -> Kind,
    ) -> Result<Syntax, Fault> {
        let first = part(self)?;
        if !matches!(self.peek(), Token::Sign(found) if *found == sign) {
            return Ok(first);
        }
        let (start, mut end, mut height) = (first.range.start, first.range.end, first.height);
        let mut parts = vec![first];
        while self.take(sign).is_some() {
            let next = part(self)?;
            (end, height) = (next.range.end, height.max(next.height));
            parts.push(next);
        }
        node(start..end, height, kind(parts))
    }

    fn binary(&mut self, least: u8) -> Result<Syntax, Fault> {
        let mut left = self.unary()?;
        while let Some((operator, strength)) = operator(self.peek()).filter(|(_, strength)| *strength >= least) {
            self.advance();
            let right = self.deeper(|parser| parser.binary(strength + 1))?;
            let range = left.range.start..right.range.end;
            let height = left.height.max(right.height);
            let (left_side, right) = (Box::new(left), Box::new(right));
            let kind = Kind::Binary {
                operator,
                left: left_side,
                right,
            };
            left = node(range, height, kind)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Syntax, Fault> {
        for (sign, kind) in [("!", Kind::Not as fn(Box<Syntax>) -> Kind), ("-", Kind::Negative)] {
            if let Some(range) = self.take(sign) {
                let inner = self.deeper(Self::unary)?;
                return node(range.start..inner.range.end, inner.height, kind(Box::new(inner)));
            }
        }
        let mut value = self.primary()?;
        loop {
            if self.take(".").is_some() {
                value = self.member(value)?;
            } else if matches!(self.peek(), Token::Sign("[")) {
                let fault = Fault::error("syntax", self.range(), "values have no elements to take by `[…]`");
                return Err(fault.help("a tag is read as `tag.NAME`"));
            } else {
                return Ok(value);
            }
        }
    }

    fn member(&mut self, of: Syntax) -> Result<Syntax, Fault> {
        let Token::Name(name) = self.peek().clone() else {
            return Err(self.unexpected("a name"));
        };
        let name_range = self.advance();
        let (start, height) = (of.range.start, of.height);
        if matches!(self.peek(), Token::Sign("(")) {
            return self.call(Some(of), name, name_range);
        }
        let range = start..name_range.end;
        let of = Box::new(of);
        node(range, height, Kind::Field { of, name, name_range })
    }

    fn call(
        &mut self,
        target: Option<Syntax>,
        function: String,
        function_range: Range<usize>,
    ) -> Result<Syntax, Fault> {
        self.expect("(")?;
        let (arguments, end) = self.items(")")?;
        let start = target
            .as_ref()
            .map_or(function_range.start, |target| target.range.start);
        let tallest = arguments.iter().chain(&target).map(|part| part.height).max();
        let kind = Kind::Call {
            target: target.map(Box::new),
            function,
            function_range,
            arguments,
        };
        node(start..end, tallest.unwrap_or(0), kind)
    }

    /// Expressions between commas up to the closing sign, and where that ends.
    fn items(&mut self, close: &'static str) -> Result<(Vec<Syntax>, usize), Fault> {
        let mut items = Vec::new();
        if let Some(range) = self.take(close) {
            return Ok((items, range.end));
        }
        loop {
            items.push(self.expression()?);
            if self.take(",").is_none() {
                return Ok((items, self.expect(close)?.end));
            }
        }
    }

    fn primary(&mut self) -> Result<Syntax, Fault> {
        let kind = match self.peek().clone() {
            Token::Name(name) if matches!(name.as_str(), "in" | "and" | "or" | "not" | "null") => {
                return Err(self.unexpected("a value"));
            }
            Token::Name(name) if name == "true" || name == "false" => Kind::Bool(name == "true"),
            Token::Name(name) => {
                let range = self.advance();
                if matches!(self.peek(), Token::Sign("(")) {
                    return self.call(None, name, range);
                }
                return node(range, 0, Kind::Name(name));
            }
            Token::Number(number) => Kind::Number(number),
            Token::Text(text) => Kind::Text(text),
            Token::Sign("(") => {
                let start = self.advance().start;
                let mut inner = self.expression()?;
                inner.range = start..self.expect(")")?.end;
                return Ok(inner);
            }
            Token::Sign("[") => {
                let start = self.advance().start;
                let (items, end) = self.items("]")?;
                let tallest = items.iter().map(|item| item.height).max().unwrap_or(0);
                return node(start..end, tallest, Kind::List(items));
            }
            Token::Sign(_) | Token::End => return Err(self.unexpected("a value")),
        };
        let range = self.advance();
        node(range, 0, kind)
    }
}

fn operator(token: &Token) -> Option<(Operator, u8)> {
    Some(match token {
        Token::Sign("==") => (Operator::Compare(Comparison::Equal), COMPARING),
        Token::Sign("!=") => (Operator::Compare(Comparison::NotEqual), COMPARING),
        Token::Sign("<") => (Operator::Compare(Comparison::Less), COMPARING),
        Token::Sign("<=") => (Operator::Compare(Comparison::AtMost), COMPARING),
        Token::Sign(">") => (Operator::Compare(Comparison::Greater), COMPARING),
        Token::Sign(">=") => (Operator::Compare(Comparison::AtLeast), COMPARING),
        Token::Name(name) if name == "in" => (Operator::In, COMPARING),
        Token::Sign("+") => (Operator::Calculate(Arithmetic::Plus), ADDING),
        Token::Sign("-") => (Operator::Calculate(Arithmetic::Minus), ADDING),
        Token::Sign("*") => (Operator::Calculate(Arithmetic::Times), MULTIPLYING),
        Token::Sign("/") => (Operator::Calculate(Arithmetic::Over), MULTIPLYING),
        _ => return None,
    })
}

fn node(range: Range<usize>, tallest: usize, kind: Kind) -> Result<Syntax, Fault> {
    let height = tallest + 1;
    if height > DEPTH {
        return Err(too_deep(range));
    }
    Ok(Syntax { range, kind, height })
}

fn too_deep(range: Range<usize>) -> Fault {
    Fault::error("too-large", range, format!("nested more than {DEPTH} levels deep"))
}
