//! Texts in UTF-16, which some servers still send.

use std::borrow::Cow;

/// The text in UTF-8. What has no byte order mark of UTF-16, and does not begin as ASCII does in it, stays as it is.
pub fn decoded(body: &[u8]) -> Cow<'_, [u8]> {
    let (big, rest): (bool, &[u8]) = match body {
        [0xfe, 0xff, rest @ ..] => (true, rest),
        [0xff, 0xfe, rest @ ..] => (false, rest),
        [0, second, ..] if *second != 0 => (true, body),
        [first, 0, ..] if *first != 0 => (false, body),
        _ => return Cow::Borrowed(body),
    };
    let units = rest
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Cow::Owned(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_are_read_with_and_without_a_mark() {
        let text = "[{\"é\": \"😀\"}]";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for body in
            [[&[0xff, 0xfe], &little[..]].concat(), [&[0xfe, 0xff], &big[..]].concat(), little, big, text.into()]
        {
            assert_eq!(decoded(&body), text.as_bytes());
        }
        assert_eq!(decoded(b""), &b""[..]);
        assert!(!decoded(&[0xfe, 0xff, 0xd8]).contains(&0xd8));
    }
}
