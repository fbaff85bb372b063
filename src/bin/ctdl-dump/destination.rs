//! The place for a site: all in one directory, or spread over several as its server was built.

use std::path::Path;

use anyhow::Result;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::record::SiteInfo;
use ctdl_dump::site::arrangement::{LAST_SPREAD_RELEASE, looks_spread};
use ctdl_dump::site::install::{self, Recovered, Target, TargetOptions};
use ctdl_dump::site::{Arrangement, freshness};

use crate::args::ArrangementOptions;
use crate::command::Context;
use crate::error::{Usage, usage};

/// The place for a site, as it was told.
#[derive(Clone, Debug)]
pub struct Destination {
    site: Arrangement,
    /// Whether anything was told but one directory.
    is_told: bool,
    replaces: bool,
}

impl Destination {
    /// The place that was named on the command line; with `replaces` a site there may have been used. `keeps_release`: whether a site of an old release stays
    /// one.
    pub fn new(
        site: Option<&Path>,
        options: &ArrangementOptions,
        replaces: bool,
        keeps_release: bool,
    ) -> Result<Destination> {
        let site = options.of(site)?;
        site.check_writable().map_err(|error| Usage(error.to_string()))?;
        if site.is_spread() && !keeps_release {
            usage!(
                "a site is written for a server of release 980, which has all in one directory; to spread it over several as releases until {LAST_SPREAD_RELEASE} may have it, say --keep-release"
            );
        }
        Ok(Destination { site, is_told: options.is_told(), replaces })
    }

    /// The directory with the tables.
    pub fn root(&self) -> &Path {
        self.site.root()
    }

    /// Fails for a site whose servers would not look into the directories of this place, before anything of it comes.
    pub fn check_release(&self, site: &SiteInfo) -> Result<()> {
        refuse_unspread(&self.site, site)
    }

    /// Finishes or removes what a killed run has left there, and says so.
    pub fn recover(&self, context: &Context) -> Result<Vec<Recovered>> {
        let recovered = install::recover(&self.site).map_err(Failure::from)?;
        recovered.iter().for_each(|recovered| context.screen.say(recovered));
        Ok(recovered)
    }

    /// Does that, and fails if no site could be built there.
    pub fn check(&self, context: &Context) -> Result<()> {
        self.recover(context)?;
        self.look().map(|_| ())
    }

    /// Opens it. Says what a person should know of it.
    pub fn open(&self, context: &Context) -> Result<Target> {
        let target = self.look()?;
        target.notes().iter().for_each(|note| context.screen.say(note));
        Ok(target)
    }

    fn look(&self) -> Result<Target> {
        self.refuse_spread()?;
        let options = TargetOptions { replace: self.replaces, tables: &freshness, force_parts: false };
        Ok(Target::open(&self.site, &options).map_err(Failure::from)?)
    }

    /// Refuses a place whose server has other directories too, and would not find what is written into one.
    fn refuse_spread(&self) -> Result<()> {
        if let Some(why) = looks_spread(self.root()).filter(|_| !self.is_told) {
            usage!(
                "{} looks like a part of a site that is spread over several directories ({why}): say --arrangement debian, or name each directory (--sysconfdir, --staticdatadir ...); where the next server has all in one, say --arrangement root, or name another directory",
                self.root().display()
            );
        }
        Ok(())
    }
}

/// Refuses to spread a site of a release that has all in one directory.
pub fn refuse_unspread(place: &Arrangement, site: &SiteInfo) -> Result<()> {
    if place.is_spread() && site.release > LAST_SPREAD_RELEASE {
        usage!(
            "the site is of release {}, whose servers have all in one directory; leave --arrangement and its like out, and name that directory with --site",
            site.release
        );
    }
    Ok(())
}
