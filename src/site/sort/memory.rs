//! Items in memory: one arena for their bytes, one index to sort.

use std::cmp::Ordering;

/// Bytes before an item in the arena: length of the key, length of the payload.
const HEADER_BYTES: usize = 8;

/// One item of the index.
#[derive(Clone, Copy)]
struct Entry {
    /// The first sixteen bytes of the key as two big-endian numbers: they decide nearly all comparisons without a look into the arena.
    prefix: [u64; 2],
    /// Where the item begins in the arena; rises with the order of pushing, which makes the sort stable.
    at: u64,
}

/// The first eight bytes of `key`, zeros behind a shorter one. Unequal prefixes order as their keys do; equal ones say nothing.
pub(super) fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// A batch of items that fits the memory bound.
pub(super) struct Batch {
    arena: Vec<u8>,
    index: Vec<Entry>,
}

impl Batch {
    pub(super) fn new() -> Batch {
        Batch { arena: Vec::new(), index: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.arena.clear();
        self.index.clear();
    }

    /// Bytes of memory in use once this item is added.
    pub(super) fn bytes_with(&self, key: &[u8], payload: &[u8]) -> usize {
        let item = HEADER_BYTES + key.len() + payload.len();
        self.arena.len() + item + (self.index.len() + 1) * size_of::<Entry>()
    }

    /// Adds an item; the caller has checked the lengths, which fit 32 bits. `memory_bytes` keeps the arena from doubling past the bound.
    pub(super) fn push(&mut self, key: &[u8], payload: &[u8], memory_bytes: usize) {
        let item = HEADER_BYTES + key.len() + payload.len();
        let needed = self.arena.len() + item;
        if needed > self.arena.capacity() {
            let doubled = (self.arena.capacity() * 2).min(memory_bytes);
            self.arena.reserve_exact(doubled.max(needed) - self.arena.len());
        }
        let behind = key.get(8..).unwrap_or_default();
        self.index.push(Entry { prefix: [prefix(key), prefix(behind)], at: self.arena.len() as u64 });
        self.arena.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.arena.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(payload);
    }

    pub(super) fn sort(&mut self) {
        let arena = &self.arena;
        self.index.sort_unstable_by(|a, b| match a.prefix.cmp(&b.prefix) {
            Ordering::Equal => {
                let (key_a, _) = item(arena, a.at);
                let (key_b, _) = item(arena, b.at);
                key_a.cmp(key_b).then(a.at.cmp(&b.at))
            }
            decided => decided,
        });
    }

    /// The item at this position of the index: key and payload.
    pub(super) fn get(&self, position: usize) -> Option<(&[u8], &[u8])> {
        self.index.get(position).map(|entry| item(&self.arena, entry.at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|entry| item(&self.arena, entry.at))
    }
}

fn item(arena: &[u8], at: u64) -> (&[u8], &[u8]) {
    let (key_bytes, rest) = length(&arena[at as usize..]);
    let (payload_bytes, rest) = length(rest);
    let (key, rest) = rest.split_at(key_bytes);
    (key, &rest[..payload_bytes])
}

fn length(bytes: &[u8]) -> (usize, &[u8]) {
    let (number, rest) = bytes.split_at(4);
    let number = u32::from_le_bytes([number[0], number[1], number[2], number[3]]);
    (number as usize, rest)
}
