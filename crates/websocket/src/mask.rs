//! The masking of RFC 6455 section 5.3, eight bytes at a time.
//!
//! Masking is its own inverse, so one function serves both directions.

/// Bytes that are copied before they are masked, so that the second pass finds them in the nearest cache.
const BLOCK: usize = 8 * 1024;

/// Masks `bytes` in place; the first byte meets the first byte of `key`.
pub(crate) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Appends `bytes` to `out`, masked; gives back the key for the bytes that follow.
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) -> [u8; 4] {
    out.reserve(bytes.len());
    for block in bytes.chunks(BLOCK) {
        let start = out.len();
        out.extend_from_slice(block);
        if let Some(copied) = out.get_mut(start..) {
            apply(copied, key);
        }
    }
    advance(key, bytes.len())
}

/// The key turned so that it continues after `length` bytes.
fn advance(mut key: [u8; 4], length: usize) -> [u8; 4] {
    key.rotate_left(length % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_in_words_equals_masking_byte_by_byte() {
        let key = [1, 2, 4, 8];
        for length in 0..70usize {
            let plain: Vec<u8> = (0..length as u8).collect();
            let expected: Vec<u8> =
                plain.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let mut masked = plain.clone();
            apply(&mut masked, key);
            assert_eq!(masked, expected);
        }
    }

    #[test]
    fn two_pieces_are_masked_like_one() {
        let plain: Vec<u8> = (0..20_000u32).map(|n| n as u8).collect();
        for cut in [0, 1, 2, 3, 7, 8, 1000, 9001] {
            let mut whole = Vec::new();
            append(&mut whole, &plain, [9, 8, 7, 6]);
            let mut pieces = Vec::new();
            let key = append(&mut pieces, &plain[..cut], [9, 8, 7, 6]);
            append(&mut pieces, &plain[cut..], key);
            assert_eq!(whole, pieces);
        }
    }
}
