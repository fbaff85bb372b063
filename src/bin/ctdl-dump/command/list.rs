//! `list`: the records of a place.

use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::record::{Body, Header, Kind, Value, printable};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::List;
use crate::exit_code::ExitCode;
use crate::place;

/// Lists records.
pub fn run(args: &List, context: &Context) -> Result<ExitCode> {
    let mut output = BufWriter::new(std::io::stdout().lock());
    if std::fs::metadata(&args.place).is_ok_and(|found| found.is_file()) {
        let what = || args.place.display().to_string();
        let file = File::open(&args.place).with_context(what)?;
        let archive = RandomReader::open(file).map_err(Failure::from).with_context(what)?;
        for record in archive.headers(args.kind).map_err(Failure::from)? {
            let (header, _digest) = record.map_err(Failure::from)?;
            write(&header, args, &mut output)?;
        }
    } else {
        let mut place = place::open(&args.place, context)?;
        let mut source = place.source(context);
        while let Some(header) = source.next()? {
            if context.interrupt.is_set() {
                return Err(Failure::interrupted().into());
            }
            if args.kind.is_none_or(|kind| kind == header.kind) {
                write(&header, args, &mut output)?;
            }
        }
        source.finish()?;
    }
    output.flush()?;
    Ok(ExitCode::Complete)
}

fn write(header: &Header, args: &List, output: &mut impl Write) -> Result<()> {
    let length = header.body.as_ref().map(Body::length);
    if args.json {
        writeln!(output, "{}", record_json(header))?;
        return Ok(());
    }
    let size = length.map_or_else(|| "-".to_owned(), |length| length.to_string());
    if args.kind.is_none() {
        writeln!(output, "{:10} {size:>12} {}", header.kind, header.key)?;
    } else {
        writeln!(output, "{}", row(header, &size))?;
    }
    Ok(())
}

/// What matters of a record of a kind, passwords never.
fn row(header: &Header, size: &str) -> String {
    let int = |name| header.fields.int(name).unwrap_or_default();
    let text = |name| header.fields.bytes(name).map(printable).unwrap_or_default();
    let key = &header.key;
    match header.kind {
        Kind::Config => match &header.body {
            Some(Body::Inline(value)) => format!("{key} = {}", printable(value)),
            _ => format!("{key} = ({size} bytes)"),
        },
        Kind::Floor => format!("{key:>3} {} ({} rooms)", text("name"), int("ref_count")),
        Kind::User => {
            format!("{:>6} level {} {} <{}>", int("usernum"), int("axlevel"), text("fullname"), text("emailaddrs"))
        }
        Kind::Room => {
            let messages = header.body.as_ref().map_or(0, |body| body.length() / 8);
            format!("{:>6} {messages:>8} messages, floor {}: {}", int("number"), int("floor"), text("name"))
        }
        Kind::Message => format!("{key:>10} {size:>12} bytes {}", text("content_type")),
        Kind::File => {
            let arrow = header.fields.bytes("target").map(|target| format!(" -> {}", printable(target)));
            format!("{:9} {:04o} {size:>12} {key}{}", text("type"), int("mode"), arrow.unwrap_or_default())
        }
        _ => {
            let fields: Vec<String> = header.fields.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!("{key} {size} {}", fields.join(", "))
        }
    }
}

/// A record as JSON: strings that are no UTF-8 as `{"bytes": "hex"}`.
fn record_json(header: &Header) -> Json {
    let fields: serde_json::Map<String, Json> =
        header.fields.iter().map(|(name, value)| (name.to_owned(), value_json(value))).collect();
    json!({"kind": header.kind.to_string(), "key": header.key.to_string(), "fields": fields,
        "body_bytes": header.body.as_ref().map(Body::length)})
}

fn value_json(value: &Value) -> Json {
    match value {
        Value::Int(value) => json!(value),
        Value::String(value) => match std::str::from_utf8(value) {
            Ok(text) => json!(text),
            Err(_) => json!({"bytes": Value::Binary(value.clone()).to_string()}),
        },
        Value::Binary(_) => json!({"bytes": value.to_string()}),
        Value::Owner(owner) => json!({"number": owner.number, "name": owner.name}),
    }
}
