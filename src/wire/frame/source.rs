//! Frames that arrive, as a source.

use std::io::Read;

use super::receiver::Receiver;
use crate::codec::Digest;
use crate::endpoint::{Failure, Source};
use crate::record::{End, Header, SiteInfo};
use crate::wire::line::Input;

/// Records as they come over one connection.
pub struct Frames<'a, R: Read> {
    input: &'a mut Input<R>,
    receiver: Receiver,
    site: SiteInfo,
}

impl<'a, R: Read> Frames<'a, R> {
    /// What comes over a connection. The site was told before.
    pub fn new(input: &'a mut Input<R>, receiver: Receiver, site: SiteInfo) -> Self {
        Frames { input, receiver, site }
    }
}

impl<R: Read> Source for Frames<'_, R> {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        Ok(self.receiver.next(self.input)?)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        Ok(self.receiver.segment(self.input, segment)?)
    }

    fn digest(&self) -> Digest {
        self.receiver.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(self.receiver.end()?)
    }
}
