//! Which pages were seen.

/// Pages per block: 8 KiB of bits.
const BLOCK_PAGES: u32 = 65_536;
const WORD_PAGES: u32 = 64;

/// A set of page numbers that takes memory only where pages were seen, whatever number of pages a file claims.
pub(super) struct PageSet {
    blocks: Vec<Option<Box<[u64]>>>,
    count: u64,
}

impl PageSet {
    pub(super) fn new() -> PageSet {
        PageSet { blocks: Vec::new(), count: 0 }
    }

    /// Adds a page; `false` when it was there already.
    pub(super) fn insert(&mut self, page: u32) -> bool {
        let block = (page / BLOCK_PAGES) as usize;
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, || None);
        }
        let words = self.blocks[block].get_or_insert_with(|| vec![0; (BLOCK_PAGES / WORD_PAGES) as usize].into());
        let word = &mut words[(page % BLOCK_PAGES / WORD_PAGES) as usize];
        let bit = 1 << (page % WORD_PAGES);
        let new = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(new);
        new
    }

    /// Whether a page was added.
    pub(super) fn contains(&self, page: u32) -> bool {
        let words = self.blocks.get((page / BLOCK_PAGES) as usize).and_then(Option::as_ref);
        words.is_some_and(|words| words[(page % BLOCK_PAGES / WORD_PAGES) as usize] & (1 << (page % WORD_PAGES)) != 0)
    }

    /// How many pages were added.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}
