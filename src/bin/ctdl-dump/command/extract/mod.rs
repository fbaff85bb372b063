//! `extract`: single records out of an archive.

mod folder;
mod key;

use std::fs::File;
use std::io::Write;

use anyhow::{Context as _, Result, bail};
use ctdl_dump::archive::{BodyReader, RandomReader};
use ctdl_dump::endpoint::Failure;
use ctdl_dump::record::{Body, Header, Key, KeyPart, Kind, printable};

use self::folder::Folder;
use super::Context;
use crate::args::Extract;
use crate::error::{of_archive, usage};
use crate::exit_code::ExitCode;
use crate::mail::MailWriter;

/// The longest entry that is turned into mail: its header lines are gathered in memory.
const LONGEST_ENTRY_BYTES: i64 = 16 << 20;

/// Takes records out of an archive.
pub fn run(args: &Extract, context: &Context) -> Result<ExitCode> {
    if args.messages && args.kind != Kind::Room {
        usage!("--messages is for rooms, and {} is none", args.kind);
    }
    if args.kind == Kind::Room && !args.messages {
        usage!(
            "a room is its settings and a list of numbers; give --messages -o DIR for its messages, or list it with --json"
        );
    }
    if args.output.is_none() && args.keys.len() > 1 {
        usage!("standard output takes one record; give -o DIR for more");
    }
    let what = || args.archive.display().to_string();
    if args.archive.is_dir() {
        usage!(
            "{} is a directory, and an archive is wanted; export the site first, or `ctdl-dump list` shows what is in it",
            args.archive.display()
        );
    }
    let file = File::open(&args.archive).with_context(|| format!("{} can't be opened", args.archive.display()))?;
    let archive = RandomReader::open(file).map_err(Failure::from).with_context(what)?;
    take(args, &archive, context).map_err(|error| of_archive(error, &args.archive))
}

fn take(args: &Extract, archive: &RandomReader, context: &Context) -> Result<ExitCode> {
    // A key that is wrong must show before anything is written.
    let keys = args.keys.iter().map(|typed| find(archive, args.kind, typed)).collect::<Result<Vec<Key>>>()?;
    let Some(directory) = &args.output else {
        let Some(key) = keys.first() else { return Ok(ExitCode::Complete) };
        let (header, body) = open(archive, args.kind, key)?;
        if header.body.is_none() {
            bail!("{} {key} has no content; {}", header.kind, advice(&header));
        }
        let mut output = context.data()?;
        write(&header, body, args.raw, context, &mut output)?;
        output.flush()?;
        return Ok(ExitCode::Complete);
    };
    let mut extraction = Extraction { archive, folder: Folder::open(directory)?, raw: args.raw, context, left_out: 0 };
    for key in &keys {
        match args.kind {
            Kind::Room => extraction.messages_of(key)?,
            Kind::File => extraction.file(key)?,
            _ => extraction.record(args.kind, key)?,
        }
    }
    Ok(if extraction.left_out == 0 { ExitCode::Complete } else { ExitCode::LeftOut })
}

/// The key that was typed, if the archive has it. Names of rooms may be typed as people write them: keys have them in lower case.
fn find(archive: &RandomReader, kind: Kind, typed: &str) -> Result<Key> {
    let key = key::parse(kind, typed)?;
    if archive.open_record(kind, &key).map_err(Failure::from)?.is_some() {
        return Ok(key);
    }
    if kind == Kind::Room
        && let [KeyPart::Name(name)] = key.parts()
    {
        let key = Key::name(name.to_ascii_lowercase());
        if archive.open_record(kind, &key).map_err(Failure::from)?.is_some() {
            return Ok(key);
        }
    }
    bail!("the archive has no {kind} record {key}; `ctdl-dump list ARCHIVE {kind}` shows those it has")
}

fn open<'a>(archive: &'a RandomReader, kind: Kind, key: &Key) -> Result<(Header, BodyReader<'a>)> {
    match archive.open_record(kind, key).map_err(Failure::from)? {
        Some(record) => Ok(record),
        None => bail!("the archive has no {kind} record {key}"),
    }
}

fn advice(header: &Header) -> String {
    match (header.kind, header.fields.bytes("target")) {
        (Kind::File, Some(target)) => format!("it is a link to {}", printable(target)),
        (Kind::File, None) => "it is a directory: with -o DIR all that is in it is written".into(),
        (kind, _) => format!("`ctdl-dump list --json ARCHIVE {kind}` shows its fields"),
    }
}

