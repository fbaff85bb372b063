//! Gives records to a server that takes some.

use std::io::{Read, Write};

use super::Client;
use crate::codec::{Digest, site_info};
use crate::record::SiteInfo;
use crate::wire::command::{Action, Command, Scope};
use crate::wire::error::WireError;
use crate::wire::frame::{Position, Sender, piece};
use crate::wire::reply::{Code, Reply};
use crate::wire::served::SnapshotId;
use crate::wire::totals::Totals;
use crate::wire::words::{self, from_hex, number};

impl<R: Read, W: Write> Client<R, W> {
    /// Offers the records of a snapshot to a server that takes some. It says behind which of them to begin.
    pub fn put(&mut self, id: SnapshotId, site: &SiteInfo) -> Result<Option<Position>, WireError> {
        const EXPECTED: &str = "where to begin";
        let content = site_info::encode(site);
        self.send(&Command::Sync(Scope::All, Action::Put { id, bytes: content.len() }), &content)?;
        let reply = self.reply(&mut |_| ())?.expect(Code::SEND, EXPECTED)?;
        let place = match reply.fields().as_slice() {
            [offset, bytes] => number(offset).zip(number(bytes)),
            _ => None,
        };
        let Some((offset, bytes)) = place else { return Err(WireError::unexpected(&reply.encode(), EXPECTED)) };
        let mut position = Vec::new();
        piece(&mut self.input, bytes, "a position", &mut position)?;
        if position.is_empty() {
            return Ok(None);
        }
        let (kind, key) = words::decode_position(&position)?;
        Ok(Some(Position { kind, key, offset }))
    }

    /// Sends the records that `put` has offered; of a part, if so many are told.
    pub fn sender(&mut self, totals: Option<Totals>) -> Sender<'_, W> {
        match totals {
            None => Sender::new(&mut self.output, Scope::All),
            Some(totals) => Sender::of_part(&mut self.output, totals),
        }
    }

    /// Waits until the server has put in place what was sent; gives the site digest that it found.
    pub fn end_put(&mut self, at_work: &mut dyn FnMut(&str)) -> Result<Digest, WireError> {
        const EXPECTED: &str = "the digest of what arrived";
        self.output.flush()?;
        let reply = self.reply(at_work)?.expect(Code::OK, EXPECTED)?;
        from_hex(&reply.text).ok_or_else(|| WireError::unexpected(&reply.encode(), EXPECTED))
    }

    /// Why the server has stopped to take what is sent to it, if it said so.
    pub fn last_words(&mut self) -> Option<WireError> {
        match self.reply(&mut |_| ()) {
            Ok(Reply { code, text }) if code.class() == 5 => Some(WireError::Refused { code, text }),
            _ => None,
        }
    }
}
