//! Page size and byte order of a table whose first page may lie.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::site::btree::layout::{
    BTREE_MAGIC, BTREE_VERSION, ByteOrder, MAX_PAGE_BYTES, MIN_PAGE_BYTES, header, meta, page_type,
};
use crate::site::btree::meta::Meta;
use crate::site::btree::{Table, TableError};
use crate::site::settled::Lsn;

/// The only other version that tables of a Citadel can have: that of libdb 6 and 18. No single changed bit makes it of 9.
const LATER_VERSION: u32 = 10;
/// The page that libdb puts the root of a table on.
const ROOT: u32 = 1;
const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];
/// Page sizes from 512 to 65,536.
const SIZES: usize = 8;

/// A table opened by what its pages show.
pub(super) struct Frame {
    pub(super) table: Table,
    pub(super) first_page: Option<TableError>,
    /// The last page of the table, as its first page has it.
    pub(super) last_page_said: Option<u32>,
}

impl Frame {
    pub(super) fn find(path: &Path) -> Result<Frame, TableError> {
        let open_error = |source| TableError::Open { path: path.to_path_buf(), source };
        if !path.metadata().map_err(open_error)?.is_file() {
            return Err(TableError::NotAFile { path: path.to_path_buf() });
        }
        let file = File::open(path).map_err(open_error)?;
        let file_bytes = file.metadata().map_err(open_error)?.len();
        if file_bytes == 0 {
            return Err(TableError::ZeroLength { path: path.to_path_buf() });
        }
        let mut start = [0; meta::BYTES];
        let start_bytes = file_bytes.min(meta::BYTES as u64) as usize;
        // A first page that can't be read is as good as one of zeros.
        if file.read_exact_at(&mut start[..start_bytes], 0).is_err() {
            start.fill(0);
        }
        let first_page = match Meta::parse(path, &start[..start_bytes], file_bytes) {
            Err(error) if !can_be_torn(&error) => return Err(error),
            parsed => parsed.err(),
        };
        let scores = Scores::of(&file, file_bytes);
        let said = said(&start);
        let best = scores.best();
        let (order, page_bytes) = match (said, best) {
            (Some(said), best) if best.is_none() || scores.get(said) > 0 => said,
            (_, Some(best)) => best,
            (_, None) => {
                let found = "neither its first page nor any other can be recognised".into();
                return Err(first_page.unwrap_or(TableError::NotABtree { path: path.to_path_buf(), found }));
            }
        };
        let pages = (file_bytes / u64::from(page_bytes)).min(u64::from(u32::MAX)) as u32;
        if pages == 0 {
            let wanted = format!("a page has {page_bytes}");
            return Err(TableError::Size { path: path.to_path_buf(), file_bytes, wanted });
        }
        let heard = said == Some((order, page_bytes)) && start[meta::TYPE] == page_type::BTREE_META;
        let number = |offset| heard.then(|| order.u32(&start, offset));
        let root = number(meta::ROOT).filter(|root| (1..pages).contains(root)).unwrap_or(ROOT);
        let lsn = Lsn { file: order.u32(&start, header::LSN), offset: order.u32(&start, header::LSN + 4) };
        let free_list = number(meta::FREE_LIST).unwrap_or_default();
        let meta = Meta { order, page_bytes, last_page: pages - 1, root, free_list, lsn, file_id: Default::default() };
        Ok(Frame {
            last_page_said: number(meta::LAST_PAGE),
            first_page,
            table: Table::with_meta(path, file, file_bytes, meta),
        })
    }
}

/// Whether a table that can't be read because of this error may be one that is torn, or lost: not where a permission is in the way, or a version that
/// is not read.
pub fn can_be_torn(error: &TableError) -> bool {
    match error {
        TableError::Version { version, .. } => *version != LATER_VERSION,
        TableError::Read { .. } => true,
        error => error.is_damage(),
    }
}

/// What the first page says of byte order and page size, if that is possible at all.
fn said(start: &[u8]) -> Option<(ByteOrder, u32)> {
    let order = ORDERS.into_iter().find(|order| {
        order.u32(start, meta::MAGIC) == BTREE_MAGIC && order.u32(start, meta::VERSION) == BTREE_VERSION
    })?;
    let page_bytes = order.u32(start, meta::PAGE_SIZE);
    let is_possible = page_bytes.is_power_of_two() && (MIN_PAGE_BYTES..=MAX_PAGE_BYTES).contains(&page_bytes);
    is_possible.then_some((order, page_bytes))
}

/// How many pages bear the number that they must have, for every page size and byte order.
struct Scores([[u64; ORDERS.len()]; SIZES]);

impl Scores {
    fn of(file: &File, file_bytes: u64) -> Scores {
        let mut scores = Scores([[0; ORDERS.len()]; SIZES]);
        let mut block = vec![0; MAX_PAGE_BYTES as usize];
        for offset in (0..file_bytes).step_by(block.len()) {
            let bytes = (file_bytes - offset).min(block.len() as u64) as usize;
            // What can't be read says nothing; the scan tells of it.
            if file.read_exact_at(&mut block[..bytes], offset).is_ok() {
                scores.count(&block[..bytes], offset);
            }
        }
        scores
    }

    fn count(&mut self, block: &[u8], offset: u64) {
        for (size, scores) in self.0.iter_mut().enumerate() {
            let page_bytes = MIN_PAGE_BYTES as usize * (1 << size);
            let first = offset / page_bytes as u64;
            for (number, page) in (first..).zip(block.chunks_exact(page_bytes)).filter(|(number, _)| *number > 0) {
                let is_known =
                    matches!(page[header::TYPE], page_type::INTERNAL | page_type::LEAF | page_type::OVERFLOW);
                for (order, score) in ORDERS.into_iter().zip(scores.iter_mut()) {
                    *score += u64::from(is_known && u64::from(order.u32(page, header::PAGE)) == number);
                }
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = (u64, (ByteOrder, u32))> {
        self.0.iter().enumerate().flat_map(|(size, scores)| {
            scores.iter().zip(ORDERS).map(move |(score, order)| (*score, (order, MIN_PAGE_BYTES << size)))
        })
    }

    fn get(&self, wanted: (ByteOrder, u32)) -> u64 {
        self.all().find(|(_, frame)| *frame == wanted).map_or(0, |(score, _)| score)
    }

    fn best(&self) -> Option<(ByteOrder, u32)> {
        self.all().max_by_key(|(score, _)| *score).filter(|(score, _)| *score > 0).map(|(_, frame)| frame)
    }
}
