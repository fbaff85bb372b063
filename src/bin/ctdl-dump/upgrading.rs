//! An archive on its way to a site: as it is, or, if it is of an older release, as release 980 would have the site.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::{RandomReader, Reader};
use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Class, Failure, Source};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::{Arrangement, Site};
use ctdl_dump::transfer::Ahead;
use ctdl_dump::transfer::upgrade::{self, Plan, Upgraded};

use crate::args::Import;
use crate::command::Context;
use crate::named_archive::NamedArchive;
use crate::place::{self, STANDARD_INPUT};
use crate::stream::Stream;

/// In so much of an archive there is all of `site.cbor`, which says of which release it is.
const BEGINNING_BYTES: u64 = 256 << 10;

/// An archive that is read twice.
pub struct Upgrade {
    archive: RandomReader,
    plan: Plan,
}

impl Upgrade {
    fn survey(file: File, scratch: &Path, context: &Context) -> Result<Upgrade> {
        let archive = RandomReader::open(file).map_err(Failure::from)?;
        let plan = Plan::survey(&archive, scratch, &context.screen)?;
        Ok(Upgrade { archive, plan })
    }
}

/// Records for a site.
pub struct Records {
    reader: Box<NamedArchive>,
    upgrade: Option<Upgrade>,
}

impl Records {
    /// Opens an archive or standard input. What comes from standard input and is of an older release is put into a file in `scratch` first, for it has to be
    /// read twice.
    pub fn open(args: &Import, scratch: &Path, context: &Context) -> Result<Records> {
        let Import { archive, keep_release: keeps_release, threads, .. } = args;
        if *keeps_release {
            return Records::as_they_are(archive, *threads, context);
        }
        if archive != Path::new("-") {
            return Records::of_file(archive, *threads, scratch, context);
        }
        let (reader, file) = from_stdin(scratch, *threads, context)?;
        let upgrade = file.map(|file| Upgrade::survey(file, scratch, context)).transpose()?;
        Ok(Records { reader, upgrade })
    }

    /// Opens an archive, for a server of its release.
    pub fn as_they_are(archive: &Path, threads: Option<u16>, context: &Context) -> Result<Records> {
        Ok(Records { reader: place::open_archive(archive, threads, context)?, upgrade: None })
    }

    /// Opens an archive in a file, for a server of release 980.
    pub fn of_file(archive: &Path, threads: Option<u16>, scratch: &Path, context: &Context) -> Result<Records> {
        let reader = place::open_archive(archive, threads, context)?;
        if !upgrade::is_older(reader.site()) {
            return Ok(Records { reader, upgrade: None });
        }
        let file = File::open(archive).with_context(|| format!("{} can't be opened", archive.display()))?;
        Ok(Records { reader, upgrade: Some(Upgrade::survey(file, scratch, context)?) })
    }

    /// The site digest of an archive that is brought up to another release: not that of the site that it becomes.
    pub fn digest_before(&self) -> Option<Digest> {
        self.upgrade.as_ref().map(|upgrade| upgrade.archive.root().site_digest)
    }

    /// Does the work with all records. Gives what it gives, and what a person must know of the upgrade.
    pub fn give<T>(self, work: impl FnOnce(&mut dyn Source) -> Result<T>) -> Result<(T, Vec<String>)> {
        let mut reader = Ahead::start(*self.reader)?;
        match self.upgrade {
            None => Ok((work(&mut reader)?, Vec::new())),
            Some(Upgrade { archive, plan }) => {
                let mut upgraded = Upgraded::new(&mut reader, &archive, plan);
                let done = work(&mut upgraded)?;
                Ok((done, upgraded.into_notices()))
            }
        }
    }

    /// Refuses a place whose server is older than the site: it doesn't know what newer ones write.
    pub fn refuse_older_target(&self, target: &Arrangement) -> Result<()> {
        let release = match self.upgrade {
            Some(_) => upgrade::CURRENT_RELEASE,
            None => self.reader.site().release,
        };
        match Site::open(target) {
            Ok(site) if site.info().release < release => {
                let found = site.info().release;
                let problem = format!(
                    "{} is of release {found}, and the site would be of release {release}: an older server can't read what a newer one has written. \
                     Start a server of release {release} or later there once, and stop it, or name an empty directory",
                    target.root().display()
                );
                Err(Failure::new(Class::Failed, problem).into())
            }
            _ => Ok(()),
        }
    }
}

/// Standard input, and the file in which all of it is if it has to be read twice.
fn from_stdin(scratch: &Path, threads: Option<u16>, context: &Context) -> Result<(Box<NamedArchive>, Option<File>)> {
    place::refuse_terminal()?;
    let mut stdin = Stream::stdin(&context.interrupt).context(STANDARD_INPUT)?;
    let mut beginning = Vec::new();
    Read::by_ref(&mut stdin).take(BEGINNING_BYTES).read_to_end(&mut beginning).context(STANDARD_INPUT)?;
    // What is wrong with the beginning is said when all is read.
    let is_older = Reader::new(Cursor::new(&beginning), 0).is_ok_and(|reader| upgrade::is_older(reader.site()));
    if !is_older {
        let input: Box<dyn Read + Send> = Box::new(Cursor::new(beginning).chain(stdin));
        let reader = Reader::new(input, context.threads(threads)).map_err(Failure::from).context(STANDARD_INPUT)?;
        return Ok((Box::new(NamedArchive::new(reader, STANDARD_INPUT.into())), None));
    }
    context.screen.say(format_args!(
        "the archive is of an older release and has to be read twice: it is put into a file without a name in {} first",
        scratch.display()
    ));
    context.screen.task("receive");
    let what = || format!("a file for the archive in {}", scratch.display());
    let mut file = tempfile::tempfile_in(scratch).with_context(what)?;
    file.write_all(&beginning).with_context(what)?;
    let bytes = std::io::copy(&mut stdin, &mut file).with_context(what)? + beginning.len() as u64;
    file.seek(SeekFrom::Start(0)).with_context(what)?;
    let input: Box<dyn Read + Send> = Box::new(Stream::new(file.try_clone()?, &context.interrupt)?);
    let mut reader = Reader::new(input, context.threads(threads)).map_err(Failure::from).context(STANDARD_INPUT)?;
    reader.set_file_bytes(bytes);
    Ok((Box::new(NamedArchive::new(reader, STANDARD_INPUT.into())), Some(file)))
}
