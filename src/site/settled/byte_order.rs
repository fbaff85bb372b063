//! What the magic number of a file shows: its byte order, and what it is.

pub(super) use crate::record::ByteOrder;

impl ByteOrder {
    /// The order in which `bytes` read as `magic`, if there's one.
    pub(super) fn of_magic(bytes: &[u8], magic: u32) -> Option<ByteOrder> {
        [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| order.u32_at(bytes, 0) == Some(magic))
    }

    /// The 32-bit number at `at`; `None` where `bytes` ends before it does.
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..)?.first_chunk()?;
        Some(match self {
            ByteOrder::Little => u32::from_le_bytes(*bytes),
            ByteOrder::Big => u32::from_be_bytes(*bytes),
        })
    }
}

/// Other files of Berkeley DB, by the number at byte 12, and what can be done about each.
const OTHERS: [(u32, &str); 4] = [
    (0x06_1561, "a Berkeley DB hash table"),
    (0x04_2253, "a Berkeley DB queue"),
    (0x07_4582, "a Berkeley DB heap"),
    (0x04_0988, "a Berkeley DB log file"),
];

/// What a file of Berkeley DB is whose number at byte 12 is none of a B-tree, and what to do about a table of that sort; `None` for any other file.
pub(in crate::site) fn other_file(start: &[u8]) -> Option<String> {
    let number = start.get(12..16)?;
    let (magic, name) = OTHERS.into_iter().find(|(magic, _)| ByteOrder::of_magic(number, *magic).is_some())?;
    let way = if magic == OTHERS[0].0 {
        ", which no Citadel server makes: put a B-tree in its place (db5.3_dump FILE | grep -v '^h_' | db5.3_load -t btree NEW)"
    } else {
        ""
    };
    Some(format!("it is {name}{way}"))
}
