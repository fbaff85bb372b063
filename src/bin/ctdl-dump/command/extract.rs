//! `extract`: single records out of an archive.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::record::schema::{self, PartType};
use ctdl_dump::record::{Body, Header, Key, KeyPart, Kind};

use super::Context;
use crate::args::Extract;
use crate::exit_code::ExitCode;

/// Takes records out of an archive.
pub fn run(args: &Extract, context: &Context) -> Result<ExitCode> {
    let what = || args.archive.display().to_string();
    let archive =
        RandomReader::open(File::open(&args.archive).with_context(what)?).map_err(Failure::from).with_context(what)?;
    if args.output.is_none() && args.keys.len() > 1 {
        bail!("standard output takes one record; give -o DIR for more");
    }
    for typed in &args.keys {
        let key = parse_key(args.kind, typed)?;
        let (header, body) = read(&archive, args.kind, &key)?;
        if args.messages && args.kind == Kind::Room {
            for number in body.chunks_exact(8).filter_map(|bytes| bytes.first_chunk().copied()) {
                if context.interrupt.is_set() {
                    return Err(Failure::interrupted().into());
                }
                let key = Key::number(i64::from_be_bytes(number));
                let (header, body) = read(&archive, Kind::Message, &key)?;
                put(args, &header, &body)?;
            }
        } else {
            put(args, &header, &body)?;
        }
    }
    Ok(ExitCode::Complete)
}

fn read(archive: &RandomReader, kind: Kind, key: &Key) -> Result<(Header, Vec<u8>)> {
    let Some((header, mut reader)) = archive.open_record(kind, key).map_err(Failure::from)? else {
        bail!("the archive has no {kind} record {key}; `ctdl-dump list ARCHIVE {kind}` shows those it has");
    };
    let mut body = Vec::new();
    let mut segment = Vec::new();
    while reader.segment(&mut segment).map_err(Failure::from)? {
        body.extend_from_slice(&segment);
    }
    drop(reader);
    if let Some(Body::Inline(bytes)) = &header.body {
        body.clone_from(bytes);
    }
    Ok((header, body))
}

fn put(args: &Extract, header: &Header, body: &[u8]) -> Result<()> {
    let rendered;
    let content = if header.kind == Kind::Message && !args.raw {
        rendered = mail(header, body);
        &rendered
    } else {
        body
    };
    let Some(directory) = &args.output else {
        return Ok(std::io::stdout().lock().write_all(content)?);
    };
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let name = match header.kind {
        Kind::Message => format!("{}.eml", header.key),
        // One flat name: nothing that an archive says makes or follows a directory here.
        _ => header.key.to_string().replace('/', "_").trim_start_matches('.').to_owned(),
    };
    write_new(&directory.join(name), content)
}

fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    let what = || path.display().to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).with_context(what)?;
    file.write_all(content).with_context(what)
}

/// A message as mail: header lines made of the fields of its entry, then its text. The entry is 0xff, two bytes of types, then fields: a
/// letter, bytes, NUL; runs of NULs between them mean nothing, and M, the text, is the last.
fn mail(header: &Header, body: &[u8]) -> Vec<u8> {
    let entry_bytes = header.fields.int("entry").unwrap_or_default() as usize;
    let (entry, big) = body.split_at(entry_bytes.min(body.len()));
    let format = entry.get(2).copied().unwrap_or_default();
    let (mut lines, mut text) = (Vec::new(), None);
    let mut rest = entry.get(3..).unwrap_or_default();
    while let Some((letter, after)) = rest.split_first() {
        if *letter == 0 {
            rest = after;
            continue;
        }
        let end = after.iter().position(|byte| *byte == 0).unwrap_or(after.len());
        let value = &after[..end];
        rest = after.get(end + 1..).unwrap_or_default();
        let name = match letter {
            b'M' => {
                text = Some(value);
                break;
            }
            b'A' => "From",
            b'F' => "X-Citadel-Address",
            b'R' => "To",
            b'Y' => "Cc",
            b'U' => "Subject",
            b'I' => "Message-ID",
            b'T' => "X-Citadel-Time",
            b'O' => "X-Citadel-Room",
            _ => continue,
        };
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend(value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        lines.push(b'\n');
    }
    // Only format 4 has header lines of its own, and the empty line after them.
    if format != 4 {
        lines.push(b'\n');
    }
    lines.extend_from_slice(text.unwrap_or(big.strip_suffix(&[0]).unwrap_or(big)));
    lines
}

/// A key as `list` prints it: numbers in decimal, names with their escapes, parts separated by `/`.
fn parse_key(kind: Kind, typed: &str) -> Result<Key> {
    let types = schema::of(kind).key;
    let mut rest = typed;
    let mut parts = Vec::new();
    for (index, part) in types.iter().enumerate() {
        let (this, after) = if index + 1 == types.len() {
            (rest, "")
        } else {
            rest.split_once('/').with_context(|| format!("a key of kind {kind} has {} parts", types.len()))?
        };
        rest = after;
        parts.push(match part {
            PartType::Name => KeyPart::Name(unescape(this)?),
            _ => KeyPart::Number(
                this.parse().with_context(|| format!("\"{this}\" is no number, as keys of kind {kind} are"))?,
            ),
        });
    }
    Ok(Key::new(parts))
}

fn unescape(typed: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = typed.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (escape, after) = rest.split_first().context("a backslash at the end; a backslash itself is \\\\")?;
        rest = after;
        match escape {
            b'\\' => bytes.push(b'\\'),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'x' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.context("\\x needs two hexadecimal digits")?);
                rest = &rest[2..];
            }
            b'u' => {
                let text = std::str::from_utf8(rest).unwrap_or_default();
                let (digits, after) =
                    text.strip_prefix('{').and_then(|text| text.split_once('}')).context("\\u needs {digits}")?;
                let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                let character = character.context("\\u needs the number of a character")?;
                bytes.extend_from_slice(character.to_string().as_bytes());
                rest = after.as_bytes();
            }
            _ => bail!("\\{} is no escape; a backslash itself is \\\\", char::from(*escape)),
        }
    }
    Ok(bytes)
}
