//! The journal of an exchange: what is to change places, written before anything does.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::place::Place;
use super::steps::Fs;
use super::{InstallError, Mode};
use crate::site::claim::{escape, unescape};

const FIRST_LINE: &str = "ctdl-dump-journal 1";

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
    /// One component.
    pub(super) name: OsString,
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
}

impl Journal {
    /// Writes and syncs the journal; when this returns it is sure to be found after a power cut, and before it does there is none.
    pub(super) fn write(&self, fs: &Fs, place: &Place) -> Result<(), InstallError> {
        let fresh = place.workshop().join("journal.new");
        fs.unlink(&fresh)?;
        fs.make_file(&fresh, self.text().as_bytes())?;
        fs.rename_over(&fresh, &place.journal())?;
        fs.sync_dir(place.workshop())?;
        fs.sync_dir(place.around())
    }

    /// Reads the journal of a workshop, if there is one.
    pub(super) fn read(place: &Place) -> Result<Option<Self>, InstallError> {
        let path = place.journal();
        match fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes, place.mode(), &path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(InstallError::io("read", &path, error)),
        }
    }

    fn text(&self) -> String {
        let previous = self.previous.as_ref().map_or_else(|| "-".to_owned(), |name| escape(name.as_bytes()));
        let mut text = format!(
            "{FIRST_LINE}\nmode {}\nprevious {previous}\nlock {}\n",
            self.mode.word(),
            if self.lock_created { "created" } else { "found" },
        );
        for part in &self.parts {
            let side = match part.side {
                Side::Both => "both",
                Side::New => "new",
                Side::Old => "old",
            };
            text.push_str(&format!("part {side} {}\n", escape(part.name.as_bytes())));
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
        expect(FIRST_LINE)?;
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
        let mut journal = Self { mode, previous, lock_created: word == "created", parts: Vec::new() };
        loop {
            let (line, number) = expect("")?;
            if line == "end" {
                return Ok(journal);
            }
            let mut words = line.split(' ');
            let side = match (words.next(), words.next()) {
                (Some("part"), Some("both")) => Side::Both,
                (Some("part"), Some("new")) => Side::New,
                (Some("part"), Some("old")) => Side::Old,
                _ => return Err(bad(number, "neither a part nor the end")),
            };
            let name = words.next().and_then(one_name).ok_or_else(|| bad(number, "the name of the part is none"))?;
            journal.parts.push(Part { side, name });
        }
    }
}

/// The name of an entry of a directory: a journal never leads out of the place where it lies.
fn one_name(word: &str) -> Option<OsString> {
    let name = unescape(word)?;
    let bad = name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0);
    (!bad).then(|| OsString::from_vec(name))
}

/// `data` first: from the moment that it is exchanged the site is the new one.
pub(super) fn in_order(parts: &mut [Part]) {
    parts.sort_by(|one, other| {
        let later = |part: &Part| part.name.as_os_str() != OsStr::new("data");
        (later(one), &one.name).cmp(&(later(other), &other.name))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Journal {
        let part = |side, name: &[u8]| Part { side, name: OsString::from_vec(name.to_vec()) };
        Journal {
            mode: Mode::Parts,
            previous: Some("before 1".into()),
            lock_created: true,
            parts: vec![part(Side::Both, b"data"), part(Side::New, b"J\xf6rg\n%"), part(Side::Old, b"info")],
        }
    }

    #[test]
    fn a_journal_survives_being_written_and_read() {
        let journal = example();
        let read = Journal::parse(journal.text().as_bytes(), Mode::Parts, Path::new("j")).expect("readable");
        assert_eq!(read, journal);
    }

    #[test]
    fn a_journal_cut_anywhere_or_leading_elsewhere_is_refused() {
        let text = example().text();
        for end in 0..text.len() - 1 {
            let cut = text.get(..end).unwrap();
            assert!(Journal::parse(cut.as_bytes(), Mode::Parts, Path::new("j")).is_err(), "{cut}");
        }
        for (from, to) in
            [("data", "../data"), ("data", ".."), ("parts", "whole"), ("before%201", "%"), ("both", "all")]
        {
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
