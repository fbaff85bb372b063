//! The byte order of a file, as its magic number shows it.

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
