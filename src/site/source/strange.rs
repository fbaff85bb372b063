//! Pairs of a table that are none of those which servers keep there.
//!
//! Nothing in a page says of which table it is: a page of another table in the place of one of this shows only by what stands on it. A single
//! pair that can't be understood is carried as it is, and told; a page that has none of this table's pairs is damage.

use std::collections::BTreeSet;

use super::{ReadSiteError, Walk};
use crate::record::{Header, Kind, Layout, Value};
use crate::site::btree::{Item, Place};
use crate::site::check::{Subject, key_text};
use crate::site::layout::{self, FLOOR, MAX_TABLE_KEY_BYTES, METADATA, MessageKey, USE, USEID, table};

/// A page of fewer pairs is not judged by them.
const LEAST_PAIRS: u32 = 2;
/// No server keeps a shorter body in table 08: all have more than 1,024 bytes.
const LEAST_BIG_BYTES: u32 = 512;
/// No server has come to such numbers of messages; most text and structs that are read as numbers are above.
const MOST_MESSAGES: i64 = 1 << 56;
/// What every entry of table 00 begins with.
const ENTRY_MARK: u8 = 0xff;

/// What was seen of a table so far.
pub(super) struct Strange {
    table: u8,
    layout: Layout,
    /// Lengths that the structs of the table have had; empty where its values are no structs, or of any length.
    lengths: BTreeSet<usize>,
    page: u32,
    pairs: u32,
    fitting: u32,
    /// The first key of the page.
    first: Vec<u8>,
    /// How many pairs can't be understood, and the first key, with its page.
    strange: u64,
    first_strange: Option<(Vec<u8>, u32)>,
}

impl Strange {
    /// Nothing seen yet.
    pub fn of(walk: &Walk<'_>, table_number: u8) -> Strange {
        let layout = walk.tables.layout;
        let lengths = match table_number {
            table::FLOORS => FLOOR.sizes(layout),
            table::USES if walk.tables.dialect().kind_of_uses() == Kind::Use => USE.sizes(layout),
            table::USES => USEID.sizes(layout),
            table::MESSAGES => METADATA.sizes(layout),
            _ => BTreeSet::new(),
        };
        let (first, first_strange) = (Vec::new(), None);
        Strange {
            table: table_number,
            layout,
            lengths,
            page: 0,
            pairs: 0,
            fitting: 0,
            first,
            strange: 0,
            first_strange,
        }
    }

    /// Whether a pair of a table of one record each, which became `header`, is like those that servers write.
    fn fits(&self, header: &Header, item: &Item) -> bool {
        if header.fields.get("raw").is_some() {
            return false;
        }
        match header.kind {
            Kind::User => is_name_of(&item.key, header.fields.get("fullname")),
            Kind::Room => is_name_of(&item.key, header.fields.get("name")),
            Kind::Floor | Kind::Use | Kind::Useid => self.lengths.contains(&(item.value.len() as usize)),
            // Of these the whole value is understood, or it is another table's.
            Kind::Usernumber | Kind::Euid => header.residue.is_none(),
            Kind::Directory | Kind::Openid => header.residue.is_none() && !item.key.contains(&0),
            _ => true,
        }
    }

    /// Whether a part of a message is like those that servers write.
    fn fits_message(&self, key: Option<MessageKey>, item: &Item) -> bool {
        let first = match &item.value {
            Place::Inline(value) => value.first().copied(),
            Place::Overflow { .. } => None,
        };
        match (key, self.table) {
            (Some(MessageKey::Entry(_)), table::MESSAGES) => first.is_none_or(|first| first == ENTRY_MARK),
            (Some(MessageKey::Metadata(_)), table::MESSAGES) => self.lengths.contains(&(item.value.len() as usize)),
            (Some(MessageKey::Entry(_)), _) => item.value.len() >= LEAST_BIG_BYTES && first != Some(ENTRY_MARK),
            _ => false,
        }
    }

    /// Whether numbers of a list are such as messages have. They need not rise: an indexer that was killed adds the same messages once more.
    fn fits_list(&self, item: &Item) -> bool {
        let Place::Inline(value) = &item.value else { return true };
        let words = value.chunks(self.layout.word_bytes());
        words
            .map(|word| layout::parse_list_key(self.layout, word))
            .all(|number| number.is_some_and(|number| (1..MOST_MESSAGES).contains(&number)))
    }
}

/// Whether a key is made of a name: the same letters and digits, whatever their case. A key or a name of none says nothing.
fn is_name_of(key: &[u8], name: Option<&Value>) -> bool {
    let plain = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let Some(Value::String(name) | Value::Binary(name)) = name else { return false };
    let (key, name) = (plain(key), plain(name));
    key.starts_with(&name) || name.starts_with(&key)
}

