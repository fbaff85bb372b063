//! What was named on the command line: an archive in a file, standard input, or a site.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ctdl_dump::archive::Reader;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::record::Layout;
use ctdl_dump::site::{Arrangement, ReadOptions};
use ctdl_dump::transfer::SiteToServe;
use ctdl_dump::transfer::snapshot::{self, Request, Standing, Taken, Way};

use crate::args::ArrangementOptions;
use crate::command::Context;
use crate::error::usage;
use crate::look_round::look_round;
use crate::named_archive::NamedArchive;
use crate::state;
use crate::stream::Stream;

/// A place that records are read from.
pub enum Place {
    /// A site on disk.
    Site(Box<Taken>),
    /// An archive, read from its beginning to its end.
    Archive(Box<NamedArchive>),
}

/// Opens what is at `path`: a directory is a site, `-` is standard input, all else an archive.
pub fn open(path: &Path, layout: Option<Layout>, arrangement: &ArrangementOptions, context: &Context) -> Result<Place> {
    if path.is_dir() {
        open_site(&arrangement.of(Some(path))?, layout, context).map(|taken| Place::Site(Box::new(taken)))
    } else {
        refuse_site_options(path, layout, arrangement)?;
        open_archive(path, None, context).map(Place::Archive)
    }
}

/// Refuses what can be told of sites alone.
pub fn refuse_site_options(path: &Path, layout: Option<Layout>, arrangement: &ArrangementOptions) -> Result<()> {
    // What is not there is neither, as is told when it is opened.
    if path != Path::new("-") && !path.exists() {
        return Ok(());
    }
    if layout.is_some() {
        usage!("--layout says how the tables of a site are to be read, and {} is none; leave it out", path.display());
    }
    if arrangement.is_told() {
        usage!("--arrangement and its like say where a site has what, and {} is none; leave them out", path.display());
    }
    Ok(())
}

/// Whether it is an archive that can be looked into without reading all of it.
pub fn is_file(path: &Path) -> bool {
    path != Path::new("-") && std::fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// Takes a snapshot of a site to look at it: whatever its server does, it notices nothing.
fn open_site(site: &Arrangement, layout: Option<Layout>, context: &Context) -> Result<Taken> {
    take_site(site, &scratch_directory(None, None)?, Way::Untouched, false, layout, context)
}

/// Takes a snapshot of a site, after a look at what an import may have left there, and earlier snapshots in the scratch directory.
pub fn take_site(
    site: &Arrangement,
    scratch: &Path,
    way: Way,
    salvage: bool,
    layout: Option<Layout>,
    context: &Context,
) -> Result<Taken> {
    look_round(site, scratch, context)?;
    let state_directory = state::directory();
    let program = Path::new(OUR_PROGRAM);
    let own_limit = context.own_limit(site.root());
    let request =
        Request { site, scratch, way, salvage, layout, program, state_directory: &state_directory, own_limit };
    let before = Standing::at(site);
    match snapshot::take(&request, &context.screen) {
        // An import has put another site there just now, or is about to.
        Err(_) if before.is_passing(&Standing::at(site)) => {
            look_round(site, scratch, context)?;
            Ok(snapshot::take(&request, &context.screen)?)
        }
        taken => Ok(taken?),
    }
}

/// A site that peers take snapshots of.
pub fn site_to_serve(
    site: &Arrangement,
    scratch: PathBuf,
    layout: Option<Layout>,
    context: &Context,
) -> Result<SiteToServe> {
    look_round(site, &scratch, context)?;
    Ok(SiteToServe {
        site: site.clone(),
        scratch,
        layout,
        program: OUR_PROGRAM.into(),
        state_directory: state::directory(),
        own_limit: context.own_limit(site.root()).cloned(),
    })
}

/// The program that runs now, even if its file was replaced meanwhile.
const OUR_PROGRAM: &str = "/proc/self/exe";

/// What an archive is called that has no name.
pub const STANDARD_INPUT: &str = "standard input";

/// Refuses to read an archive from a keyboard.
pub fn refuse_terminal() -> Result<()> {
    if std::io::stdin().is_terminal() {
        usage!("standard input is a terminal, and an archive can't be typed: redirect it from a file or a pipe");
    }
    Ok(())
}

/// Opens an archive to read all of it, with so many threads that unpack it.
pub fn open_archive(path: &Path, threads: Option<u16>, context: &Context) -> Result<Box<NamedArchive>> {
    let threads = context.threads(threads);
    if path == Path::new("-") {
        refuse_terminal()?;
        let input: Box<dyn Read + Send> = Box::new(Stream::stdin(&context.interrupt).context(STANDARD_INPUT)?);
        let reader = Reader::new(input, threads).map_err(Failure::from).context(STANDARD_INPUT)?;
        return Ok(Box::new(NamedArchive::new(reader, STANDARD_INPUT.into())));
    }
    let file = File::open(path).with_context(|| format!("{} can't be opened", path.display()))?;
    let metadata = file.metadata().with_context(|| path.display().to_string())?;
    if metadata.is_dir() {
        usage!("{} is a directory, and an archive is wanted; `ctdl-dump info` looks at a site", path.display());
    }
    let input: Box<dyn Read + Send> = Box::new(Stream::new(file, &context.interrupt)?);
    let mut reader = Reader::new(input, threads).map_err(Failure::from).with_context(|| path.display().to_string())?;
    reader.set_file_bytes(metadata.len());
    Ok(Box::new(NamedArchive::new(reader, path.display().to_string())))
}

impl Place {
    /// The records.
    pub fn source<'a>(&'a mut self, context: &'a Context) -> Result<Box<dyn Source + 'a>> {
        Ok(match self {
            Place::Site(taken) => {
                Box::new(taken.site().source(read_options(scratch_directory(None, None)?), &context.screen))
            }
            Place::Archive(reader) => Box::new(ByReference(&mut **reader)),
        })
    }

    /// The directories of a site that is spread over several.
    pub fn arrangement(&self) -> Option<&Arrangement> {
        match self {
            Place::Site(taken) => Some(taken.site().arrangement()).filter(|site| site.is_spread()),
            Place::Archive(_) => None,
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
    ReadOptions { scratch, logs: Vec::new(), without_fulltext: false, salvages: false }
}

/// Where scratch files go: where the user said, else beside the output, else `$TMPDIR` or `/var/tmp`.
pub fn scratch_directory(named: Option<&Path>, output: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        if !named.is_dir() {
            usage!("--scratch {} is no directory", named.display());
        }
        return Ok(named.to_owned());
    }
    Ok(match output.map(parent_of) {
        Some(directory) => directory,
        None => match std::env::var_os("TMPDIR").filter(|named| !named.is_empty()) {
            None => PathBuf::from("/var/tmp"),
            Some(named) if Path::new(&named).is_dir() => named.into(),
            Some(named) => {
                usage!(
                    "$TMPDIR is {}, which is no directory; make it, or set it to another",
                    Path::new(&named).display()
                )
            }
        },
    })
}

/// The directory that a file is in.
pub fn parent_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Nothing is ever written into the source.
pub fn refuse_inside(directory: &Path, site: &Arrangement, what: &str) -> Result<()> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    // The tables may be behind a link, on another disk.
    let parts = site.directories().into_iter().chain([site.data()]);
    if parts.filter_map(|part| part.canonicalize().ok()).any(|part| directory.starts_with(part)) {
        usage!(
            "{what} would lie inside the site ({}), where nothing is written; choose another place",
            directory.display()
        );
    }
    Ok(())
}
