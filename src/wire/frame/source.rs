//! Frames that arrive, as a source.

use std::io::Read;

use super::receiver::Receiver;
use crate::codec::Digest;
use crate::endpoint::{Failure, Source};
use crate::record::{End, Header, SiteInfo};
use crate::wire::error::WireError;
use crate::wire::line::Input;

/// Records as they come over one connection.
pub struct Frames<'a, R: Read> {
    input: &'a mut Input<R>,
    receiver: Receiver,
    site: SiteInfo,
    is_cut: bool,
}

impl<'a, R: Read> Frames<'a, R> {
    /// What comes over a connection. The site was told before.
    pub fn new(input: &'a mut Input<R>, receiver: Receiver, site: SiteInfo) -> Self {
        Frames { input, receiver, site, is_cut: false }
    }

    /// Whether the connection has ended, or was silent for too long, before all had come.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn seen<T>(&mut self, result: Result<T, WireError>) -> Result<T, Failure> {
        self.is_cut |= result.as_ref().is_err_and(WireError::is_of_the_connection);
        Ok(result?)
    }
}

impl<R: Read> Source for Frames<'_, R> {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let next = self.receiver.next(self.input);
        self.seen(next)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        let is_there = self.receiver.segment(self.input, segment);
        self.seen(is_there)
    }

    fn digest(&self) -> Digest {
        self.receiver.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(self.receiver.end()?)
    }
}
