//! Whether an arrangement fits what is there.

use std::path::{Path, PathBuf};

use super::{Arrangement, Class, machine_of};

/// What a person should know before a site is read in this arrangement, so that nothing is left behind in silence: directories that are not
/// there, and a site that looks spread out though no arrangement was told.
pub fn hints(site: &Arrangement) -> Vec<String> {
    if site.data().is_dir() && *site == Arrangement::one_root(site.root()) {
        let machine = machine_of(site.root()).unwrap_or_else(|| PathBuf::from("/"));
        return spread_out(site.root(), &machine).into_iter().collect();
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

/// Every release installs `messages/`, and servers until 902 make `netconfigs/`.
fn spread_out(root: &Path, machine: &Path) -> Option<String> {
    let etc = machine.join("etc/citadel");
    let is_there = |name: &str| !root.join(name).exists() && etc.join(name).exists();
    let there: Vec<&str> = match root.join("messages").exists() {
        true => Vec::new(),
        false => ["messages", "netconfigs"].into_iter().filter(|name| is_there(name)).collect(),
    };
    let in_data = root.join("data/citadel.config").exists() || root.join("data/citadel.control").exists();
    let why = match there.as_slice() {
        [] if in_data => format!("{} has citadel.config or citadel.control", root.join("data").display()),
        [] => return None,
        there => format!("{} is not in it, but in {}", there.join("/, ") + "/", etc.display()),
    };
    Some(format!(
        "{} looks like a part of a site that is spread over several directories: {why}; to take all of it say --arrangement debian, or name each directory (--sysconfdir, --staticdatadir ...)",
        root.display()
    ))
}
