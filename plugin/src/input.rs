//! What stands on standard input: one JSON object, of a size that makes sense.

use std::io::Read;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorCode, Result};

/// Largest input in bytes. A configuration with the results of a long chain has some kilobytes.
const LARGEST: u64 = 1024 * 1024;

/// The network configuration. A key whose value is null counts as one that is not there.
pub(crate) type Input = Map<String, Value>;

/// Reads all of `source`; nothing but space is `None`.
pub(crate) fn read(source: impl Read) -> Result<Option<Input>> {
    let mut text = Vec::new();
    // One byte more tells what is too large from what just fits.
    source
        .take(LARGEST + 1)
        .read_to_end(&mut text)
        .map_err(|error| {
            let message = format!("standard input cannot be read: {error}");
            Error::new(ErrorCode::Io, message)
                .with_details("the runtime sends the network configuration there")
        })?;
    if text.len() as u64 > LARGEST {
        let message = format!("the network configuration is larger than {LARGEST} bytes");
        return Err(Error::new(ErrorCode::Decode, message)
            .with_details("see what the runtime sends on standard input"));
    }
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let mut input: Input = serde_json::from_slice(&text).map_err(|error| no_object(&error))?;
    remove_nulls(&mut input);
    Ok(Some(input))
}

/// The error of an input that is no JSON object.
pub(crate) fn no_object(why: &impl ToString) -> Error {
    let message = format!(
        "the network configuration is no JSON object: {}",
        why.to_string()
    );
    Error::new(ErrorCode::Decode, message).with_details("the runtime sends it on standard input")
}

fn remove_nulls(object: &mut Input) {
    object.retain(|_, value| !value.is_null());
    object.values_mut().for_each(remove_nulls_within);
}

fn remove_nulls_within(value: &mut Value) {
    match value {
        Value::Object(object) => remove_nulls(object),
        Value::Array(values) => values.iter_mut().for_each(remove_nulls_within),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, repeat};

    use serde_json::json;

    use super::*;

    fn code(source: impl Read) -> Value {
        read(source).unwrap_err().to_json("1.0.0")["code"].clone()
    }

    #[test]
    fn input_that_is_no_object_cannot_be_decoded() {
        for text in ["[]", "{", "7", "{} {}", "\"x\""] {
            assert_eq!(code(text.as_bytes()), 6, "{text}");
        }
        assert_eq!(code(&b"{\"name\": \"\xff\"}"[..]), 6, "no UTF-8");
        assert_eq!(read(&b" \n"[..]).unwrap(), None);
    }

    #[test]
    fn input_is_read_up_to_a_size_that_makes_sense() {
        assert_eq!(code(repeat(b' ')), 6);
        let just = repeat(b' ').take(LARGEST - 2).chain(&b"{}"[..]);
        assert_eq!(read(just).unwrap(), Some(Map::new()));
    }

    #[test]
    fn input_that_cannot_be_read_is_an_io_failure() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        assert_eq!(code(Broken), 5);
    }

    #[test]
    fn input_has_no_key_whose_value_is_null() {
        let text = json!({"a": null, "b": {"c": null, "d": [{"e": null}, null]}}).to_string();
        let input = read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(Value::from(input), json!({"b": {"d": [{}, null]}}));
    }
}
