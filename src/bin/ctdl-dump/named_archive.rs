//! An archive that is read from its beginning to its end, and says its name with whatever is wrong with it: a command may read two.

use std::io::Read;

use ctdl_dump::archive::Reader;
use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Class, Failure, Source};
use ctdl_dump::record::{End, Header, SiteInfo};

/// An archive, and what the user calls it.
pub struct NamedArchive {
    reader: Reader<Box<dyn Read + Send>>,
    name: String,
}

impl NamedArchive {
    /// Gives an archive a name.
    pub fn new(reader: Reader<Box<dyn Read + Send>>, name: String) -> NamedArchive {
        NamedArchive { reader, name }
    }

    fn named<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| match failure.class {
            // Whose work was interrupted is nobody's question.
            Class::Interrupted => failure,
            _ => failure.of(&self.name),
        })
    }
}

impl Source for NamedArchive {
    fn site(&self) -> &SiteInfo {
        self.reader.site()
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.reader.position()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let next = self.reader.next();
        self.named(next)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        let is_there = self.reader.segment(segment);
        self.named(is_there)
    }

    fn digest(&self) -> Digest {
        self.reader.digest()
    }

    fn take_back(&mut self, header: Header) {
        self.reader.take_back(header);
    }

    fn finish(&mut self) -> Result<End, Failure> {
        let end = self.reader.finish();
        self.named(end)
    }
}
