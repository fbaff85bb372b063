//! What a plan does with each record that comes.

use super::notices::Notices;
use super::plan::Plan;
use crate::record::{Header, Key, KeyPart, Kind};

/// What is done with a record.
pub(super) enum Change {
    /// It is handed on, changed or not.
    Kept,
    /// So much comes at the end of its body.
    Longer(Vec<u8>),
    /// It is not handed on; if it was remade, the new one comes when its turn is.
    LeftOut,
}

const OPENIDS: &str = "external identities of users (OpenID), which release 980 doesn't know";
const FULLTEXT: &str = "parts of a full text index that another word breaker has made; the server makes the index anew, 26 messages a minute";
const SEEN: &str = "pairs of the table of what was seen before that can't be understood";
const REPLACED: &str = "records that can't be understood, in whose place new ones were made";
const DERIVED: &str = "pairs of tables that were made anew";

impl Plan {
    /// Changes a record.
    pub(super) fn change(&mut self, header: &mut Header) -> Change {
        match header.kind {
            Kind::Config => kept_if(self.settings.keep(header)),
            Kind::Control | Kind::Refcount | Kind::Useid => Change::LeftOut,
            // Those that are understood are made anew.
            Kind::User => kept_if(header.fields.get("raw").is_some()),
            Kind::Room | Kind::List => match self.rooms.change(header) {
                end if end.is_empty() => Change::Kept,
                end => Change::Longer(end),
            },
            Kind::Directory | Kind::Usernumber => kept_if(self.release >= 928),
            Kind::Openid if self.release < 973 => self.leave_out(OPENIDS),
            Kind::Fulltext if !self.keeps_fulltext => self.leave_out(FULLTEXT),
            Kind::Table => self.change_pair(&header.key),
            Kind::Message => {
                header.fields.remove("mimetype");
                kept_if(self.refcounts.apply(header))
            }
            Kind::File => kept_if(self.files.is_written(header.key.last_name().unwrap_or_default(), self.release)),
            _ => Change::Kept,
        }
    }

    /// Pairs of tables that are emptied or made anew would come into the way of the new ones.
    fn change_pair(&mut self, key: &Key) -> Change {
        match key.parts().first() {
            Some(KeyPart::Number(0x06 | 0x0b)) if self.release < 928 => self.leave_out(DERIVED),
            Some(KeyPart::Number(0x07)) if self.release < 975 => self.leave_out(SEEN),
            Some(KeyPart::Number(0x09)) if !self.keeps_fulltext => self.leave_out(FULLTEXT),
            Some(KeyPart::Number(0x0c)) if self.release < 973 => self.leave_out(OPENIDS),
            _ => Change::Kept,
        }
    }

    /// Takes note of a record in whose place one was made that has its key.
    pub(super) fn replace(&mut self, header: &Header) {
        if header.fields.get("raw").is_some() {
            self.leave_out(REPLACED);
        }
    }

    fn leave_out(&mut self, why: &'static str) -> Change {
        *self.left_out.entry(why).or_default() += 1;
        Change::LeftOut
    }

    /// What a person must know of the upgrade, once all records have passed.
    pub(super) fn into_notices(mut self) -> Vec<String> {
        let mut last = Notices::default();
        self.settings.tell(&mut last);
        self.refcounts.tell(&mut last);
        for (what, count) in &self.left_out {
            last.say(format!("left out: {count} {what}"));
        }
        self.files.tell(&mut last);
        let mut sentences = std::mem::take(&mut self.notices).into_sentences();
        sentences.extend(last.into_sentences());
        sentences
    }
}

fn kept_if(is_kept: bool) -> Change {
    if is_kept { Change::Kept } else { Change::LeftOut }
}
