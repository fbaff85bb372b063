//! The sink of `verify`: the copy is made for what the source finds out about itself.

use crate::codec::Digest;
use crate::endpoint::{Failure, Sink};
use crate::record::{End, Header, SiteInfo};

/// Takes everything and keeps nothing.
#[derive(Debug, Default)]
pub struct Discard;

impl Sink for Discard {
    fn begin(&mut self, _site: &SiteInfo) -> Result<(), Failure> {
        Ok(())
    }

    fn record(&mut self, _header: &Header) -> Result<(), Failure> {
        Ok(())
    }

    fn segment(&mut self, _segment: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn end_record(&mut self, _digest: &Digest) -> Result<(), Failure> {
        Ok(())
    }

    fn finish(&mut self, _end: &End) -> Result<(), Failure> {
        Ok(())
    }
}
