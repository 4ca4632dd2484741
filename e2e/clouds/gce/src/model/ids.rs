//! What the server gives to resources: numbers, names and fingerprints.

use serde_json::Value;

use super::World;

impl World {
    /// A number as resources have it.
    pub(crate) fn number(&mut self) -> String {
        self.random
            .u64(1_000_000_000_000_000_000..9_000_000_000_000_000_000)
            .to_string()
    }

    /// So many random hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from_digit(self.random.u32(0..16), 16).unwrap_or('0'))
            .collect()
    }

    /// Gives a resource what all have: kind, number, date and link.
    pub(crate) fn stamp(&mut self, value: &mut Value, kind: &str, path: &str, date: &str) {
        value["kind"] = format!("compute#{kind}").into();
        value["id"] = self.number().into();
        value["creationTimestamp"] = date.into();
        value["selfLink"] = path.into();
    }

    /// Another fingerprint, in base 64 as all fields of the format `byte`.
    pub(crate) fn fingerprint(&mut self) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text: String = (0..10)
            .map(|_| char::from(DIGITS[self.random.usize(..DIGITS.len())]))
            .collect();
        // Eight bytes: four bits of the last digit and one filler.
        text.push_str("Y=");
        text
    }
}