impl Walk<'_> {
    /// Notes a pair of a table of one record each, and the record that it became, if any.
    pub(super) fn note_typed(
        &mut self,
        strange: &mut Strange,
        page: u32,
        item: &Item,
        header: Option<&Header>,
    ) -> Result<(), ReadSiteError> {
        let is_raw = header.is_none_or(|header| header.fields.get("raw").is_some());
        let fits = match header {
            Some(_) if strange.table == table::FULLTEXT => strange.fits_list(item),
            Some(header) => strange.fits(header, item),
            None => false,
        };
        self.note(strange, page, item, is_raw, fits)
    }

    /// Notes a pair of tables 00 and 08; `is_part` says whether it is a part of a message.
    pub(super) fn note_message(
        &mut self,
        strange: &mut Strange,
        page: u32,
        item: &Item,
        key: Option<MessageKey>,
        is_part: bool,
    ) -> Result<(), ReadSiteError> {
        let fits = strange.fits_message(key, item);
        self.note(strange, page, item, !is_part, fits)
    }

    /// Notes a pair of table 04; `is_list` says whether it is a list.
    pub(super) fn note_list(
        &mut self,
        strange: &mut Strange,
        page: u32,
        item: &Item,
        is_list: bool,
    ) -> Result<(), ReadSiteError> {
        let fits = is_list && strange.fits_list(item);
        self.note(strange, page, item, !is_list, fits)
    }

    fn note(
        &mut self,
        strange: &mut Strange,
        page: u32,
        item: &Item,
        is_raw: bool,
        fits: bool,
    ) -> Result<(), ReadSiteError> {
        if strange.page != page {
            self.end_page(strange)?;
            strange.page = page;
            (strange.pairs, strange.fitting) = (0, 0);
            strange.first.clone_from(&item.key);
        }
        strange.pairs += 1;
        strange.fitting += u32::from(fits);
        // A longer key is left out, and named, or refused.
        if is_raw && item.key.len() <= MAX_TABLE_KEY_BYTES {
            strange.strange += 1;
            strange.first_strange.get_or_insert_with(|| (item.key.clone(), page));
        }
        Ok(())
    }

    /// Refuses a page without a single pair of its table, or names it as lost where that is allowed. By a layout that was told, or of a release
    /// that nobody knows, no page is judged.
    fn end_page(&mut self, strange: &Strange) -> Result<(), ReadSiteError> {
        let is_known = self.site.parts().layout.is_none() && !self.tables.dialect().is_newer();
        if !is_known || strange.pairs < LEAST_PAIRS || strange.fitting > 0 {
            return Ok(());
        }
        let (page, pairs, first) = (strange.page, strange.pairs, key_text(&strange.first));
        if !self.options.salvages {
            let path = self.tables.get(strange.table).map(|table| table.path().to_owned()).unwrap_or_default();
            return Err(ReadSiteError::ForeignPage { path, page, pairs, first });
        }
        let what = Subject::Page { table: strange.table, page };
        let why = format!(
            "none of its {pairs} pairs, the first with the key {first}, is like those of this table: a page of another table stands in the place of one whose pairs are lost; its own are carried as they are"
        );
        self.lost.add(&what, &why);
        Ok(())
    }

    /// Ends a table: tells how many of its pairs can't be understood, and which of its pages is empty though the tree leads to it: servers hardly ever leave such.
    pub(super) fn end_table(&mut self, strange: Strange, empty_leaf: Option<u32>) -> Result<(), ReadSiteError> {
        self.end_page(&strange)?;
        if let Some(page) = empty_leaf {
            self.warn(&format!(
                "table cdb.{:02x}: page {page} holds no pair, which is possible but rare; if records are missing, restore this file from a backup",
                strange.table
            ));
        }
        if let Some((key, page)) = &strange.first_strange {
            let (count, table) = (strange.strange, strange.table);
            let key = key_text(key);
            self.warn(&format!(
                "table cdb.{table:02x}: {count} of its pairs can't be understood, the first with the key {key} on page {page}; they are carried as they are, which only a server on a machine of the same kind can use"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_of_its_name_whatever_the_case_and_whatever_is_left_out() {
        let fits = |key: &str, name: &str| is_name_of(key.as_bytes(), Some(&Value::String(name.into())));
        assert!(fits("bob builder", "Bob Builder") && fits("bobbuilder", "Bob Builder") && fits("ü", "anything"));
        assert!(fits("long name cut", "Long Name Cut short") && fits("0000000002.mail", "0000000002.Mail"));
        assert!(fits("bob", "") && fits("", "alice"));
        assert!(!fits("bob", "alice") && !is_name_of(b"bob", None));
    }
}
