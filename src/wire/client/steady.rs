//! Asks a server over as many connections as it takes.

use std::io::{Read, Write};

use super::chosen::SteadyChosen;
use super::{Ahead, Client, Info};
use crate::codec::Digest;
use crate::endpoint::{Failure, Source};
use crate::record::{End, Header, Key, Kind, SiteInfo};
use crate::wire::command::Scope;
use crate::wire::error::WireError;
use crate::wire::frame::Receiver;
use crate::wire::line::Input;
use crate::wire::served::SnapshotId;

/// Makes connections to one server.
pub trait Connector {
    /// What the server sends.
    type Input: Read;
    /// What is sent to it.
    type Output: Write;

    /// A new connection.
    fn connect(&mut self) -> Result<Client<Self::Input, Self::Output>, WireError>;

    /// Whether to make another connection after this error; if so, returns when it is time for it. `progressed` says whether anything has
    /// arrived since the last time.
    fn tries_again(&mut self, error: &WireError, progressed: bool) -> bool;
}

/// A server, over one connection after the other, always with the same snapshot.
pub struct Steady<C: Connector> {
    connector: C,
    client: Option<Client<C::Input, C::Output>>,
    snapshot: Option<SnapshotId>,
    progressed: bool,
    bytes_before: (u64, u64),
}

impl<C: Connector> Steady<C> {
    /// A server that is not connected to yet. All answers are of this snapshot, or else of the first one that it gives.
    pub fn new(connector: C, snapshot: Option<SnapshotId>) -> Self {
        Steady { connector, client: None, snapshot, progressed: false, bytes_before: (0, 0) }
    }

    /// A server that is connected to, and has given a snapshot over this connection.
    pub fn over(connector: C, client: Client<C::Input, C::Output>) -> Self {
        let snapshot = client.present_snapshot().map(|taken| taken.id);
        Steady { client: Some(client), ..Steady::new(connector, snapshot) }
    }

    /// The present connection, for something that no other one would do for.
    pub fn into_client(self) -> Option<Client<C::Input, C::Output>> {
        self.client
    }

    /// Does something with a connection, and once more with the next one if it breaks. [`WireError::SnapshotGone`] if the server has another
    /// snapshot by then.
    pub fn attempt<T>(
        &mut self,
        mut work: impl FnMut(&mut Client<C::Input, C::Output>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        loop {
            let result = self.client().and_then(&mut work);
            let seen = self.client.as_ref().and_then(Client::present_snapshot);
            self.snapshot = self.snapshot.or(seen.map(|taken| taken.id));
            let error = match result {
                Ok(result) => {
                    self.progressed = true;
                    return Ok(result);
                }
                Err(error) => error,
            };
            if !error.may_pass() {
                return Err(error);
            }
            self.disconnect();
            if !self.connector.tries_again(&error, std::mem::take(&mut self.progressed)) {
                return Err(error);
            }
        }
    }

    /// What there is in all. What will be asked next is asked at the same time.
    pub fn info(&mut self, next: Option<Ahead>) -> Result<Info, WireError> {
        self.attempt(|client| {
            client.ask_ahead(Ahead::Info)?;
            next.map_or(Ok(()), |next| client.ask_ahead(next))?;
            client.info()
        })
    }

    /// The records of a kind, or all, from behind what the receiver has.
    pub fn records(&mut self, scope: Scope, receiver: Receiver, site: SiteInfo) -> SteadyRecords<'_, C> {
        SteadyRecords { steady: self, scope, receiver, site, is_asked: false, total_bytes: None }
    }

    /// These records, in canonical order. What is wanted is taken from `wanted` as it is asked for, so there may be more than fits into memory.
    pub fn chosen<'a, W>(&'a mut self, wanted: W) -> SteadyChosen<'a, C>
    where
        W: Iterator<Item = Result<(Kind, Key), Failure>> + Send + 'a,
    {
        SteadyChosen::new(self, wanted)
    }

    /// The snapshot that all answers are of, once there was one.
    pub fn snapshot(&self) -> Option<SnapshotId> {
        self.snapshot
    }

    /// Bytes that came and went over all connections so far.
    pub fn bytes(&self) -> (u64, u64) {
        let present = self.client.as_ref().map_or((0, 0), Client::bytes);
        (self.bytes_before.0 + present.0, self.bytes_before.1 + present.1)
    }

    /// Gives the maker of connections back.
    pub fn into_connector(self) -> C {
        self.connector
    }

    /// Ends the connection, if there is one, and waits for nothing.
    pub fn leave(&mut self) {
        self.bytes_before = self.bytes();
        if let Some(client) = self.client.take() {
            client.leave();
        }
    }

    fn client(&mut self) -> Result<&mut Client<C::Input, C::Output>, WireError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let mut client = self.connector.connect()?;
                match self.snapshot {
                    None => client.ask_snapshot()?,
                    // What follows makes sense only if it is still there, and is much work for a server if it is not.
                    wanted @ Some(_) => {
                        let taken = client.take_snapshot(wanted, &mut |_| ())?;
                        if wanted != Some(taken.id) {
                            return Err(WireError::SnapshotGone);
                        }
                    }
                }
                client
            }
        };
        Ok(self.client.insert(client))
    }

    fn disconnect(&mut self) {
        self.bytes_before = self.bytes();
        self.client = None;
    }
}

/// Records of a server, over as many connections as it takes.
pub struct SteadyRecords<'a, C: Connector> {
    steady: &'a mut Steady<C>,
    scope: Scope,
    receiver: Receiver,
    site: SiteInfo,
    /// Whether they were asked for over the present connection.
    is_asked: bool,
    total_bytes: Option<u64>,
}

impl<C: Connector> SteadyRecords<'_, C> {
    /// Tells how many bytes of bodies there are in all, so that it can tell how far it is.
    pub fn set_total_bytes(&mut self, bytes: u64) {
        self.total_bytes = Some(bytes);
    }

    /// What has come so far, to be told what is here already.
    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    fn receive<T>(
        &mut self,
        mut work: impl FnMut(&mut Receiver, &mut Input<C::Input>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let (scope, receiver, is_asked) = (self.scope, &mut self.receiver, &mut self.is_asked);
        self.steady.attempt(|client| {
            if !*is_asked {
                receiver.reconnect();
                client.get_all(scope, receiver.position())?;
            }
            let result = work(receiver, client.input());
            // If this connection broke, the next one must be asked again.
            *is_asked = result.is_ok();
            result
        })
    }
}

impl<C: Connector> Source for SteadyRecords<'_, C> {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.total_bytes.map(|total| (self.receiver.body_bytes(), total))
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        Ok(self.receive(|receiver, input| receiver.next(input))?)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        Ok(self.receive(|receiver, input| receiver.segment(input, segment))?)
    }

    fn digest(&self) -> Digest {
        self.receiver.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(self.receiver.end()?)
    }
}
