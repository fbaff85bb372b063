//! `diff`: two places, record by record.

use std::io::{BufWriter, Write};

use anyhow::Result;
use ctdl_dump::transfer::{Comparison, Difference};
use serde_json::json;

use super::Context;
use crate::args::Diff;
use crate::exit_code::ExitCode;
use crate::place;

/// Compares two places.
pub fn run(args: &Diff, context: &Context) -> Result<ExitCode> {
    let mut first = place::open(&args.first, context)?;
    let mut second = place::open(&args.second, context)?;
    let (mut first, mut second) = (first.source(context), second.source(context));
    let mut comparison = Comparison::begin(&mut *first, &mut *second)?;
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut differences = 0u64;
    while let Some(difference) = comparison.next_difference()? {
        if context.interrupt.is_set() {
            return Err(ctdl_dump::endpoint::Failure::interrupted().into());
        }
        differences += 1;
        let (sign, kind, key, what) = describe(&difference);
        if args.json {
            let line = json!({"sign": sign, "kind": kind, "key": key, "what": what});
            writeln!(output, "{line}")?;
        } else if what.is_empty() {
            writeln!(output, "{sign} {kind} {key}")?;
        } else {
            writeln!(output, "{sign} {kind} {key}: {}", what.join(", "))?;
        }
    }
    output.flush()?;
    if differences == 0 {
        context.screen.say("no difference");
        return Ok(ExitCode::Complete);
    }
    context.screen.say(&format!("{differences} records differ"));
    Ok(ExitCode::Differ)
}

fn describe(difference: &Difference) -> (&'static str, String, String, Vec<String>) {
    match difference {
        Difference::OnlyInFirst { kind, key } => ("<", kind.to_string(), key.to_string(), Vec::new()),
        Difference::OnlyInSecond { kind, key } => (">", kind.to_string(), key.to_string(), Vec::new()),
        Difference::Changed { kind, key, fields, body } => {
            let shown = |value: &Option<_>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            let mut what: Vec<String> = fields
                .iter()
                .map(|field| match field.name {
                    // A password is never shown.
                    "password" | "passwd" => format!("{} differs", field.name),
                    name => format!("{name} {} -> {}", shown(&field.first), shown(&field.second)),
                })
                .collect();
            if let Some((first, second)) = body {
                let length = |length: &Option<u64>| length.map_or_else(|| "none".into(), |length| length.to_string());
                what.push(format!("body {} -> {} bytes", length(first), length(second)));
            }
            ("!", kind.to_string(), key.to_string(), what)
        }
    }
}