/// Writes what a record holds, segment by segment.
fn write(header: &Header, body: BodyReader<'_>, raw: bool, context: &Context, output: &mut dyn Write) -> Result<()> {
    if header.kind != Kind::Message || raw {
        return write_body(header, body, context, output);
    }
    let entry_bytes = header.fields.int("entry").unwrap_or_default();
    if entry_bytes > LONGEST_ENTRY_BYTES {
        bail!("message {} has an entry of {entry_bytes} bytes, which is no mail; --raw gives the bytes", header.key);
    }
    write_body(header, body, context, &mut MailWriter::begin(output, usize::try_from(entry_bytes)?)?)
}

fn write_body(header: &Header, mut body: BodyReader<'_>, context: &Context, output: &mut dyn Write) -> Result<()> {
    if let Some(Body::Inline(bytes)) = &header.body {
        output.write_all(bytes)?;
    }
    let mut segment = Vec::new();
    while body.segment(&mut segment).map_err(Failure::from)? {
        if context.interrupt.is_set() {
            return Err(Failure::interrupted().into());
        }
        output.write_all(&segment)?;
    }
    Ok(())
}

/// Records on their way into a folder.
struct Extraction<'a> {
    archive: &'a RandomReader,
    folder: Folder,
    raw: bool,
    context: &'a Context,
    left_out: u64,
}

impl Extraction<'_> {
    /// A record with a file name made of its kind and key; a message gets that of a mail.
    fn record(&mut self, kind: Kind, key: &Key) -> Result<()> {
        let (header, body) = open(self.archive, kind, key)?;
        if header.body.is_none() {
            bail!("{kind} {key} has no content; {}", advice(&header));
        }
        let name = match kind {
            Kind::Message if self.raw => format!("{key}.msg"),
            Kind::Message => format!("{key}.eml"),
            _ => format!("{kind}-{}", key.to_string().replace('/', "_")),
        };
        self.put(name.as_bytes(), &header, body)
    }

    /// A file under its own path, a directory with all that is in it.
    fn file(&mut self, key: &Key) -> Result<()> {
        self.one_file(key)?;
        let Some(path) = key.last_name() else { return Ok(()) };
        let below = [path, b"/"].concat();
        for record in self.archive.records(Some(Kind::File)).map_err(Failure::from)? {
            let record = record.map_err(Failure::from)?;
            if record.key.last_name().is_some_and(|path| path.starts_with(&below)) {
                self.one_file(&record.key)?;
            }
        }
        Ok(())
    }

    fn one_file(&mut self, key: &Key) -> Result<()> {
        let (header, body) = open(self.archive, Kind::File, key)?;
        let path = key.last_name().unwrap_or_default();
        match (header.fields.bytes("type"), &header.body) {
            (Some(b"directory"), _) => self.folder.make_directory(path),
            (_, Some(_)) => self.put(path, &header, body),
            (_, None) => {
                self.left_out += 1;
                self.context.screen.left_out(&format!("left out: {key}: {}, and links are not made", advice(&header)));
                Ok(())
            }
        }
    }

    fn messages_of(&mut self, room: &Key) -> Result<()> {
        let (header, body) = open(self.archive, Kind::Room, room)?;
        let mut list = Vec::new();
        write_body(&header, body, self.context, &mut list)?;
        for number in list.chunks_exact(8).filter_map(|bytes| bytes.first_chunk().copied()) {
            let key = Key::number(i64::from_be_bytes(number));
            let found = self.archive.open_record(Kind::Message, &key).map_err(Failure::from)?;
            match found {
                Some((header, _)) if header.body.is_some() => self.record(Kind::Message, &key)?,
                _ => {
                    self.left_out += 1;
                    self.context
                        .screen
                        .left_out(&format!("left out: message {key}: the room lists it, but it is not there"));
                }
            }
        }
        Ok(())
    }

    fn put(&self, path: &[u8], header: &Header, body: BodyReader<'_>) -> Result<()> {
        let mut file = self.folder.create(path)?;
        write(header, body, self.raw, self.context, &mut file).with_context(|| printable(path))?;
        let mode = header.fields.int("mode").and_then(|mode| u16::try_from(mode).ok());
        let modified = header.fields.int("mtime").map(|time| (time, header.fields.int("mtime_ns").unwrap_or_default()));
        file.finish(mode, modified).with_context(|| printable(path))
    }
}
