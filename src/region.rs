//! The code of a region: `world`, a country (ISO 3166-1 alpha-2) or a part of one (ISO 3166-2).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// `world`, `GB` or `US-TX`. A region is a child of its country, a country of `world`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    // Padded with zeros; six bytes hold the longest ISO 3166-2 code. `world` is all zeros, so that it sorts first.
    code: [u8; 6],
}

/// The text is not the shape of a region's code.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a region: use `world`, a country such as `GB`, or a part of one such as `US-TX`")]
pub struct NotARegion(String);

impl Region {
    pub const WORLD: Region = Region { code: [0; 6] };

    /// The code as it is written: `world`, `GB`, `US-TX`.
    pub fn as_str(&self) -> &str {
        let length = self.code.iter().position(|byte| *byte == 0).unwrap_or(6);
        match std::str::from_utf8(&self.code[..length]) {
            Ok("") | Err(_) => "world",
            Ok(code) => code,
        }
    }

    /// `US-TX` → `US` → `world` → nothing.
    pub fn parent(self) -> Option<Region> {
        if self == Region::WORLD {
            return None;
        }
        let mut code = [0; 6];
        if self.code[2] == b'-' {
            code[..2].copy_from_slice(&self.code[..2]);
        }
        Some(Region { code })
    }

    /// The region itself, then its parents up to `world`.
    pub fn path(self) -> impl Iterator<Item = Region> {
        std::iter::successors(Some(self), |region| region.parent())
    }

    /// Whether `other` is this region or a part of it.
    pub fn contains(self, other: Region) -> bool {
        other.path().any(|region| region == self)
    }

    /// Whether this is a country, not `world` and not a part of a country.
    pub fn is_country(self) -> bool {
        self.parent() == Some(Region::WORLD)
    }
}

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, NotARegion> {
        if text.eq_ignore_ascii_case("world") {
            return Ok(Region::WORLD);
        }
        let upper = text.to_ascii_uppercase();
        let bytes = upper.as_bytes();
        let country = bytes.len() >= 2 && bytes[..2].iter().all(u8::is_ascii_uppercase);
        let part = bytes.len() == 2
            || (4..=6).contains(&bytes.len()) && bytes[2] == b'-' && bytes[3..].iter().all(u8::is_ascii_alphanumeric);
        if !(country && part) {
            return Err(NotARegion(text.to_owned()));
        }
        let mut code = [0; 6];
        code[..bytes.len()].copy_from_slice(bytes);
        Ok(Region { code })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_leads_to_its_country_and_the_world() {
        let texas: Region = "US-TX".parse().unwrap();
        let path: Vec<String> = texas.path().map(|region| region.to_string()).collect();
        assert_eq!(path, ["US-TX", "US", "world"]);
        assert!(Region::WORLD.contains(texas) && !texas.contains(Region::WORLD));
        assert!(!texas.is_country() && texas.parent().unwrap().is_country());
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "U", "USA", "US-", "US-TEXAS", "US TX", "é", "12"] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
