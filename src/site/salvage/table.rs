//! One torn table, written anew from what can be had of it.

use std::collections::BTreeSet;
use std::path::Path;

use super::candidate::{Candidate, Choice, Decision, Value};
use super::claims::Claims;
use super::loss::Losses;
use super::{Loss, SalvageError};
use crate::monitor::Monitor;
use crate::record::{Layout, Model};
use crate::site::btree::{PageLoss, PageLosses, Place, TableWriter, TornTable, Trouble};
use crate::site::check::{Subject, key_text};
use crate::site::layout;
use crate::site::sort::Sorter;
use crate::site::source::table_number;

/// Memory for each of the two sorts that run at a time, in bytes.
const SORT_BYTES: usize = 16 << 20;

/// What came of a torn table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// Pairs of the new table.
    pub pairs: u64,
    /// What is lost.
    pub losses: Vec<Loss>,
    /// Whether its leaves are one chain from the first to the last: then none of them is missing.
    pub is_chain_whole: bool,
}

/// Writes what can be had of the table `source` as the new table `into`, which must not exist, with the same page size and byte order.
///
/// Of several values for a key the one on the page with the latest log position is taken; where these are equal, the one that the tree still
/// leads to, else that of the first page. Where that value can't be read whole, an older one is taken, and that is told.
///
/// # Errors
/// When no page of the source can be recognised, when it can't be read for another reason than damage, when the new table or the scratch
/// directory can't be written, or when the user interrupts.
pub fn salvage_table(
    source: &Path,
    into: &Path,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Salvaged, SalvageError> {
    let name = source.file_name().and_then(|name| name.to_str());
    let number = name.and_then(table_number).ok_or_else(|| SalvageError::Name { path: source.to_path_buf() })?;
    let torn = TornTable::open(source)?;
    let mut work = Work { number, torn: &torn, monitor, losses: Losses::default(), unreached: 0 };
    work.first_page();
    let mut candidates = Sorter::new(scratch, SORT_BYTES);
    let page_losses = work.collect(scratch, &mut candidates)?;
    let table = torn.table();
    let mut writer = TableWriter::create_for(into, scratch, SORT_BYTES, table.page_size(), table.byte_order())?;
    let pairs = work.write(candidates, &mut writer)?;
    writer.finish()?;
    let is_chain_whole = page_losses.is_chain_whole;
    work.unreached_pairs();
    work.pages(page_losses);
    Ok(Salvaged { pairs, losses: work.losses.finish(), is_chain_whole })
}

struct Work<'w> {
    number: u8,
    torn: &'w TornTable,
    monitor: &'w dyn Monitor,
    losses: Losses,
    /// Pairs that were taken and that stand only on pages to which the tree doesn't lead.
    unreached: u64,
}

