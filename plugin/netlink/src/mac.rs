//! Hardware addresses.

use std::fmt;
use std::str::FromStr;

/// A 48-bit hardware address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = String;

    /// Reads six groups of two hexadecimal digits, separated by colons.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let fault = || format!("{text:?} is no MAC address such as 02:00:00:00:00:01");
        let mut octets = [0; 6];
        let mut groups = text.split(':');
        for octet in &mut octets {
            let group = groups
                .next()
                .filter(|group| group.len() == 2 && !group.starts_with('+'))
                .ok_or_else(fault)?;
            *octet = u8::from_str_radix(group, 16).map_err(|_| fault())?;
        }
        if groups.next().is_some() {
            Err(fault())
        } else {
            Ok(Self(octets))
        }
    }
}
