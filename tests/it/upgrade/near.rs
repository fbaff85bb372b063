//! Sites of releases that no server was at hand for, and of machines that none was at hand of: made of real sites by this program, and found out
//! again by what they show.

use std::path::Path;

use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Body, End, Fields, Header, Key, Kind, Layout, SiteInfo};
use ctdl_dump::site::layout::{CONFIG, CONTROL, Dialect, StructLayout};
use ctdl_dump::site::{ReadOptions, Site, SiteOwner, SiteSink, SiteSource};
use ctdl_dump::transfer::{Discard, copy};

use super::moved::{done, run, said, text};
use crate::support::{project, python, unpack_site};

/// A real site, as a server of a near release would have it: its release, its settings, its counters.
struct OfRelease<'s> {
    site: SiteSource<'s>,
    info: SiteInfo,
    /// Settings that the real site's release had not.
    added: Vec<Header>,
}

fn has(struct_layout: &StructLayout, release: i64, name: &str) -> bool {
    let dialect = Dialect { layout: Layout::LP64_LITTLE, release };
    struct_layout.members(dialect).any(|(field, _)| field.name == name)
}

impl OfRelease<'_> {
    fn changed(&self, mut header: Header) -> Option<Header> {
        let release = self.info.release;
        let name = String::from_utf8_lossy(header.key.last_name().unwrap_or_default()).into_owned();
        match header.kind {
            Kind::Config if header.fields.get("origin").is_some() && !has(&CONFIG, release, &name) => return None,
            Kind::Config if name == "MM_hosted_upgrade_level" => {
                header.body = Some(Body::Inline(release.to_string().into_bytes()));
            }
            Kind::Control if header.fields.get("version").is_some() => {
                header.fields.set_int("version", release);
                if !has(&CONTROL, release, "dbversion") {
                    header.fields.remove("dbversion");
                }
            }
            _ => {}
        }
        header.residue = None;
        Some(header)
    }
}

impl Source for OfRelease<'_> {
    fn site(&self) -> &SiteInfo {
        &self.info
    }
    fn next(&mut self) -> Result<Option<Header>, Failure> {
        if let Some(added) = self.added.pop() {
            return Ok(Some(added));
        }
        while let Some(header) = self.site.next()? {
            if let Some(changed) = self.changed(header) {
                return Ok(Some(changed));
            }
        }
        Ok(None)
    }
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.site.segment(segment)
    }
    fn digest(&self) -> Digest {
        self.site.digest()
    }
    fn finish(&mut self) -> Result<End, Failure> {
        self.site.finish()
    }
}

/// A member of `citadel.config` that is 0.
fn of_no_value(name: &str) -> Header {
    let mut fields = Fields::new();
    fields.set_string("origin", *b"citadel.config");
    Header { kind: Kind::Config, key: Key::name(name), fields, body: Some(Body::Inline(b"0".to_vec())), residue: None }
}

fn options(scratch: &Path) -> ReadOptions {
    ReadOptions { scratch: scratch.to_owned(), logs: Vec::new(), without_fulltext: false, salvages: false }
}

