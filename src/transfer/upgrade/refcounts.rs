//! The queue of changes to reference counts, which releases before 922 keep in a file and work off now and then.

use std::collections::BTreeMap;

use super::notices::Notices;
use crate::record::{Fields, Header};

/// What waits for each message.
#[derive(Debug, Default)]
pub(super) struct Refcounts {
    pending: BTreeMap<i64, Pending>,
    changes: u64,
    applied: u64,
    removed: u64,
    counted: u64,
    not_understood: u64,
}

#[derive(Debug, Default)]
struct Pending {
    delta: i64,
    /// How many rooms list the message.
    lists: i64,
    is_found: bool,
}

impl Refcounts {
    /// Takes a record of the queue.
    pub fn add(&mut self, fields: &Fields) {
        let (Some(number), Some(delta)) = (fields.int("msgnum"), fields.int("delta")) else { return };
        self.changes += 1;
        let pending = self.pending.entry(number).or_default();
        pending.delta = pending.delta.saturating_add(delta);
    }

    /// A room lists the message.
    pub fn listed(&mut self, number: i64) {
        if let Some(pending) = self.pending.get_mut(&number) {
            pending.lists += 1;
        }
    }

    /// Changes the metadata of a message by what waits for it; `false` if the message is to be removed, as the server does when nobody refers to it any more.
    pub fn apply(&mut self, header: &mut Header) -> bool {
        let number = header.key.first_number().unwrap_or_default();
        let Some(pending) = self.pending.get_mut(&number) else { return true };
        pending.is_found = true;
        if header.fields.get("raw_metadata").is_some() {
            self.not_understood += 1;
            return true;
        }
        // A message without metadata counts as referred to once.
        let count = header.fields.int("refcount").unwrap_or(1).saturating_add(pending.delta);
        let count = match (count, pending.lists) {
            (0, 0) => {
                self.removed += 1;
                return false;
            }
            (..=0, lists @ 1..) => {
                self.counted += 1;
                lists
            }
            _ => count,
        };
        self.applied += 1;
        header.fields.set_int("refcount", count.clamp(i32::MIN.into(), i32::MAX.into()));
        if header.fields.get("content_type").is_none() {
            header.fields.set_string("content_type", "");
            header.fields.set_int("rfc822_length", 0);
        }
        true
    }

    /// What has become of the queue, once all messages have passed.
    pub fn tell(&self, notices: &mut Notices) {
        if self.changes == 0 {
            return;
        }
        let lost = self.pending.values().filter(|pending| !pending.is_found).count();
        notices.say(format!(
            "the queue of {} changes to reference counts was worked off: {} messages have another count, {} were removed because nothing referred to them any \
             more, {lost} are not there at all",
            self.changes, self.applied, self.removed
        ));
        if self.counted > 0 {
            notices.say(format!(
                "{} messages that rooms list would have had a count of 0 or less, and been lost; their count is now the number of those rooms",
                self.counted
            ));
        }
        if self.not_understood > 0 {
            notices.say(format!(
                "{} messages have metadata that can't be understood; their counts are unchanged",
                self.not_understood
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Key, Kind};

    fn queue(changes: &[(i64, i64)]) -> Refcounts {
        let mut refcounts = Refcounts::default();
        for (number, delta) in changes {
            let mut fields = Fields::new();
            fields.set_int("msgnum", *number);
            fields.set_int("delta", *delta);
            refcounts.add(&fields);
        }
        refcounts
    }

    fn message(number: i64, refcount: Option<i64>) -> Header {
        let mut fields = Fields::new();
        if let Some(refcount) = refcount {
            fields.set_int("refcount", refcount);
            fields.set_string("content_type", "text/plain");
            fields.set_int("rfc822_length", 10);
        }
        Header { kind: Kind::Message, key: Key::number(number), fields, body: None, residue: None }
    }

    #[test]
    fn changes_add_up() {
        let mut refcounts = queue(&[(5, 1), (5, 1), (5, -1), (6, 1)]);
        let mut header = message(5, Some(1));
        assert!(refcounts.apply(&mut header));
        assert_eq!(header.fields.int("refcount"), Some(2));
    }

    #[test]
    fn a_message_that_nothing_refers_to_is_removed() {
        assert!(!queue(&[(5, -1)]).apply(&mut message(5, Some(1))));
    }

    #[test]
    fn a_message_that_a_room_lists_is_never_removed() {
        let mut refcounts = queue(&[(5, -3)]);
        refcounts.listed(5);
        let mut header = message(5, Some(1));
        assert!(refcounts.apply(&mut header));
        assert_eq!(header.fields.int("refcount"), Some(1));
    }

    #[test]
    fn a_message_without_metadata_gets_them() {
        let mut header = message(6, None);
        assert!(queue(&[(6, 1)]).apply(&mut header));
        assert_eq!(header.fields.int("refcount"), Some(2));
        assert_eq!(header.fields.bytes("content_type"), Some(&b""[..]));
    }

    #[test]
    fn other_messages_are_left_alone() {
        let mut header = message(7, Some(1));
        assert!(queue(&[(5, 1)]).apply(&mut header));
        assert_eq!(header, message(7, Some(1)));
    }
}
