//! When two states are the same.
//!
//! A state is told by its text. Times matter only by how far they are from now (and not at all
//! where something was to wait for one that is past, or where the number of the event says what was
//! first), and the numbers of events only by their order; so they are replaced before the text is
//! hashed. What the engine only reports or numbers is left out: how often it changed what, and names
//! of requests that the request itself tells apart. Anything that is not understood here stays as it
//! is: then more states are told apart than needed, never fewer.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
};

pub(crate) fn identity(lines: &str, now: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    for line in lines.lines() {
        canonical(line, now).hash(&mut hasher);
    }
    hasher.finish()
}

fn canonical(text: &str, now: u64) -> String {
    let order = event_numbers(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.bytes().position(|byte| byte.is_ascii_alphanumeric()) {
        out.push_str(&rest[..start]);
        rest = word(&rest[start..], now, &order, &mut out);
    }
    out + rest
}

/// Writes the word with which the text begins in its canonical form; gives what follows.
fn word<'a>(text: &'a str, now: u64, order: &[u64], out: &mut String) -> &'a str {
    let part_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let end = text.bytes().position(|byte| !part_of_word(byte));
    let (word, after) = text.split_at(end.unwrap_or(text.len()));
    let special = match word.as_bytes() {
        // Fields that decide nothing.
        b"last_number" | b"transitions" | b"progress" => after
            .strip_prefix(": ")
            .map(|value| &value[value_length(value)..]),
        b"Time" => number_after(after, "(").map(|(time, after)| {
            put(out, "Time(", i128::from(time) - i128::from(now));
            after
        }),
        b"not_before" => number_after(after, ": Time(").map(|(time, after)| {
            put(out, "not_before: Time(", time.saturating_sub(now));
            after
        }),
        b"Stamp" => number_after(after, " { at: Time(").map(|(_, after)| after),
        b"seq" => number_after(after, ": ").map(|(number, after)| {
            put(out, "seq: ", order.partition_point(|known| *known < number));
            after
        }),
        // Numbers by which an answer finds its request.
        b"flight" => number_after(after, ": Some((")
            .and_then(|(_, after)| after.strip_prefix(", Stamp { at: ")),
        [b'0'..=b'9', ..] if after.starts_with(": ") => {
            let mut requests = ["Create {", "Replace {", "Delete {"].into_iter();
            let request = requests.any(|request| after[2..].starts_with(request));
            request.then_some(after)
        }
        _ => None,
    };
    special.unwrap_or_else(|| {
        out.push_str(word);
        after
    })
}

fn put(out: &mut String, prefix: &str, number: impl std::fmt::Display) {
    out.push_str(prefix);
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

/// Every number of an event in this text, in order.
fn event_numbers(text: &str) -> Vec<u64> {
    let pieces = text.split("seq: ").skip(1);
    let mut numbers: Vec<u64> = pieces
        .filter_map(|piece| number_after(piece, "").map(|(number, _)| number))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn number_after<'a>(text: &'a str, prefix: &str) -> Option<(u64, &'a str)> {
    let after = text.strip_prefix(prefix)?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    Some((after[..digits].parse().ok()?, &after[digits..]))
}

/// Up to the comma or bracket that ends a field's value.
fn value_length(text: &str) -> usize {
    let mut depth = 0u32;
    text.bytes()
        .position(|byte| match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                false
            }
            b')' | b']' | b'}' if depth > 0 => {
                depth -= 1;
                false
            }
            b',' | b')' | b']' | b'}' => depth == 0,
            _ => false,
        })
        .unwrap_or(text.len())
}

#[test]
fn what_makes_no_difference_is_left_out() {
    let one = canonical(
        "Engine { transitions: T([(1, 2)]), at: Time(7), x: Stamp { at: Time(1), seq: 4 }, seq: 9, \
         flights: {5: Create { a: 1 }}, flight: Some((3, Stamp { at: Time(4), seq: 4 })), \
         progress: Took(2s), not_before: Time(3) }",
        5,
    );
    let other = canonical(
        "Engine { transitions: T([]), at: Time(12), x: Stamp { at: Time(8), seq: 6 }, seq: 7, \
         flights: {6: Create { a: 1 }}, flight: Some((8, Stamp { at: Time(9), seq: 6 })), \
         progress: Since(Time(4)), not_before: Time(9) }",
        10,
    );
    assert_eq!(one, other);
    let differs = |one, other| assert_ne!(canonical(one, 5), canonical(other, 5));
    differs("seq: 3, seq: 4", "seq: 4, seq: 3");
    differs("at: Time(7)", "at: Time(8)");
    differs("not_before: Time(7)", "not_before: Time(8)");
    differs(
        "flight: Some((3, Stamp { at: Time(4)",
        "flight: Some((3, Stamp { at: Time(5)",
    );
    differs("pools: 1", "pools: 2");
}