/// Makes the site, and gives what is read of it again: the layout and what told it, the release, the site digest.
fn made(site: &Site, release: i64, layout: Layout) -> (SiteInfo, Digest, Option<String>) {
    let (new, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let info = SiteInfo { release, ..site.info().clone() };
    let has_file = site.info().release < 902;
    let members = CONFIG.members(Dialect { layout, release }).filter(|_| has_file);
    let added = members.filter(|(field, _)| !has(&CONFIG, site.info().release, field.name));
    let added = added.map(|(field, _)| of_no_value(field.name)).collect();
    let mut source = OfRelease { site: site.source(options(scratch.path()), &Silent), info, added };
    let mut sink = SiteSink::create(new.path(), scratch.path().to_owned(), SiteOwner::of_process(), layout).unwrap();
    copy(&mut source, &mut sink, &Silent).unwrap();
    let again = Site::open(new.path()).unwrap();
    let summary = copy(&mut again.source(options(scratch.path()), &Silent), &mut Discard, &Silent).unwrap();
    let odd = summary.kinds.iter().find(|(kind, _)| *kind == Kind::Table);
    assert_eq!(odd.map_or(0, |(_, count)| count.records), 0, "{release} {layout}: all is understood");
    (again.info().clone(), summary.site_digest, again.notice().map(str::to_owned))
}

#[test]
fn sites_of_near_releases_and_all_machines_are_recognised() {
    for (name, releases) in
        [("small-7xx", &[706, 724, 735, 737, 788, 789, 830, 901][..]), ("small-2016", &[902, 921]), ("small", &[975])]
    {
        let packed = unpack_site(name);
        let site = Site::open(packed.path()).unwrap();
        for (nth, release) in releases.iter().enumerate() {
            // All machines where structs turn, else each in its turn.
            let is_turn = matches!(release, 706 | 789 | 902);
            let mut digests = Vec::new();
            for (index, (layout, ..)) in Layout::ALL.into_iter().enumerate() {
                if !is_turn && index != nth % Layout::ALL.len() {
                    continue;
                }
                let (info, digest, notice) = made(&site, *release, layout);
                assert_eq!((info.layout, info.release), (layout, *release), "{:?}", info.layout_by);
                assert_eq!(notice, None);
                digests.push(digest);
            }
            assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{release}: one content, one digest");
        }
    }
}

#[test]
fn a_newer_release_is_read_with_a_word_about_it() {
    let packed = unpack_site("fresh");
    let site = Site::open(packed.path()).unwrap();
    let (info, _, notice) = made(&site, 990, Layout::LP64_LITTLE);
    assert_eq!(info.release, 990);
    let notice = notice.unwrap();
    assert!(
        notice.contains("release 990, newer than 980") && notice.contains("no longer than those of 980"),
        "{notice}"
    );
}

#[test]
fn a_site_of_2007_becomes_what_one_of_2010_becomes_but_for_the_settings_that_it_had_not() {
    let (packed, work) = (unpack_site("small-7xx"), tempfile::tempdir().unwrap());
    let at = |name: &str| work.path().join(name);
    let (archive, of_2007, of_2010) = (at("2010.ctz"), at("2007"), at("2010"));
    done(&["export", "--site", text(packed.path()), "-o", text(&archive)]);
    done(&["import", text(&archive), "--site", text(&of_2010)]);
    done(&["import", text(&archive), "--site", text(&of_2007), "--keep-release"]);
    // Release 706 has shorter structs in files, and neither users by number nor external identities.
    let mut control = std::fs::read(of_2007.join("citadel.control")).unwrap();
    control[32..36].copy_from_slice(&706i32.to_le_bytes());
    std::fs::write(of_2007.join("citadel.control"), &control[..48]).unwrap();
    let config = std::fs::read(of_2007.join("citadel.config")).unwrap();
    std::fs::write(of_2007.join("citadel.config"), &config[..2904]).unwrap();
    std::fs::remove_file(of_2007.join("data/cdb.0b")).unwrap();
    std::fs::remove_file(of_2007.join("data/cdb.0c")).unwrap();

    let (archive, new) = (at("2007.ctz"), at("new"));
    done(&["export", "--site", text(&of_2007), "-o", text(&archive)]);
    let second = python().arg(project("format-spec/ctz.py")).arg("verify").arg(&archive).output().unwrap();
    assert!(second.status.success(), "{}", said(&second));
    done(&["import", text(&archive), "--site", text(&new)]);
    let differing = run(&["diff", text(&new), text(&of_2010)]);
    let differing = String::from_utf8(differing.stdout).unwrap();
    let later = ["c_imap_keep_from", "c_master_", "c_pager_program", "c_pop3_f", "c_spam_flag_only", "c_xmpp_"];
    for line in differing.lines().filter(|line| !line.contains("c_config_created_or_migrated")) {
        let is_later = later.iter().any(|name| line.starts_with(&format!("> config {name}")));
        // Below 735 an account with the number 0 is removed.
        assert!(is_later || line == "> user syscitadel", "{line}");
    }
    assert!(differing.contains("> config c_xmpp_s2s_port"), "{differing}");
}
