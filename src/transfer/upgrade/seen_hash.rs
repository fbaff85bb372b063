//! The number under which release 975 and later remember that something was fetched or seen: Bob Jenkins's `hashlittle` of its id
//! (lookup3.c of May 2006, in the public domain), with 1 as the initial value.

/// The hash of an id, as table 07 has it: the same on every machine.
pub(super) fn seen_hash(id: &[u8]) -> i32 {
    let start = 0xdead_beef_u32.wrapping_add(id.len() as u32).wrapping_add(1);
    let mut state = [start; 3];
    let mut rest = id;
    while rest.len() > 12 {
        let (now, later) = rest.split_at(12);
        add(&mut state, now);
        mix(&mut state);
        rest = later;
    }
    if !rest.is_empty() {
        add(&mut state, rest);
        finish(&mut state);
    }
    state[2].cast_signed()
}

/// Adds up to 12 bytes as three little-endian numbers, those that are missing as zero.
fn add(state: &mut [u32; 3], bytes: &[u8]) {
    for (number, word) in state.iter_mut().zip(bytes.chunks(4)) {
        let mut padded = [0; 4];
        padded[..word.len()].copy_from_slice(word);
        *number = number.wrapping_add(u32::from_le_bytes(padded));
    }
}

fn mix([a, b, c]: &mut [u32; 3]) {
    for turns in [[4, 6, 8], [16, 19, 4]] {
        *a = a.wrapping_sub(*c) ^ c.rotate_left(turns[0]);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(turns[1]);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(turns[2]);
        *b = b.wrapping_add(*a);
    }
}

fn finish([a, b, c]: &mut [u32; 3]) {
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_lookup3() {
        // What lookup3.c gives with 1 as the initial value.
        let known = [
            ("", 0xdead_bef0),
            ("a", 0x42b1_7671),
            ("rss/item-0", 0xdd24_bed2),
            ("abcdefghijkl", 0xa0c5_25be),
            ("abcdefghijklm", 0x8675_b9c8),
            ("Four score and seven years ago", 0xcd62_8161),
            ("pop3/Lobby/uid-1:nobody@127.0.0.1", 0x8f66_4631),
        ];
        for (id, hash) in known {
            assert_eq!(seen_hash(id.as_bytes()).cast_unsigned(), hash, "{id}");
        }
    }
}
