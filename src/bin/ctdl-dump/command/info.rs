//! `info`: what an archive or a site is.

use std::fs::File;
use std::io::Write;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::codec::identity::hex;
use ctdl_dump::codec::manifest::Count;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::{Kind, SiteInfo, printable};
use ctdl_dump::transfer::{Discard, Summary, copy};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::Info;
use crate::exit_code::ExitCode;
use crate::{json, place, utc};

/// What there is to say.
struct Found {
    site: SiteInfo,
    summary: Summary,
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
        Found { site: source.site().clone(), summary, arrangement }
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
    Ok(Found { site: archive.site().clone(), summary: Summary::of_archive(&archive)?, arrangement: None })
}

/// What told a fact, behind it.
fn told_by(what: &Option<String>) -> String {
    what.as_ref().map(|what| format!(" ({})", shown(what))).unwrap_or_default()
}

/// A text of an archive, which anybody may have made, so that it is no more than text on a terminal.
fn shown(text: &str) -> String {
    printable(text.as_bytes())
}

impl Found {
    fn text(&self) -> String {
        let (site, summary) = (&self.site, &self.summary);
        let mut lines = vec![
            format!("node         {} ({})", printable(&site.node), printable(&site.fqdn)),
            format!("release      {}{}", site.release, told_by(&site.release_by)),
            format!("machine      {}{}", site.layout, told_by(&site.layout_by)),
            format!("snapshot     {}; {}", shown(&site.snapshot.method), shown(&site.snapshot.proof)),
            format!("afterwards   {}", shown(&summary.end.state_after)),
            format!("taken        {}, by {}", utc::second(site.snapshot.taken), shown(&site.tool)),
        ];
        if let Some(arrangement) = &self.arrangement {
            lines.push(format!("arrangement  {arrangement}"));
        }
        if !site.without.is_empty() {
            lines.push(format!("without      {}", shown(&site.without.join(", "))));
        }
        for (kind, Count { records, body_bytes }) in &summary.kinds {
            lines.push(format!("{kind:12} {records:>10} records {body_bytes:>14} bytes of bodies"));
        }
        for (kind, what) in &summary.left_out {
            lines.push(format!("{:12} {what}", if *kind == Kind::Loss { "lost" } else { "left out" }));
        }
        lines.push(format!("site digest  {}\n", hex(&summary.site_digest)));
        lines.join("\n")
    }

    fn json(&self) -> Json {
        let site = &self.site;
        let mut line = json::summary(&self.summary);
        for (name, value) in [
            ("node", json::text(&site.node)),
            ("fqdn", json::text(&site.fqdn)),
            ("release", site.release.into()),
            ("release_by", json!(site.release_by)),
            ("layout", site.layout.to_string().into()),
            ("layout_by", json!(site.layout_by)),
            ("tool", json!(site.tool)),
            ("taken", site.snapshot.taken.into()),
            ("method", json!(site.snapshot.method)),
            ("proof", json!(site.snapshot.proof)),
            ("without", json!(site.without)),
            ("arrangement", json!(self.arrangement)),
        ] {
            line[name] = value;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use ctdl_dump::record::{End, Layout, Root, Snapshot};

    use super::*;

    #[test]
    fn nothing_in_an_archive_moves_the_cursor() {
        let bad = || "\u{1b}[2J\r\n\u{9b}2J".to_owned();
        let site = SiteInfo {
            tool: bad(),
            node: bad().into(),
            fqdn: bad().into(),
            release: 980,
            release_by: Some(bad()),
            layout: Layout::LP64_LITTLE,
            layout_by: Some(bad()),
            without: vec![bad()],
            snapshot: Snapshot { method: bad(), proof: bad(), taken: 0 },
            root: Root { mode: 0, owner: None, group: None },
        };
        let end = End { state_after: bad() };
        let summary = Summary { kinds: Vec::new(), site_digest: [0; 32], end, left_out: Vec::new() };
        let text = Found { site, summary, arrangement: None }.text();
        assert_eq!(text.lines().count(), 8);
        assert!(text.chars().all(|sign| sign == '\n' || !sign.is_control()), "{text:?}");
    }
}
