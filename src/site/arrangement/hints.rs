//! Whether an arrangement fits what is there.

use std::path::{Path, PathBuf};

use super::{Arrangement, Class, machine_of};

/// What a person should know before a site is read in this arrangement, so that nothing is left behind in silence: directories that are not
/// there, and a site that looks spread out though no arrangement was told.
pub fn hints(site: &Arrangement) -> Vec<String> {
    if site.data().is_dir() && *site == Arrangement::one_root(site.root()) {
        return foreign_to_one_root(site.root()).map(|why| spread(site.root(), &why)).into_iter().collect();
    }
    // Help texts came with the server, and later releases have none.
    let is_looked_for = |class| !matches!(class, Class::Run | Class::Help);
    let missing = site.elsewhere.iter().filter(|(class, directory)| is_looked_for(**class) && !directory.is_dir());
    missing
        .map(|(class, directory)| {
            format!(
                "{} is not there: nothing is taken from it; if the server has it in another place, name that with --{}",
                directory.display(),
                class.option()
            )
        })
        .collect()
}

/// Why a directory looks like the root of a site that is spread over several, of which the server would not find what one directory alone gets: for an
/// import, before it writes a site with one root there.
pub fn looks_spread(root: &Path) -> Option<String> {
    // A directory without tables shows it only by its name.
    let is_told = root.join("data").is_dir() || machine_of(root).is_some();
    is_told.then(|| foreign_to_one_root(root)).flatten()
}

fn spread(root: &Path, why: &str) -> String {
    format!(
        "{} looks like a part of a site that is spread over several directories: {why}; to take all of it say --arrangement debian, or name each directory (--sysconfdir, --staticdatadir ...)",
        root.display()
    )
}

/// What no site with one root has there. Every release installs `messages/`, and servers until 902 make `netconfigs/`.
fn foreign_to_one_root(root: &Path) -> Option<String> {
    let machine = machine_of(root).unwrap_or_else(|| PathBuf::from("/"));
    let etc = machine.join("etc/citadel");
    let is_there = |name: &str| !root.join(name).exists() && etc.join(name).exists();
    let there: Vec<&str> = match root.join("messages").exists() {
        true => Vec::new(),
        false => ["messages", "netconfigs"].into_iter().filter(|name| is_there(name)).collect(),
    };
    let in_data = root.join("data/citadel.config").exists() || root.join("data/citadel.control").exists();
    match there.as_slice() {
        [] if in_data => Some(format!("{} has citadel.config or citadel.control", root.join("data").display())),
        [] => None,
        there => Some(format!("{} is not in it, but in {}", there.join("/, ") + "/", etc.display())),
    }
}
