//! `info`: what an archive or a site is.

use std::fs::File;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::codec::identity::hex;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::{Kind, SiteInfo, printable};
use ctdl_dump::transfer::{Discard, copy};
use serde_json::json;

use super::Context;
use crate::args::Info;
use crate::exit_code::ExitCode;
use crate::place;

/// Says what is at a place.
pub fn run(args: &Info, context: &Context) -> Result<ExitCode> {
    let is_file = std::fs::metadata(&args.place).is_ok_and(|found| found.is_file());
    let (site, kinds, digest) = if is_file {
        let file = File::open(&args.place).with_context(|| args.place.display().to_string())?;
        let archive =
            RandomReader::open(file).map_err(Failure::from).with_context(|| args.place.display().to_string())?;
        (archive.site().clone(), archive.root().kinds.clone(), archive.root().site_digest)
    } else {
        context.screen.task("info");
        let mut place = place::open(&args.place, context)?;
        let mut source = place.source(context);
        let summary = copy(&mut *source, &mut Discard, &context.screen)?;
        let site = source.site().clone();
        (site, summary.kinds, summary.site_digest)
    };
    context.screen.clear();
    if args.json {
        let kinds: serde_json::Map<_, _> = kinds
            .iter()
            .map(|(kind, count)| (kind.to_string(), json!({"records": count.records, "body_bytes": count.body_bytes})))
            .collect();
        println!(
            "{}",
            json!({"node": printable(&site.node), "fqdn": printable(&site.fqdn), "release": site.release,
            "layout": site.layout.to_string(), "tool": site.tool, "taken": site.snapshot.taken,
            "method": site.snapshot.method, "proof": site.snapshot.proof, "without": site.without,
            "kinds": kinds, "site_digest": hex(&digest)})
        );
        return Ok(ExitCode::Complete);
    }
    print!("{}", text(&site));
    for (kind, count) in &kinds {
        let note = if *kind == Kind::Loss { "  <- could not be read from the source" } else { "" };
        println!("{kind:12} {:>10} records {:>14} bytes of bodies{note}", count.records, count.body_bytes);
    }
    println!("site digest  {}", hex(&digest));
    Ok(ExitCode::Complete)
}

fn text(site: &SiteInfo) -> String {
    let without =
        if site.without.is_empty() { String::new() } else { format!("without      {}\n", site.without.join(", ")) };
    format!(
        "node         {} ({})\nrelease      {}, {}\nsnapshot     {}; {}\ntaken        {} seconds since 1970, by {}\n{without}",
        printable(&site.node),
        printable(&site.fqdn),
        site.release,
        site.layout,
        site.snapshot.method,
        site.snapshot.proof,
        site.snapshot.taken,
        site.tool,
    )
}
