//! One record as a line of a table: what matters of its kind, passwords never.

use ctdl_dump::record::{Body, Header, Kind, printable, printable_text};

use crate::mail::Entry;
use crate::utc;

/// What stands instead of a password.
const HIDDEN: &str = "(not shown; --json shows it)";

/// Access levels, by their number.
const LEVELS: [&str; 7] = ["deleted", "new", "problem", "local", "network", "preferred", "aide"];

/// Bits of a room's `flags`, and what they say.
const ROOM_FLAGS: [(i64, &str); 14] = [
    (1, "permanent"),
    (4, "private"),
    (8, "password"),
    (16, "guess-name"),
    (32, "files"),
    (64, "upload"),
    (128, "download"),
    (256, "visible-files"),
    (512, "anonymous"),
    (1024, "anonymous-option"),
    (2048, "network"),
    (4096, "preferred-only"),
    (8192, "read-only"),
    (16384, "mailbox"),
];

/// The bit of `flags` that every room has until it is deleted.
const ROOM_IN_USE: i64 = 2;

/// Bits of a room's `flags2`.
const ROOM_FLAGS2: [(i64, &str); 7] = [
    (1, "system"),
    (2, "list-subscription"),
    (4, "collaborative"),
    (8, "subject-required"),
    (16, "smtp-public"),
    (32, "moderated"),
    (64, "no-upload-notice"),
];

/// A record of any kind. `entry` is the entry of a message, or what of it is at hand.
pub fn row(header: &Header, entry: &[u8]) -> String {
    let int = |name| header.fields.int(name).unwrap_or_default();
    let text = |name| header.fields.bytes(name).map(printable).unwrap_or_default();
    let bytes = header.body.as_ref().map_or(0, Body::length);
    let key = &header.key;
    match header.kind {
        _ if header.fields.get("raw").is_some() => format!("{key} can't be interpreted; it is carried as it is"),
        Kind::Config => format!("{key} = {}", setting(header)),
        Kind::Control => match header.fields.int("version") {
            Some(version) => format!(
                "{key}  release {version}, message {}, user {}, room {} were the last",
                int("highest"),
                int("nextuser"),
                int("nextroom")
            ),
            None => format!("{key}  {}", utc::minute(int("mtime"))),
        },
        Kind::Refcount => format!("{key:>8}  message {} {:+}", int("msgnum"), int("delta")),
        Kind::Floor => {
            let unused = if int("flags") & 1 == 0 { ", not in use" } else { "" };
            format!("{key:>3}  {} ({} rooms{unused})", text("name"), int("ref_count"))
        }
        Kind::User => {
            let level = usize::try_from(int("axlevel")).ok().and_then(|level| LEVELS.get(level)).unwrap_or(&"?");
            let last = if int("lastcall") == 0 { "never".into() } else { utc::minute(int("lastcall")) };
            format!("{:>6}  {level:9}  {last:16}  {} <{}>", int("usernum"), text("fullname"), text("emailaddrs"))
        }
        Kind::Room => {
            let name = text("name");
            // `extract` wants the key, which is nearly always the name in lower case.
            let other_key = if name.to_ascii_lowercase() == key.to_string() { "" } else { &format!("  [{key}]") };
            format!(
                "{:>6}  {:>7}  floor {:2}  {name}{other_key}  ({})",
                int("number"),
                bytes / 8,
                int("floor"),
                room_flags(header)
            )
        }
        Kind::Message => {
            let entry = Entry::parse(entry);
            let field = |letter| entry.get(letter).map(printable).unwrap_or_default();
            let time = entry.time().map(utc::minute).unwrap_or_default();
            format!("{:>8}  {bytes:>10}  {time:16}  {:24}  {}", key.to_string(), field(b'A'), field(b'U'))
        }
        Kind::File => {
            let arrow = header.fields.bytes("target").map(|target| format!(" -> {}", printable(target)));
            let (mode, time) = match header.fields.int("mode") {
                Some(mode) => (format!("{mode:04o}"), utc::minute(int("mtime"))),
                None => (String::new(), String::new()),
            };
            format!("{:9}  {mode:4}  {time:16}  {bytes:>10}  {key}{}", text("type"), arrow.unwrap_or_default())
        }
        Kind::Log => format!("{:04o}  {}  {bytes:>10}  {key}", int("mode"), utc::minute(int("mtime"))),
        Kind::Loss | Kind::Omitted => {
            let why = header.fields.bytes("why").unwrap_or_default();
            format!("{key}: {}", printable_text(why))
        }
        Kind::List | Kind::Fulltext => format!("{key:>8}  {} messages", bytes / 8),
        Kind::Visit => format!(
            "{key}  last seen {}, seen {}, answered {}, flags {}, view {}",
            int("lastseen"),
            text("seen"),
            text("answered"),
            int("flags"),
            int("view")
        ),
        Kind::Use => format!("{key:>11}  {}", utc::minute(int("time"))),
        Kind::Useid => format!("{}  {key}", utc::minute(int("time"))),
        Kind::Directory | Kind::Usernumber => format!("{key}  {}", text("user")),
        Kind::Openid => format!("{key}  user {}", int("usernum")),
        Kind::Euid => format!("{key}  message {}", int("msgnum")),
        Kind::Table => format!("{key}  {bytes} bytes"),
    }
}

/// The value of a setting; those with passwords are named `c_ldap_bind_pw` and `c_master_pass`, and unknown ones perhaps alike.
fn setting(header: &Header) -> String {
    let name = header.key.to_string().to_ascii_lowercase();
    match &header.body {
        Some(Body::Inline(value)) if !value.is_empty() && (name.contains("pass") || name.ends_with("_pw")) => {
            HIDDEN.into()
        }
        Some(Body::Inline(value)) => printable(value),
        body => format!("({} bytes)", body.as_ref().map_or(0, Body::length)),
    }
}

fn room_flags(header: &Header) -> String {
    let (flags, flags2) =
        (header.fields.int("flags").unwrap_or_default(), header.fields.int("flags2").unwrap_or_default());
    let words = |flags: i64, known: &'static [(i64, &str)]| known.iter().filter(move |(bit, _)| flags & bit != 0);
    let mut words: Vec<&str> =
        words(flags, &ROOM_FLAGS).chain(words(flags2, &ROOM_FLAGS2)).map(|(_, word)| *word).collect();
    if flags & ROOM_IN_USE == 0 {
        words.push("deleted");
    }
    if flags & 4 != 0 && flags & (8 | 16) == 0 {
        words.push("invitation-only");
    }
    if words.is_empty() { "public".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctdl_dump::record::{Fields, Key};

    fn config(name: &str, value: &str) -> Header {
        let body = Some(Body::Inline(value.into()));
        Header { kind: Kind::Config, key: Key::name(name), fields: Fields::new(), body, residue: None }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(row(&config("c_nodename", "here"), b""), "c_nodename = here");
        for name in ["c_ldap_bind_pw", "c_master_pass"] {
            assert!(!row(&config(name, "secret"), b"").contains("secret"), "{name}");
        }
    }
}
