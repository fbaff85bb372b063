//! `list`: the records of a place.

mod row;

use std::fs::File;
use std::io::Write;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::record::{Body, Header, Key, Kind};

use super::Context;
use crate::args::List;
use crate::error::of_archive;
use crate::exit_code::ExitCode;
use crate::stream::Data;
use crate::{json, place};

/// Lists records.
pub fn run(args: &List, context: &Context) -> Result<ExitCode> {
    let mut table = Table { args, output: context.data()? };
    if place::is_file(&args.place) {
        place::refuse_site_options(&args.place, args.tables.layout, &args.arrangement)?;
        let what = || args.place.display().to_string();
        let file = File::open(&args.place).with_context(what)?;
        let archive = RandomReader::open(file).map_err(Failure::from).with_context(what)?;
        table.archive(&archive, context).map_err(|error| of_archive(error, &args.place))?;
    } else {
        let mut place = place::open(&args.place, args.tables.layout, &args.arrangement, context)?;
        let mut source = place.source(context)?;
        let mut segment = Vec::new();
        while let Some(header) = source.next()? {
            context.check_interrupt()?;
            if args.kind.is_none_or(|kind| kind == header.kind) {
                let begin =
                    if table.needs_entry(&header) && source.segment(&mut segment)? { &segment[..] } else { &[] };
                table.record(&header, begin)?;
            }
        }
        source.finish()?;
    }
    table.output.flush()?;
    Ok(ExitCode::Complete)
}

struct Table<'a> {
    args: &'a List,
    output: Data,
}

impl Table<'_> {
    fn archive(&mut self, archive: &RandomReader, context: &Context) -> Result<()> {
        if self.args.kind.is_none() && !self.args.json {
            // The manifest says all of it; no other frame is read.
            for record in archive.records(None).map_err(Failure::from)? {
                context.check_interrupt()?;
                let record = record.map_err(Failure::from)?;
                self.brief(record.kind, record.length, &record.key)?;
            }
            return Ok(());
        }
        for record in archive.headers(self.args.kind).map_err(Failure::from)? {
            context.check_interrupt()?;
            let (header, _digest) = record.map_err(Failure::from)?;
            let mut begin = Vec::new();
            if self.needs_entry(&header)
                && let Some((_, mut body)) = archive.open_record(header.kind, &header.key).map_err(Failure::from)?
            {
                body.segment(&mut begin).map_err(Failure::from)?;
            }
            self.record(&header, &begin)?;
        }
        Ok(())
    }

    /// Whether the beginning of the body is wanted, and does not stand in the header.
    fn needs_entry(&self, header: &Header) -> bool {
        header.kind == Kind::Message && self.args.kind.is_some() && matches!(header.body, Some(Body::Segments(_)))
    }

    fn record(&mut self, header: &Header, begin: &[u8]) -> Result<()> {
        if self.args.json {
            self.output.line(json::record(header))?;
        } else if self.args.kind.is_none() {
            self.brief(header.kind, header.body.as_ref().map(Body::length), &header.key)?;
        } else {
            let begin = if let Some(Body::Inline(bytes)) = &header.body { bytes } else { begin };
            let entry_bytes = header.fields.int("entry").and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
            self.output.line(row::row(header, begin.get(..entry_bytes).unwrap_or(begin)))?;
        }
        Ok(())
    }

    fn brief(&mut self, kind: Kind, length: Option<u64>, key: &Key) -> Result<()> {
        let size = length.map_or_else(|| "-".to_owned(), |length| length.to_string());
        Ok(self.output.line(format_args!("{kind:10} {size:>12} {key}"))?)
    }
}