impl Work<'_> {
    fn first_page(&mut self) {
        let what = Subject::Table(self.number);
        if let Some((first, last)) = self.torn.missing() {
            let why = format!("the file was cut: pages {first} to {last} are missing, and all that stood on them");
            self.losses.add(self.number, what, &why);
        } else if let Some(error) = self.torn.first_page() {
            let why = format!(
                "its first page can't be used, so that pages which were given up may have been taken for good ones: {}",
                error.without_path()
            );
            self.losses.add(self.number, what, &why);
        }
    }

    /// Puts all pairs of all pages into the sort, each with what can be had of its value.
    fn collect(&mut self, scratch: &Path, candidates: &mut Sorter) -> Result<Broken, SalvageError> {
        let mut claims = Claims::new(scratch, self.number);
        let mut items = self.torn.items();
        let mut payload = Vec::new();
        for taken in items.by_ref() {
            self.check_interrupted()?;
            let value = match &taken.value {
                Ok(Place::Overflow { first_page, length }) => {
                    claims.push(&taken, *first_page, *length)?;
                    continue;
                }
                Ok(place) => Value::Whole(place.clone()),
                Err(why) => Value::Lost(format!("its value can't be found: {why}")),
            };
            Candidate::new(&taken, value).encode(&mut payload);
            candidates.push(&taken.key, &payload)?;
        }
        let chains = claims.settle(self.torn, |key, candidate| {
            self.check_interrupted()?;
            candidate.encode(&mut payload);
            candidates.push(key, &payload).map_err(SalvageError::from)
        })?;
        Ok(Broken { is_chain_whole: items.is_chain_whole(), pages: items.into_losses(), chains })
    }

    /// Writes for each key what can be had.
    fn write(&mut self, candidates: Sorter, writer: &mut TableWriter) -> Result<u64, SalvageError> {
        let mut sorted = candidates.finish()?;
        let (mut key, mut payload) = (Vec::new(), Vec::new());
        let (mut open_key, mut choice, mut pairs) = (None::<Vec<u8>>, Choice::default(), 0);
        loop {
            self.check_interrupted()?;
            let is_there = sorted.next(&mut key, &mut payload)?;
            if let Some(open) = open_key.take_if(|open| !is_there || *open != key) {
                pairs += self.put(&open, std::mem::take(&mut choice), writer)?;
            }
            if !is_there {
                return Ok(pairs);
            }
            // The sort gives back what was put into it.
            Candidate::decode(&payload).into_iter().for_each(|candidate| choice.add(candidate));
            open_key.get_or_insert_with(|| key.clone());
        }
    }

    /// Writes the pair that was chosen, if any, and says how many that are.
    fn put(&mut self, key: &[u8], choice: Choice, writer: &mut TableWriter) -> Result<u64, SalvageError> {
        let Decision { place, told, is_in_tree } = choice.decide();
        self.unreached += u64::from(place.is_some() && !is_in_tree);
        if let Some(why) = told {
            self.losses.add(self.number, self.subject(key), &why);
        }
        match &place {
            None => return Ok(0),
            Some(Place::Inline(value)) => writer.put(key, value)?,
            Some(place) => {
                let mut big = writer.put_big(key, place.len())?;
                let mut value = self.torn.table().value(place);
                while let Some(piece) = value.piece()? {
                    self.check_interrupted()?;
                    big.write(writer, piece)?;
                }
                big.finish(writer)?;
            }
        }
        self.monitor.progress(place.map_or(0, |place| u64::from(place.len())), 1);
        Ok(1)
    }

    /// Says how many pairs come from pages that may have been given up. Where the tree is broken, it leads to less than the table has.
    fn unreached_pairs(&mut self) {
        if self.unreached > 0 && self.torn.is_tree_whole() {
            let why = format!(
                "{} of its pairs stand only on pages to which its tree doesn't lead: they were taken, and what had been deleted may be among them",
                self.unreached
            );
            self.losses.add(self.number, Subject::Table(self.number), &why);
        }
    }

    /// Names the pages that gave less than they should.
    fn pages(&mut self, Broken { pages, chains, .. }: Broken) {
        for (page, loss) in pages.pages {
            let is_told = chains.contains(&page)
                && loss.troubles.iter().all(|trouble| matches!(trouble, Trouble::Unrecognised | Trouble::Unread(_)));
            if !is_told {
                let why = self.page_text(&loss);
                self.losses.add(self.number, Subject::Page { table: self.number, page }, &why);
            }
        }
        self.losses.add_more(pages.more);
    }

    fn page_text(&self, loss: &PageLoss) -> String {
        let troubles: Vec<String> = loss.troubles.iter().map(ToString::to_string).collect();
        let text = troubles.join("; ");
        let named = |key: &[u8]| match self.subject(key) {
            Subject::Pair { key, .. } => format!("key {}", key_text(&key)),
            subject => subject.to_string(),
        };
        match (&loss.after, &loss.before) {
            (Some(after), Some(before)) => {
                format!("{text}; by the order of the table it stood between {} and {}", named(after), named(before))
            }
            (Some(after), None) => format!("{text}; by the order of the table it stood after {}", named(after)),
            (None, Some(before)) => format!("{text}; by the order of the table it stood before {}", named(before)),
            (None, None) => text,
        }
    }

    /// What a key is about: the word size shows in its length.
    fn subject(&self, key: &[u8]) -> Subject {
        let order = self.torn.table().byte_order();
        Subject::of_pair(self.number, key, |bytes| match bytes.len() {
            4 => layout::parse_list_key(Layout { model: Model::Ilp32, order }, bytes),
            8 => layout::parse_list_key(Layout { model: Model::Lp64, order }, bytes),
            _ => None,
        })
    }

    fn check_interrupted(&self) -> Result<(), SalvageError> {
        if self.monitor.is_interrupted() { Err(SalvageError::Interrupted) } else { Ok(()) }
    }
}

/// Pages that gave less than they should, and pages at which chains of values ended too early.
struct Broken {
    is_chain_whole: bool,
    pages: PageLosses,
    chains: BTreeSet<u32>,
}
