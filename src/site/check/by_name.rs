//! What is known of users by their names: Internet addresses.

use std::path::Path;

use super::finding::Collector;
use super::references::{Check, for_each};
use super::users::user_key;
use super::{CheckError, Subject};
use crate::record::printable;
use crate::site::layout::table;
use crate::site::sort::{SortError, Sorter};

/// Memory for the sort, in bytes.
const SORT_BYTES: usize = 2 << 20;
/// Longest name that is looked at, in bytes.
const MOST_NAME_BYTES: u64 = 4096;

/// Users and addresses by the user's name. Users are pushed first, and come first among equal names.
pub(super) struct Names(Sorter);

impl Names {
    pub fn new(scratch: &Path) -> Names {
        Names(Sorter::new(scratch, SORT_BYTES))
    }

    pub fn user(&mut self, name: &[u8]) -> Result<(), SortError> {
        self.0.push(name, &[])
    }

    /// Looks whether each address has its user.
    pub fn check(self, torn: &[u8], found: &mut Collector) -> Result<(), CheckError> {
        let mut sorted = self.0.finish()?;
        let (mut name, mut address) = (Vec::new(), Vec::new());
        let mut user = None;
        while sorted.next(&mut name, &mut address)? {
            if address.is_empty() {
                user = Some(name.clone());
            } else if user.as_ref() != Some(&name) {
                if torn.contains(&table::USERS) {
                    let text = format!(
                        "there is no such user, but the address {} is there: the user was lost, or deleted before",
                        printable(&address)
                    );
                    found.damage(Subject::User(user_key(&name)), table::USERS, &text);
                } else {
                    found.normal("addresses of users that were deleted or renamed", 1);
                }
            }
        }
        Ok(())
    }
}

impl Check<'_> {
    pub(super) fn directory(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::DIRECTORY, self.monitor, |pairs, item| {
            if u64::from(item.value.len()) <= MOST_NAME_BYTES && !item.key.is_empty() {
                let value = pairs.read_all(&item.value, MOST_NAME_BYTES)?;
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                self.names.0.push(name, &item.key)?;
            }
            Ok(())
        })
    }
}
