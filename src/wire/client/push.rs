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

const DIGEST_EXPECTED: &str = "the digest of what arrived";

/// What a server says to records that are offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It takes them, from behind this one on.
    Taken(Option<Position>),
    /// They are in place, and have this site digest.
    InPlace(Digest),
}

impl<R: Read, W: Write> Client<R, W> {
    /// Offers the records of a snapshot to a server that takes some. It says behind which of them to begin. `told` gets what it says meanwhile.
    pub fn put(
        &mut self,
        id: SnapshotId,
        site: &SiteInfo,
        told: &mut dyn FnMut(Code, &str),
    ) -> Result<Offered, WireError> {
        const EXPECTED: &str = "where to begin";
        let content = site_info::encode(site);
        let digest = Some(blake3::hash(&content).into());
        self.send(&Command::Sync(Scope::All, Action::Put { id, digest, bytes: content.len() }), &content)?;
        let reply = self.reply_told(told)?;
        if reply.code == Code::OK {
            return in_place(&reply).map(Offered::InPlace);
        }
        let reply = reply.expect(Code::SEND, EXPECTED)?;
        let place = match reply.fields().as_slice() {
            [offset, bytes] => number(offset).zip(number(bytes)),
            _ => None,
        };
        // Without a position it is the beginning that is meant.
        let place = place.filter(|(offset, bytes)| *bytes > 0 || *offset == 0);
        let Some((offset, bytes)) = place else { return Err(WireError::unexpected(&reply.encode(), EXPECTED)) };
        let mut position = Vec::new();
        piece(&mut self.input, bytes, "a position", &mut position)?;
        if position.is_empty() {
            return Ok(Offered::Taken(None));
        }
        let (kind, key) = words::decode_position(&position)?;
        Ok(Offered::Taken(Some(Position { kind, key, offset })))
    }

    /// Sends the records that `put` has offered; of a part, if so many are told.
    pub fn sender(&mut self, totals: Option<Totals>) -> Sender<'_, W> {
        match totals {
            None => Sender::new(&mut self.output, Scope::All),
            Some(totals) => Sender::of_part(&mut self.output, totals),
        }
    }

    /// Waits until the server has put in place what was sent; gives the site digest that it found. `told` gets what it says meanwhile, with its
    /// code: what must be known ([`Code::NOTICE`]), and what is being done.
    pub fn end_put(&mut self, told: &mut dyn FnMut(Code, &str)) -> Result<Digest, WireError> {
        self.output.flush()?;
        let reply = self.reply_told(told)?.expect(Code::OK, DIGEST_EXPECTED)?;
        in_place(&reply)
    }

    /// Why the server has stopped to take what is sent to it, if it said so.
    pub fn last_words(&mut self, told: &mut dyn FnMut(Code, &str)) -> Option<WireError> {
        match self.reply_told(told) {
            Ok(Reply { code, text }) if code.class() == 5 => Some(WireError::Refused { code, text }),
            _ => None,
        }
    }
}

fn in_place(reply: &Reply) -> Result<Digest, WireError> {
    from_hex(&reply.text).ok_or_else(|| WireError::unexpected(&reply.encode(), DIGEST_EXPECTED))
}
