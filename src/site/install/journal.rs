//! The journal of an exchange: what is to change places, written before anything does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::anchor::shown;
use super::place::Place;
use super::steps::Fs;
use super::workshop::read_orders;
use super::{InstallError, Mode};
use crate::site::claim::{escape, unescape};

/// Of a site with one root, which programs from before there were others understand.
const ONE_ROOT: &str = "ctdl-dump-journal 1";
/// Of a site in several directories.
const SPREAD: &str = "ctdl-dump-journal 2";

/// On which side a part exists before the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Both,
    New,
    Old,
}

/// One part of a site that changes places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) side: Side,
    /// In which of the site's directories: 0 is the root, the others have the order of `bases`.
    pub(super) base: usize,
    /// One component.
    pub(super) name: OsString,
}

/// What the directory of the keys is to be when the exchange is over, if it lies beside the root: it is a record, and can't be exchanged itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyDirectory {
    pub(super) base: usize,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) mtime: (i64, i64),
}

/// All that is needed to finish an exchange, or to undo it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journal {
    pub(super) mode: Mode,
    /// The name under which the old site is kept; none if there is none worth keeping.
    pub(super) previous: Option<OsString>,
    /// Whether the target had no `citadel.lock` before.
    pub(super) lock_created: bool,
    /// In the order of the exchange; empty for a whole one.
    pub(super) parts: Vec<Part>,
    pub(super) keys: Option<KeyDirectory>,
}

impl Journal {
    /// Writes and syncs the journal; when this returns it is sure to be found after a power cut, and before it does there is none.
    pub(super) fn write(&self, fs: &Fs, place: &Place) -> Result<(), InstallError> {
        let fresh = place.inside("journal.new");
        fs.unlink(&fresh)?;
        fs.make_file(&fresh, self.text().as_bytes())?;
        fs.rename_over(&fresh, &place.journal())?;
        fs.sync_dir(&place.itself())?;
        fs.sync_dir(place.around())
    }

    /// Reads the journal of a workshop, if there is one.
    pub(super) fn read(place: &Place) -> Result<Option<Self>, InstallError> {
        let path = place.journal();
        let Some(bytes) = read_orders(&path)? else { return Ok(None) };
        let path = shown(&path);
        let journal = Self::parse(&bytes, place.mode(), &path)?;
        let bases = place.annexes().len();
        let named = journal.parts.iter().map(|part| part.base).chain(journal.keys.map(|keys| keys.base));
        match named.max() {
            Some(last) if last > bases => {
                let reason =
                    format!("it speaks of directory {last}, and {} names {bases}", shown(&place.bases()).display());
                Err(InstallError::Journal { path, line: 0, reason })
            }
            _ => Ok(Some(journal)),
        }
    }

    fn text(&self) -> String {
        let previous = self.previous.as_ref().map_or_else(|| "-".to_owned(), |name| escape(name.as_bytes()));
        let is_spread = self.keys.is_some() || self.parts.iter().any(|part| part.base > 0);
        let first = if is_spread { SPREAD } else { ONE_ROOT };
        let mut text = format!(
            "{first}\nmode {}\nprevious {previous}\nlock {}\n",
            self.mode.word(),
            if self.lock_created { "created" } else { "found" },
        );
        for part in &self.parts {
            let side = match part.side {
                Side::Both => "both",
                Side::New => "new",
                Side::Old => "old",
            };
            text.push_str(&format!("part {side} {}", escape(part.name.as_bytes())));
            if part.base > 0 {
                text.push_str(&format!(" {}", part.base));
            }
            text.push('\n');
        }
        if let Some(KeyDirectory { base, mode, owner: (uid, gid), mtime: (seconds, nanoseconds) }) = self.keys {
            text.push_str(&format!("keys {base} {mode:o} {uid} {gid} {seconds} {nanoseconds}\n"));
        }
        text.push_str("end\n");
        text
    }

