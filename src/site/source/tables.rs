//! The tables of a site, opened for reading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ReadSiteError;
use crate::record::{ByteOrder, Layout};
use crate::site::btree::{Item, Table};
use crate::site::layout::{
    self, Detected, Dialect, FIRST, MAX_PAIR_VALUE_BYTES, ReleaseError, Shown, TRIED, USER, table,
};
use crate::site::settled::is_void;

/// All tables that are there, and the layout of what is in them.
pub(in crate::site) struct Tables {
    tables: BTreeMap<u8, Table>,
    pub layout: Layout,
    /// What told the layout, in words.
    pub layout_by: String,
    release: i64,
    /// Whether the release is that of the longest users, for want of what tells it.
    pub is_release_guessed: bool,
}

impl Tables {
    /// Opens every `cdb.NN` in a data directory. They are read by the layout `told`, or else by the one that they show.
    pub fn open(data: &Path, told: Option<Layout>) -> Result<Tables, ReadSiteError> {
        let mut paths = Vec::new();
        let unreadable = |source| ReadSiteError::Io { path: data.to_owned(), source };
        for entry in std::fs::read_dir(data).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        Tables::open_files(paths, told)
    }

    /// Opens those of the files that are tables by their names, wherever they are.
    pub fn open_files(paths: impl IntoIterator<Item = PathBuf>, told: Option<Layout>) -> Result<Tables, ReadSiteError> {
        let mut tables = BTreeMap::new();
        for path in paths {
            let number = path.file_name().and_then(|name| name.to_str()).and_then(table_number);
            if let Some(number) = number.filter(|_| !is_void(&path)) {
                tables.insert(number, Table::open(&path)?);
            }
        }
        let Detected { layout, by } = match told {
            Some(layout) => Detected { layout, by: "as told".into() },
            None => detected(&tables)?,
        };
        Ok(Tables { tables, layout, layout_by: by, release: Dialect::from(layout).release, is_release_guessed: false })
    }

    /// The table of that number, if the site has it.
    pub fn get(&self, number: u8) -> Option<&Table> {
        self.tables.get(&number)
    }

    /// The numbers of all tables that are there.
    pub fn numbers(&self) -> impl Iterator<Item = u8> {
        self.tables.keys().copied()
    }

    /// The value of a setting; `None` if it isn't there. Reads the whole table of settings, which is small.
    pub fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, ReadSiteError> {
        let Some(table) = self.get(table::CONFIG) else { return Ok(None) };
        let mut items = table.items();
        let mut item = Item::default();
        while items.next_into(&mut item)? {
            if item.key == name.as_bytes() {
                let value = table.read_all(&item.value, MAX_PAIR_VALUE_BYTES as u64)?;
                // The value repeats the name; both end with a NUL.
                let value = value.get(name.len() + 1..).unwrap_or_default();
                let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
                return Ok(Some(value[..end].to_vec()));
            }
        }
        Ok(None)
    }

    /// The most that the external sort can need on disk, in bytes: what is sorted are the pages of all tables but that of the big bodies,
    /// which are read where they lie.
    pub fn sorted_bytes(&self) -> u64 {
        self.tables
            .iter()
            .filter(|(number, _)| **number != table::BIG_BODIES)
            .map(|(_, pairs)| pairs.file_bytes())
            .sum()
    }

    /// Whether there are settings in table 0d.
    pub fn has_settings(&self) -> Result<bool, ReadSiteError> {
        let Some(table) = self.get(table::CONFIG) else { return Ok(false) };
        Ok(table.items().next_into(&mut Item::default())?)
    }

    /// Finds the release whose schema the tables have, and gives back what told it. `control` is what stands in `citadel.control`. Where `is_torn`, what would have
    /// told it may be lost: then the users do.
    pub fn find_release(
        &mut self,
        has_settings: bool,
        control: Option<i64>,
        is_torn: bool,
    ) -> Result<String, ReadSiteError> {
        let level = self.setting(layout::RELEASE_SETTING)?;
        let (release, by) = match layout::release(level.as_deref(), has_settings, control, self.layout) {
            Err(ReleaseError::Absent) if is_torn => {
                self.is_release_guessed = true;
                (
                    self.release_of_users()?.ok_or(ReleaseError::Absent)?,
                    "the length of its users, for what told it is lost",
                )
            }
            told => told?,
        };
        self.release = release;
        Ok(by.to_owned())
    }

    /// The last release whose users are as long as the longest one that there is; `None` if no release has such.
    fn release_of_users(&self) -> Result<Option<i64>, ReadSiteError> {
        let Some(users) = self.get(table::USERS) else { return Ok(None) };
        let (mut items, mut item, mut longest) = (users.items(), Item::default(), 0);
        let sizes = USER.sizes(self.layout);
        while items.next_into(&mut item)? {
            let bytes = item.value.len() as usize;
            longest = longest.max(if sizes.contains(&bytes) { bytes } else { 0 });
        }
        let layout = self.layout;
        Ok((FIRST..=TRIED).rev().find(|release| USER.size(Dialect { layout, release: *release }) == longest))
    }

    /// How the server wrote that they are of.
    pub fn dialect(&self) -> Dialect {
        Dialect { layout: self.layout, release: self.release }
    }
}

/// `cdb.0d` is table 13: two hexadecimal digits in lower case.
pub(in crate::site) fn table_number(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("cdb.")?;
    let number = u8::from_str_radix(digits, 16).ok()?;
    (format!("{number:02x}") == digits).then_some(number)
}

/// So many pairs of each table are looked at first: most sites show their layout by them, and a damaged one is outvoted.
const SAMPLE: usize = 200;

/// A user is no longer than this.
const MOST_USER_BYTES: u64 = 4096;

/// The layout that the tables show: by some of their pairs, if that is clear, else by all of them.
fn detected(tables: &BTreeMap<u8, Table>) -> Result<Detected, ReadSiteError> {
    let order = layout::byte_order(tables.iter().map(|(number, table)| (*number, table.byte_order())))?;
    match layout::only_fitting(&shown(tables, order, SAMPLE)?) {
        Some(only) => Ok(only),
        None => Ok(layout::detect(&shown(tables, order, usize::MAX)?)?),
    }
}

/// What the first pairs of each table show.
fn shown(tables: &BTreeMap<u8, Table>, order: ByteOrder, most: usize) -> Result<Shown, ReadSiteError> {
    let mut shown = Shown::new(order);
    for number in Shown::tables() {
        let Some(table) = tables.get(&number) else { continue };
        let (mut items, mut item) = (table.items(), Item::default());
        let mut looked_at = 0;
        while looked_at < most && items.next_into(&mut item)? {
            looked_at += 1;
            let value_bytes = u64::from(item.value.len());
            let is_user = number == table::USERS && value_bytes <= MOST_USER_BYTES;
            let value = if is_user { Some(table.read_all(&item.value, MOST_USER_BYTES)?) } else { None };
            shown.look_at(number, &item.key, value_bytes, value.as_deref());
        }
    }
    Ok(shown)
}
