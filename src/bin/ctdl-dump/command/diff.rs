//! `diff`: two places, record by record.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::Value;
use ctdl_dump::transfer::{Comparison, Difference, FieldDifference};
use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::args::{ArrangementOptions, Diff};
use crate::error::{self, usage};
use crate::exit_code::ExitCode;
use crate::watched::Watched;
use crate::{json, place, utc};

/// Compares two places.
pub fn run(args: &Diff, context: &Context) -> Result<ExitCode> {
    if args.first.as_os_str() == "-" && args.second.as_os_str() == "-" {
        usage!("only one of the two can come from standard input");
    }
    // Of a site and an archive it means the site.
    let layout_of = |path: &Path, other: &Path| args.tables.layout.filter(|_| path.is_dir() || !other.is_dir());
    let is_told = args.arrangement.is_told();
    if is_told && args.first.is_dir() && args.second.is_dir() {
        usage!(
            "it can't be told of which of two sites the directories are: export one of them, and compare the other with the archive"
        );
    }
    let in_one = ArrangementOptions::default();
    let arrangement_of = |path: &Path, other: &Path| match path.is_dir() || !other.is_dir() {
        true => &args.arrangement,
        false => &in_one,
    };
    let open =
        |path: &Path, other: &Path| place::open(path, layout_of(path, other), arrangement_of(path, other), context);
    let mut first = open(&args.first, &args.second)?;
    let mut second = open(&args.second, &args.first)?;
    context.screen.task("diff");
    // The two go in step, so one shows how far both are.
    let (mut first, mut second) = (Watched::new(first.source(context)?, &context.screen), second.source(context)?);
    let mut comparison = Comparison::begin(&mut first, &mut *second)?;
    let mut output = context.data()?;
    let mut differences = 0u64;
    let mut print = |difference: &Difference| -> io::Result<()> {
        context.screen.clear();
        if args.json { output.line(as_json(difference)) } else { output.line(as_text(difference)) }?;
        output.flush()
    };
    while let Some(difference) = comparison.next_difference()? {
        context.check_interrupt()?;
        differences += 1;
        if let Err(error) = print(&difference) {
            let error = anyhow::Error::new(error);
            // The answer is known, though nobody wants to know more of it.
            return if error::is_reader_gone(&error) { Ok(ExitCode::Differ) } else { Err(error) };
        }
    }
    if differences == 0 {
        context.screen.say("no difference");
        return Ok(ExitCode::Complete);
    }
    context.screen.say(format_args!("{differences} records differ"));
    Ok(ExitCode::Differ)
}

/// Whether a field holds a password, which the text never shows.
fn is_secret(name: &str) -> bool {
    matches!(name, "password" | "passwd")
}

fn as_text(difference: &Difference) -> String {
    match difference {
        Difference::OnlyInFirst { kind, key } => format!("< {kind} {key}"),
        Difference::OnlyInSecond { kind, key } => format!("> {kind} {key}"),
        Difference::Changed { kind, key, fields, body } => {
            let mut what: Vec<String> = fields
                .iter()
                .map(|FieldDifference { name, first, second }| match is_secret(name) {
                    true => format!("{name} differs"),
                    false => format!("{name} {} -> {}", shown(name, first), shown(name, second)),
                })
                .collect();
            if let Some((first, second)) = body {
                let length = |length: &Option<u64>| length.map_or_else(|| "none".to_owned(), |bytes| bytes.to_string());
                what.push(format!("body {} -> {} bytes", length(first), length(second)));
            }
            format!("! {kind} {key}: {}", what.join(", "))
        }
    }
}

/// A field's value as a person reads it.
fn shown(name: &str, value: &Option<Value>) -> String {
    match (name, value) {
        (_, None) => "nothing".to_owned(),
        ("mode", Some(Value::Int(mode))) => format!("{mode:04o}"),
        ("mtime", Some(Value::Int(seconds))) => utc::second(*seconds),
        (_, Some(value)) => value.to_string(),
    }
}

fn as_json(difference: &Difference) -> Json {
    match difference {
        Difference::OnlyInFirst { kind, key } => json!({"sign": "<", "kind": kind.name(), "key": format!("{key:#}")}),
        Difference::OnlyInSecond { kind, key } => json!({"sign": ">", "kind": kind.name(), "key": format!("{key:#}")}),
        Difference::Changed { kind, key, fields, body } => {
            let value = |value: &Option<Value>| value.as_ref().map_or(Json::Null, json::value);
            let fields: Map<String, Json> = fields
                .iter()
                .map(|field| (field.name.to_owned(), json!([value(&field.first), value(&field.second)])))
                .collect();
            let mut line = json!({"sign": "!", "kind": kind.name(), "key": format!("{key:#}"), "fields": fields});
            if let Some((first, second)) = body {
                line["body_bytes"] = json!([first, second]);
            }
            line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_times_are_shown_as_people_know_them() {
        assert_eq!(shown("mode", &Some(Value::Int(0o750))), "0750");
        assert_eq!(shown("mtime", &Some(Value::Int(0))), "1970-01-01 00:00:00 UTC");
        assert_eq!(shown("mtime", &None), "nothing");
        assert_eq!(shown("mtime_ns", &Some(Value::Int(750))), "750");
    }
}
