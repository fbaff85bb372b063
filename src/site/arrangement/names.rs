//! Which file is of which class: its name in the directory of the class, and the record that it becomes. (From Citadel's `calc_dirs_n_files`,
//! releases 737 to 902.)

use super::Class;

/// Class, name in its directory, key of the record. What stands in another directory of the table than its record says comes first.
const NAMES: [(Class, &[u8], &[u8]); 14] = [
    // A server without --with-sysconfdir has it with the queues.
    (Class::SysConf, b"mail.aliases", ALIASES),
    (Class::Ssl, b"citadel.key", b"keys/citadel.key"),
    (Class::Ssl, b"citadel.csr", b"keys/citadel.csr"),
    (Class::Ssl, b"citadel.cer", b"keys/citadel.cer"),
    (Class::AutoSysConf, b"citadel.config", b"citadel.config"),
    (Class::AutoSysConf, b"citadel.control", b"citadel.control"),
    (Class::AutoSysConf, b"refcount_adjustments.dat", b"refcount_adjustments.dat"),
    (Class::SysConf, b"netconfigs", b"netconfigs"),
    (Class::SysConf, b"public_clients", b"public_clients"),
    (Class::SysConf, b"citadel.rc", b"citadel.rc"),
    (Class::SysConf, b"citadel_urlshorteners.rc", b"citadel_urlshorteners.rc"),
    (Class::StaticData, b"messages", b"messages"),
    (Class::Help, b"help", b"help"),
    (Class::Spool, b"network", b"network"),
];

/// The aliases of a site with one root.
pub(super) const ALIASES: &[u8] = b"network/mail.aliases";

/// The directory of keys in a site with one root.
pub(super) const KEYS: &[u8] = b"keys";

/// The class of the file that a record stands for, and its path below the directory of that class.
pub(super) fn of_record(record: &[u8]) -> Option<(Class, Vec<u8>)> {
    if let Some(rest) = below(record, KEYS) {
        return Some((Class::Ssl, rest.strip_prefix(b"/").unwrap_or(rest).to_vec()));
    }
    NAMES.iter().find_map(|(class, name, key)| Some((*class, [name, below(record, key)?].concat())))
}

/// The record that a file of this name in the directory of a class becomes.
pub(super) fn of_file(class: Class, name: &[u8]) -> Option<&'static [u8]> {
    NAMES.iter().find(|(of, known, _)| *of == class && *known == name).map(|(_, _, record)| *record)
}

/// Whether this is the name of something in a site's root that is exchanged as one: no other directory may lie in it.
pub(super) fn is_part(name: &[u8]) -> bool {
    const STAYING: [&[u8]; 8] = [b"data", b"files", b"images", b"info", b"bio", b"userpics", b"dspam", b"bitbucket"];
    STAYING.contains(&name) || name == KEYS || NAMES.iter().any(|(_, known, _)| *known == name)
}

/// What of a path is left behind `directory`: nothing, or a slash and more; `None` if it isn't below it.
fn below<'p>(path: &'p [u8], directory: &[u8]) -> Option<&'p [u8]> {
    path.strip_prefix(directory).filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
