//! Which names in a site's root and in `data/` are what. (Names of releases 732 to 980, from their sources and from real sites.)

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::FileTypeExt;

use super::Why;
use crate::site::arrangement::Class;
use crate::site::settled::{is_table_name, log_number};

/// What becomes of something in the root or in `data/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `data/`: the directory itself, and what [`in_data`] says of its files.
    Data,
    /// A directory whose whole contents are state.
    Tree,
    /// A file that is state.
    State,
    /// A log, or a directory of logs.
    Log,
    /// Read elsewhere.
    Elsewhere,
    /// Not carried.
    LeftOut(Why),
    /// A name that says nothing.
    Unknown,
}

/// Directories that are state with all that's in them; all but the first four are of old releases.
const TREES: [&[u8]; 12] = [
    b"files",
    b"messages",
    b"keys",
    b"images",
    b"info",
    b"bio",
    b"userpics",
    b"netconfigs",
    b"help",
    b"network",
    b"dspam",
    b"bitbucket",
];

/// Files that are state; all of old releases.
const FILES: [&[u8]; 8] = [
    b"citadel.config",
    b"citadel.control",
    b"refcount_adjustments.dat",
    b"public_clients",
    b"citadel.rc",
    b"mail.aliases",
    b"funambol message template",
    b"citadel_urlshorteners.rc",
];

const LOGS: [&[u8]; 4] = [b"citadel.log", b"calllog", b"panic.log", b"logs"];

/// The server's programs and the directories that come with them; those that begin with `webcit` or `ctdl`, or end with `.sh`, are known by that.
const PROGRAMS: [&[u8]; 20] = [
    b"citserver",
    b"sendcommand",
    b"setup",
    b"chkpwd",
    b"chkpw",
    b"aidepost",
    b"base64",
    b"msgform",
    b"citadel",
    b"citmail",
    b"getmail",
    b"userlist",
    b"whobbs",
    b"stress",
    b"dumpmsg",
    b"docs",
    b"include",
    b"lib",
    b"static",
    b"www",
];

/// What a name in the site's root means.
pub(super) fn in_root(name: &[u8]) -> Rule {
    if name == b"data" {
        return Rule::Data;
    }
    if TREES.contains(&name) {
        return Rule::Tree;
    }
    if FILES.contains(&name) {
        return Rule::State;
    }
    if LOGS.contains(&name) {
        return Rule::Log;
    }
    if is_our_own(name) {
        return Rule::LeftOut(Why::OurOwn);
    }
    if name == b"citadel.lock" || name.ends_with(b".pid") {
        return Rule::LeftOut(Why::Transient);
    }
    if is_core(name) {
        return Rule::LeftOut(Why::Core);
    }
    let program =
        PROGRAMS.contains(&name) || name.starts_with(b"webcit") || name.starts_with(b"ctdl") || name.ends_with(b".sh");
    if program {
        return Rule::LeftOut(Why::Program);
    }
    Rule::Unknown
}

/// What the record of something means that lies in a directory beside the root.
pub(super) fn of_record(record: &[u8]) -> Rule {
    // Single files of directories: keys and aliases.
    if record.contains(&b'/') { Rule::State } else { in_root(record) }
}

/// What something is that none of the classes of files has in this directory beside the root.
pub(super) fn beside_the_root(name: &[u8], metadata: &Metadata, classes: &BTreeSet<Class>) -> Why {
    if metadata.file_type().is_socket() {
        return Why::Transient;
    }
    match in_root(name) {
        Rule::LeftOut(why) => why,
        // Help texts lie among what the package has for the server.
        _ if classes.iter().all(|class| *class == Class::Help) => Why::Program,
        _ => Why::Foreign,
    }
}

/// What a name in `data/` means. Packages of 2008 to 2016 kept `citadel.config` and `citadel.control` there.
pub(super) fn in_data(name: &[u8]) -> Rule {
    let read_elsewhere = str::from_utf8(name).is_ok_and(|name| is_table_name(name) || log_number(name).is_some());
    if read_elsewhere {
        return Rule::Elsewhere;
    }
    if name.starts_with(b"__db.") {
        return Rule::LeftOut(Why::Region);
    }
    if name == b"DB_CONFIG" {
        return Rule::LeftOut(Why::DbConfig);
    }
    if is_our_own(name) {
        return Rule::LeftOut(Why::OurOwn);
    }
    if is_core(name) {
        return Rule::LeftOut(Why::Core);
    }
    if FILES.contains(&name) {
        return Rule::State;
    }
    Rule::Unknown
}

/// Whether a file's first bytes are those of a program: an ELF binary or a script.
pub(super) fn begins_like_a_program(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") || head.starts_with(b"#!")
}

/// What an import makes beside or inside its target, and the site that it replaced.
fn is_our_own(name: &[u8]) -> bool {
    let before = b".ctdl-dump-before-";
    name.starts_with(b".ctdl-dump") || name.windows(before.len()).any(|part| part == before)
}

/// `core` and `core.PID`.
fn is_core(name: &[u8]) -> bool {
    name.strip_prefix(b"core").is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
}
