//! What was named on the command line: an archive in a file, standard input, or a site.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ctdl_dump::archive::Reader;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::site::{ReadOptions, Site};

use crate::command::Context;
use crate::stream::Stream;

/// A place that records are read from.
pub enum Place {
    /// A site on disk.
    Site(Box<Site>),
    /// An archive, read from its beginning to its end.
    Archive(Box<Reader<Box<dyn Read + Send>>>),
}

/// Opens what is at `path`: a directory is a site, `-` is standard input, all else an archive.
pub fn open(path: &Path, context: &Context) -> Result<Place> {
    if path.is_dir() { open_site(path).map(Place::Site) } else { open_archive(path, context).map(Place::Archive) }
}

/// Opens a site.
pub fn open_site(path: &Path) -> Result<Box<Site>> {
    Ok(Box::new(Site::open(path).map_err(Failure::from)?))
}

/// Opens an archive to read all of it.
pub fn open_archive(path: &Path, context: &Context) -> Result<Box<Reader<Box<dyn Read + Send>>>> {
    let threads = context.threads(None);
    if path == Path::new("-") {
        let input: Box<dyn Read + Send> = Box::new(Stream::stdin(&context.interrupt).context("standard input")?);
        return Ok(Box::new(Reader::new(input, threads).map_err(Failure::from)?));
    }
    let file = File::open(path).with_context(|| format!("{} can't be opened", path.display()))?;
    let bytes = file.metadata().with_context(|| path.display().to_string())?.len();
    let input: Box<dyn Read + Send> = Box::new(Stream::new(file, &context.interrupt)?);
    let mut reader = Reader::new(input, threads).map_err(Failure::from).with_context(|| path.display().to_string())?;
    reader.set_file_bytes(bytes);
    Ok(Box::new(reader))
}

impl Place {
    /// The records.
    pub fn source<'a>(&'a mut self, context: &'a Context) -> Box<dyn Source + 'a> {
        match self {
            Place::Site(site) => Box::new(site.source(read_options(scratch_directory(None, None)), &context.screen)),
            Place::Archive(reader) => Box::new(ByReference(&mut **reader)),
        }
    }
}

/// A source that belongs to somebody else.
struct ByReference<'a>(&'a mut dyn Source);

impl Source for ByReference<'_> {
    fn site(&self) -> &ctdl_dump::record::SiteInfo {
        self.0.site()
    }
    fn position(&self) -> Option<(u64, u64)> {
        self.0.position()
    }
    fn next(&mut self) -> Result<Option<ctdl_dump::record::Header>, Failure> {
        self.0.next()
    }
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.0.segment(segment)
    }
    fn digest(&self) -> ctdl_dump::codec::Digest {
        self.0.digest()
    }
    fn finish(&mut self) -> Result<ctdl_dump::record::End, Failure> {
        self.0.finish()
    }
}

/// The usual way to read a site.
pub fn read_options(scratch: PathBuf) -> ReadOptions {
    ReadOptions { scratch, logs: Vec::new(), without_fulltext: false }
}

/// Where scratch files go: where the user said, else beside the output, else `$TMPDIR` or `/var/tmp`.
pub fn scratch_directory(named: Option<&Path>, output: Option<&Path>) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    match output.map(parent_of) {
        Some(directory) => directory,
        None => std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from),
    }
}

/// The directory that a file is in.
pub fn parent_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
