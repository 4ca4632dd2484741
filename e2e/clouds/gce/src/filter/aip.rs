//! The language of [AIP-160](https://google.aip.dev/160): `name = x AND status != DONE`.

use std::cmp::Ordering;

use serde_json::Value;

use super::{text, values};

/// A part of a filter.
#[derive(Debug)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(String, Operator, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Has,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Minus,
    Operator(Operator),
    Word(String),
    Quoted(String),
}

fn tokens(filter: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = filter;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            letter if letter.is_whitespace() => {
                rest = &rest[letter.len_utf8()..];
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' | '\'' => {
                let end = rest[1..].find(first)?;
                (Token::Quoted(rest[1..=end].to_owned()), end + 2)
            }
            '-' => (Token::Minus, 1),
            '=' => (Token::Operator(Operator::Equal), 1),
            ':' => (Token::Operator(Operator::Has), 1),
            '!' if rest.starts_with("!=") => (Token::Operator(Operator::Different), 2),
            '<' if rest.starts_with("<=") => (Token::Operator(Operator::LessOrEqual), 2),
            '>' if rest.starts_with(">=") => (Token::Operator(Operator::GreaterOrEqual), 2),
            '<' => (Token::Operator(Operator::Less), 1),
            '>' => (Token::Operator(Operator::Greater), 1),
            _ => {
                let value = matches!(tokens.last(), Some(Token::Operator(_)));
                // A value may have colons, as links do; a field may not.
                let ends = |letter: char| {
                    letter.is_whitespace()
                        || matches!(letter, '(' | ')' | '"' | '\'')
                        || (!value && matches!(letter, '=' | '!' | '<' | '>' | ':'))
                };
                let length = rest.find(ends).unwrap_or(rest.len());
                if length == 0 {
                    return None;
                }
                (Token::Word(rest[..length].to_owned()), length)
            }
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    Some(tokens)
}

/// Reads a filter; nothing if it is wrong.
pub(super) fn read(filter: &str) -> Option<Node> {
    let tokens = tokens(filter)?;
    let mut rest = tokens.as_slice();
    let node = all(&mut rest)?;
    rest.is_empty().then_some(node)
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(text)) if text == word)
}

/// Terms with `AND`, or with nothing between them. `OR` binds tighter.
fn all(rest: &mut &[Token]) -> Option<Node> {
    let mut nodes = vec![any(rest)?];
    loop {
        match rest.first() {
            None | Some(Token::Close) => break,
            first if is_word(first, "AND") => *rest = &rest[1..],
            _ => {}
        }
        nodes.push(any(rest)?);
    }
    Some(Node::All(nodes))
}

fn any(rest: &mut &[Token]) -> Option<Node> {
    let mut nodes = vec![term(rest)?];
    while is_word(rest.first(), "OR") {
        *rest = &rest[1..];
        nodes.push(term(rest)?);
    }
    Some(Node::Any(nodes))
}

fn term(rest: &mut &[Token]) -> Option<Node> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    match first {
        Token::Minus => Some(Node::Not(Box::new(term(rest)?))),
        Token::Word(word) if word == "NOT" => Some(Node::Not(Box::new(term(rest)?))),
        Token::Open => {
            let node = all(rest)?;
            let (close, after) = rest.split_first()?;
            *rest = after;
            (*close == Token::Close).then_some(node)
        }
        Token::Word(field) => {
            let (operator, after) = rest.split_first()?;
            let (value, after) = after.split_first()?;
            *rest = after;
            match (operator, value) {
                (Token::Operator(operator), Token::Word(value) | Token::Quoted(value)) => {
                    Some(Node::Compare(field.clone(), *operator, value.clone()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

impl Node {
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().flat_map(Self::fields).collect(),
            Self::Not(node) => node.fields(),
            Self::Compare(field, ..) => vec![field],
        }
    }

    pub(super) fn passes(&self, resource: &Value) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.passes(resource)),
            Self::Any(nodes) => nodes.iter().any(|node| node.passes(resource)),
            Self::Not(node) => !node.passes(resource),
            Self::Compare(field, operator, wanted) => {
                let values = values(resource, field);
                if *operator == Operator::Has && wanted == "*" {
                    return !values.is_empty();
                }
                // A field that is not there differs from every value (assumed).
                let mut texts = values.into_iter().filter_map(text);
                if *operator == Operator::Different {
                    return texts.all(|text| !is_like(&text, wanted));
                }
                texts.any(|text| holds(*operator, &text, wanted))
            }
        }
    }
}

fn holds(operator: Operator, text: &str, wanted: &str) -> bool {
    let order = || match (text.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(text), Ok(wanted)) => text.partial_cmp(&wanted),
        _ => Some(text.cmp(wanted)),
    };
    match operator {
        Operator::Equal => is_like(text, wanted),
        Operator::Different => !is_like(text, wanted),
        Operator::Has => text.contains(wanted),
        Operator::Less => order() == Some(Ordering::Less),
        Operator::LessOrEqual => order().is_some_and(Ordering::is_le),
        Operator::Greater => order() == Some(Ordering::Greater),
        Operator::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
    }
}

/// Whether a text is what is wanted, with `*` at either end for anything (AIP-160).
fn is_like(text: &str, wanted: &str) -> bool {
    match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(wanted.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == wanted,
    }
}
