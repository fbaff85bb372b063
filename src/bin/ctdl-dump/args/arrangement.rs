//! Where a site has what, for all commands that read or write one.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum, ValueHint};
use ctdl_dump::site::Arrangement;
use ctdl_dump::site::arrangement::{ArrangementError, Class, DEBIAN_ROOT, machine_of};

use super::copying::USUAL_SITE;
use crate::error::{Usage, usage};

/// The directories of a site that is spread over several. Servers of 980 have all in one.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "A site in several directories")]
pub struct ArrangementOptions {
    /// How the server was built: with everything in one directory, or as in Debian's packages of releases until 902
    #[arg(long, value_name = "HOW", value_enum)]
    pub arrangement: Option<Preset>,
    /// The directory of `data/`, `files/`, `bio/`, `images/`, `info/` and `userpics/`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub datadir: Option<PathBuf>,
    /// The directory of `citadel.config`, `citadel.control` and `refcount_adjustments.dat`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub autosysconfdir: Option<PathBuf>,
    /// The directory of `netconfigs/`, `public_clients`, `citadel.rc` and `mail.aliases`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub sysconfdir: Option<PathBuf>,
    /// The directory of `messages/`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub staticdatadir: Option<PathBuf>,
    /// The directory of `help/`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub helpdir: Option<PathBuf>,
    /// The directory of `network/`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub spooldir: Option<PathBuf>,
    /// The directory of `citadel.key`, `citadel.csr` and `citadel.cer`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub ssldir: Option<PathBuf>,
    /// The directory of the sockets of a running server
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub rundir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// All in one directory
    Root,
    /// /var/lib/citadel, /etc/citadel, /etc/ssl/citadel, /var/spool/citadel, /usr/share/citadel-server, /var/run/citadel
    Debian,
}

impl ArrangementOptions {
    /// Whether anything was told.
    pub fn is_told(&self) -> bool {
        self.arrangement.is_some() || self.datadir.is_some() || self.named().next().is_some()
    }

    /// The site that is meant, where `site` is the directory that was named.
    pub fn of(&self, site: Option<&Path>) -> Result<Arrangement> {
        let usual = || site.unwrap_or(Path::new(USUAL_SITE)).to_owned();
        let site = match (self.arrangement, &self.datadir) {
            (Some(Preset::Debian), datadir) => {
                let (root, classes) = Arrangement::debian(&self.machine(site)?, datadir.as_deref());
                Arrangement::new(&root, classes.into_iter().chain(self.named()))
            }
            (_, None) => Arrangement::new(&usual(), self.named()),
            (_, Some(datadir)) => Arrangement::with_home(datadir, Some(&usual()), self.named()),
        };
        Ok(site.map_err(|error: ArrangementError| Usage(error.to_string()))?)
    }

    /// The root of the file system that a site of Debian's packages is on: another machine's may be mounted somewhere.
    fn machine(&self, site: Option<&Path>) -> Result<PathBuf> {
        let Some(site) = site else { return Ok(PathBuf::from("/")) };
        match machine_of(site) {
            Some(machine) => Ok(machine),
            None => usage!(
                "with --arrangement debian the site is the directory {DEBIAN_ROOT} of a machine, and {} is none; if only the tables are in another place, name that with --datadir",
                site.display()
            ),
        }
    }

    fn named(&self) -> impl Iterator<Item = (Class, PathBuf)> {
        let named = [
            (Class::AutoSysConf, &self.autosysconfdir),
            (Class::SysConf, &self.sysconfdir),
            (Class::StaticData, &self.staticdatadir),
            (Class::Help, &self.helpdir),
            (Class::Spool, &self.spooldir),
            (Class::Ssl, &self.ssldir),
            (Class::Run, &self.rundir),
        ];
        named.into_iter().filter_map(|(class, directory)| Some((class, directory.clone()?)))
    }
}
