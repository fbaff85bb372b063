//! A pair on its way through the external sort: the key sorts, the payload says where the two halves stand.

use crate::site::btree::place::Half;

/// The payload of a pair. `key_page` is the first overflow page of the key, 0 when it stands on its leaf.
pub(super) fn encode(payload: &mut Vec<u8>, key_page: u32, value: Half<'_>) {
    payload.clear();
    payload.extend_from_slice(&key_page.to_le_bytes());
    value.encode(payload);
}

/// The two items of a leaf; `None` when the payload is none that [`encode`] wrote.
pub(super) fn decode<'a>(key: &'a [u8], payload: &'a [u8]) -> Option<(Half<'a>, Half<'a>)> {
    let (key_page, value) = payload.split_first_chunk::<4>()?;
    let key = match u32::from_le_bytes(*key_page) {
        0 => Half::Inline(key),
        first_page => Half::Overflow { first_page, length: u32::try_from(key.len()).ok()? },
    };
    Some((key, Half::decode(value)?))
}