    fn parse(bytes: &[u8], mode: Mode, path: &Path) -> Result<Self, InstallError> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines().zip(1..);
        let bad = |line, reason: &str| InstallError::Journal { path: path.to_owned(), line, reason: reason.to_owned() };
        let mut expect = |what: &str| {
            let (line, number) = lines.next().ok_or_else(|| bad(0, "it ends too early"))?;
            let value = line.strip_prefix(what).ok_or_else(|| bad(number, &format!("{what:?} is missing")))?;
            Ok::<_, InstallError>((value.to_owned(), number))
        };
        let (first, _) = expect("ctdl-dump-journal ")?;
        if first != "1" && first != "2" {
            return Err(bad(1, "another version of ctdl-dump has written it; run that one"));
        }
        let (word, number) = expect("mode ")?;
        if word != mode.word() {
            return Err(bad(number, "its mode does not fit the place where it lies"));
        }
        let (word, number) = expect("previous ")?;
        let previous = match word.as_str() {
            "-" => None,
            word => Some(one_name(word).ok_or_else(|| bad(number, "the name of the previous site is none"))?),
        };
        let (word, _) = expect("lock ")?;
        let mut journal = Self { mode, previous, lock_created: word == "created", parts: Vec::new(), keys: None };
        loop {
            let (line, number) = expect("")?;
            if line == "end" {
                return Ok(journal);
            }
            if let Some(keys) = line.strip_prefix("keys ") {
                journal.keys = Some(key_directory(keys).ok_or_else(|| bad(number, "six numbers are missing"))?);
                continue;
            }
            let mut words = line.split(' ');
            let side = match (words.next(), words.next()) {
                (Some("part"), Some("both")) => Side::Both,
                (Some("part"), Some("new")) => Side::New,
                (Some("part"), Some("old")) => Side::Old,
                _ => return Err(bad(number, "neither a part nor the end")),
            };
            let name = words.next().and_then(one_name).ok_or_else(|| bad(number, "the name of the part is none"))?;
            let base = words.next().map_or(Ok(0), str::parse).map_err(|_| bad(number, "the directory is no number"))?;
            journal.parts.push(Part { side, base, name });
        }
    }
}

/// The name of an entry of a directory: a journal never leads out of the place where it lies.
fn one_name(word: &str) -> Option<OsString> {
    let name = unescape(word)?;
    let bad = name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0);
    (!bad).then(|| OsString::from_vec(name))
}

fn key_directory(words: &str) -> Option<KeyDirectory> {
    let mut words = words.split(' ');
    Some(KeyDirectory {
        base: words.next()?.parse().ok()?,
        mode: u32::from_str_radix(words.next()?, 8).ok()?,
        owner: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
        mtime: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
    })
}

/// `data` first: from the moment that it is exchanged the site is the new one. Then the rest of the root, then the other directories.
pub(super) fn in_order(parts: &mut [Part]) {
    parts.sort_by(|one, other| {
        let later = |part: &Part| part.base > 0 || part.name.as_os_str() != OsStr::new("data");
        (later(one), one.base, &one.name).cmp(&(later(other), other.base, &other.name))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Journal {
        let part = |side, name: &[u8]| Part { side, base: 0, name: OsString::from_vec(name.to_vec()) };
        Journal {
            mode: Mode::Parts,
            previous: Some("before 1".into()),
            lock_created: true,
            parts: vec![part(Side::Both, b"data"), part(Side::New, b"J\xf6rg\n%"), part(Side::Old, b"info")],
            keys: None,
        }
    }

    fn spread() -> Journal {
        let mut journal = example();
        journal.parts.push(Part { side: Side::Both, base: 2, name: "citadel.key".into() });
        let keys = KeyDirectory { base: 2, mode: 0o750, owner: (0, 33), mtime: (1_795_500_572, 7) };
        Journal { keys: Some(keys), ..journal }
    }

    #[test]
    fn a_journal_survives_being_written_and_read() {
        for journal in [example(), spread()] {
            let read = Journal::parse(journal.text().as_bytes(), Mode::Parts, Path::new("j")).expect("readable");
            assert_eq!(read, journal);
        }
    }

    #[test]
    fn a_journal_cut_anywhere_or_leading_elsewhere_is_refused() {
        let text = spread().text();
        for end in 0..text.len() - 1 {
            let cut = text.get(..end).unwrap();
            assert!(Journal::parse(cut.as_bytes(), Mode::Parts, Path::new("j")).is_err(), "{cut}");
        }
        for (from, to) in [
            ("data", "../data"),
            ("data", ".."),
            ("parts", "whole"),
            ("before%201", "%"),
            ("both", "all"),
            ("key 2", "key x"),
            ("750", "8"),
            ("journal 2", "journal 3"),
        ] {
            let bad = text.replacen(from, to, 1);
            assert!(Journal::parse(bad.as_bytes(), Mode::Parts, Path::new("j")).is_err(), "{bad}");
        }
    }

    #[test]
    fn data_is_exchanged_first() {
        let mut parts = example().parts;
        parts.reverse();
        in_order(&mut parts);
        assert_eq!(parts.first().map(|part| part.name.clone()), Some(OsString::from("data")));
    }
}
