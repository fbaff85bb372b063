//! `info`: what an archive or a site is.

use std::fs::File;
use std::io::Write;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::codec::Digest;
use ctdl_dump::codec::identity::hex;
use ctdl_dump::codec::manifest::Count;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::{Kind, SiteInfo, printable};
use ctdl_dump::transfer::{Discard, copy};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::Info;
use crate::exit_code::ExitCode;
use crate::{json, place, utc};

/// What there is to say.
struct Found {
    site: SiteInfo,
    kinds: Vec<(Kind, Count)>,
    site_digest: Digest,
    state_after: String,
    left_out: Vec<(Kind, String)>,
    /// Where a site that is spread over several directories has what.
    arrangement: Option<String>,
}

/// Says what is at a place.
pub fn run(args: &Info, context: &Context) -> Result<ExitCode> {
    let usual = args.arrangement.of(args.place.as_deref());
    let path = match &args.place {
        Some(place) => place.clone(),
        None => usual?.root().to_owned(),
    };
    let found = if place::is_file(&path) {
        place::refuse_site_options(&path, args.tables.layout, &args.arrangement)?;
        let what = || path.display().to_string();
        of_file(File::open(&path).with_context(what)?).with_context(what)?
    } else {
        context.screen.task("info");
        let mut place = place::open(&path, args.tables.layout, &args.arrangement, context)?;
        let arrangement = place.arrangement().map(ToString::to_string);
        let mut source = place.source(context)?;
        let summary = copy(&mut *source, &mut Discard, &context.screen)?;
        Found {
            site: source.site().clone(),
            kinds: summary.kinds,
            site_digest: summary.site_digest,
            state_after: summary.end.state_after,
            left_out: summary.left_out,
            arrangement,
        }
    };
    context.screen.clear();
    let mut output = context.data()?;
    if args.json {
        output.line(found.json())?;
    } else {
        output.write_all(found.text().as_bytes())?;
    }
    output.flush()?;
    Ok(ExitCode::Complete)
}

/// By the manifest alone, and by the few records that say what was left out.
fn of_file(file: File) -> Result<Found> {
    let archive = RandomReader::open(file).map_err(Failure::from)?;
    let root = archive.root();
    let mut left_out = Vec::new();
    for kind in root.kinds.iter().map(|(kind, _)| *kind).filter(|kind| !kind.is_of_the_site()) {
        for record in archive.headers(Some(kind)).map_err(Failure::from)? {
            let (header, _digest) = record.map_err(Failure::from)?;
            let why = header.fields.bytes("why").map(printable).unwrap_or_default();
            left_out.push((kind, format!("{}: {why}", header.key)));
        }
    }
    Ok(Found {
        site: archive.site().clone(),
        kinds: root.kinds.clone(),
        site_digest: root.site_digest,
        state_after: root.state_after.clone(),
        left_out,
        arrangement: None,
    })
}

/// What told a fact, behind it.
fn told_by(what: &Option<String>) -> String {
    what.as_ref().map(|what| format!(" ({what})")).unwrap_or_default()
}

impl Found {
    fn text(&self) -> String {
        let site = &self.site;
        let mut lines = vec![
            format!("node         {} ({})", printable(&site.node), printable(&site.fqdn)),
            format!("release      {}{}", site.release, told_by(&site.release_by)),
            format!("machine      {}{}", site.layout, told_by(&site.layout_by)),
            format!("snapshot     {}; {}", site.snapshot.method, site.snapshot.proof),
            format!("afterwards   {}", self.state_after),
            format!("taken        {}, by {}", utc::second(site.snapshot.taken), site.tool),
        ];
        if let Some(arrangement) = &self.arrangement {
            lines.push(format!("arrangement  {arrangement}"));
        }
        if !site.without.is_empty() {
            lines.push(format!("without      {}", site.without.join(", ")));
        }
        for (kind, Count { records, body_bytes }) in &self.kinds {
            lines.push(format!("{kind:12} {records:>10} records {body_bytes:>14} bytes of bodies"));
        }
        for (kind, what) in &self.left_out {
            lines.push(format!("{:12} {what}", if *kind == Kind::Loss { "lost" } else { "left out" }));
        }
        lines.push(format!("site digest  {}\n", hex(&self.site_digest)));
        lines.join("\n")
    }

    fn json(&self) -> Json {
        let site = &self.site;
        let left_out: Vec<Json> =
            self.left_out.iter().map(|(kind, what)| json!({"kind": kind.name(), "what": what})).collect();
        json!({"node": json::text(&site.node), "fqdn": json::text(&site.fqdn), "release": site.release,
            "release_by": site.release_by, "layout_by": site.layout_by,
            "layout": site.layout.to_string(), "tool": site.tool, "taken": site.snapshot.taken,
            "method": site.snapshot.method, "proof": site.snapshot.proof, "state_after": self.state_after,
            "without": site.without, "arrangement": self.arrangement, "kinds": json::kinds(&self.kinds), "left_out": left_out,
            "site_digest": hex(&self.site_digest)})
    }
}
