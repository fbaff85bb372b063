//! The C structs that servers of old releases keep as files: made of several records, and written when the files come
//! (`format-spec/site.md`, section 7.1).

use super::{SiteSink, WriteSiteError};
use crate::codec::RecordHasher;
use crate::record::schema::{CONFIG_FILE, CONTROL_FILE, REFCOUNT_FILE};
use crate::record::{Body, Fields, Header, INLINE_BODY_BYTES, Kind};
use crate::site::layout::{self, Dialect};

/// The first release that has its settings in a table.
const FIRST_WITH_SETTINGS: i64 = 902;
/// A server's queue of reference counts is never so long.
const MOST_QUEUE_BYTES: usize = 16 << 20;

/// Collects what the files are made of.
#[derive(Default)]
pub(super) struct StructFiles {
    settings: Vec<Header>,
    controls: Vec<Header>,
    queue: Vec<u8>,
    has_level: bool,
}

/// A file, and the record that it would be if it were no struct.
struct StructFile {
    header: Header,
    content: Vec<u8>,
}

impl StructFiles {
    /// Takes a setting that comes from `citadel.config`.
    pub fn setting(&mut self, setting: &Header) {
        self.settings.push(setting.clone());
    }

    /// Looks at a record that becomes a pair, whether it is the setting that tells a server the site's release. Settings come before all else.
    ///
    /// # Errors
    /// Those of [`check_level`](Self::check_level), before anything large is written, and a number that is not the site's release.
    pub fn see(&mut self, header: &Header, body: &[u8], release: i64) -> Result<(), WriteSiteError> {
        let is_level =
            header.kind == Kind::Config && header.key.last_name() == Some(layout::RELEASE_SETTING.as_bytes());
        let number = || std::str::from_utf8(body).ok().and_then(|level| level.trim().parse::<i64>().ok());
        if let Some(level) = Some(is_level).filter(|is_level| *is_level).and_then(|_| number()) {
            self.has_level = true;
            if level != release && release >= FIRST_WITH_SETTINGS {
                return Err(WriteSiteError::OtherLevel { level, release });
            }
        }
        if header.kind == Kind::Config { Ok(()) } else { self.check_level(release) }
    }

    /// Fails if a server of this release would take the site for one of release 0.
    ///
    /// # Errors
    /// When there was no number of the release among the settings. Before release 902 it is in `citadel.control`.
    pub fn check_level(&self, release: i64) -> Result<(), WriteSiteError> {
        match self.has_level || release < FIRST_WITH_SETTINGS {
            true => Ok(()),
            false => Err(WriteSiteError::NoLevel { release }),
        }
    }

    /// Takes the record of a file.
    pub fn control(&mut self, control: &Header) {
        self.controls.push(control.clone());
    }

    /// Takes an entry of the queue of reference counts.
    pub fn refcount(
        &mut self,
        refcount: &Header,
        dialect: Dialect,
        is_same_layout: bool,
    ) -> Result<(), WriteSiteError> {
        let entry = layout::encode_refcount(refcount, dialect.layout, is_same_layout)?;
        if self.queue.len() + entry.len() > MOST_QUEUE_BYTES {
            return Err(WriteSiteError::ValueTooLong { limit: MOST_QUEUE_BYTES });
        }
        self.queue.extend_from_slice(&entry);
        Ok(())
    }

    /// The next file that has its place before this path; the last ones where there is none. They come in canonical order.
    ///
    /// # Errors
    /// When a number doesn't fit, or when there is content for a file of which there is no record.
    fn next_before(
        &mut self,
        path: Option<&[u8]>,
        dialect: Dialect,
        is_same_layout: bool,
    ) -> Result<Option<StructFile>, WriteSiteError> {
        let is_next = |control: &Header| path.is_none_or(|path| control.key.last_name() < Some(path));
        if !self.controls.first().is_some_and(is_next) {
            let left = [(CONFIG_FILE, self.settings.is_empty()), (REFCOUNT_FILE, self.queue.is_empty())];
            let missing = left.into_iter().find(|(name, is_empty)| !is_empty && path.is_none_or(|path| *name < path));
            return match missing {
                Some((name, _)) => {
                    Err(WriteSiteError::StructWithoutFile { file: String::from_utf8_lossy(name).into_owned() })
                }
                None => Ok(None),
            };
        }
        let control = self.controls.remove(0);
        let content = match control.key.last_name() {
            Some(CONFIG_FILE) => {
                layout::encode_config_file(dialect, &std::mem::take(&mut self.settings), &control, is_same_layout)?
            }
            Some(CONTROL_FILE) => layout::encode_control_file(&control, dialect.layout, is_same_layout)?,
            _ => {
                let mut queue = std::mem::take(&mut self.queue);
                queue.extend(layout::encode_refcount_tail(&control, is_same_layout)?);
                queue
            }
        };
        Ok(Some(StructFile { header: as_file(&control, &content), content }))
    }
}

impl SiteSink {
    /// Writes the structs whose place is before the file with this path; all that are left where there is none.
    pub(super) fn struct_files(&mut self, path: Option<&[u8]>) -> Result<(), WriteSiteError> {
        let is_same_layout = self.adapter.is_same_layout();
        while let Some(StructFile { header, content }) = self.structs.next_before(path, self.dialect, is_same_layout)? {
            let mut hasher = RecordHasher::default();
            hasher.begin(&header);
            if matches!(header.body, Some(Body::Segments(_))) {
                hasher.body(&content);
            }
            self.files.begin(&header)?;
            self.files.write(&content)?;
            self.files.end()?;
            self.checklist.record(header.kind, &header.key, &hasher.digest());
        }
        Ok(())
    }
}

fn as_file(control: &Header, content: &[u8]) -> Header {
    let mut fields = Fields::new();
    fields.set_string("type", "file");
    for (name, value) in control.fields.iter() {
        if matches!(name, "mode" | "mtime" | "mtime_ns" | "owner" | "group") {
            fields.set(name, value.clone());
        }
    }
    let body = if content.len() <= INLINE_BODY_BYTES {
        Body::Inline(content.to_vec())
    } else {
        Body::Segments(content.len() as u64)
    };
    Header { kind: Kind::File, key: control.key.clone(), fields, body: Some(body), residue: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;

    #[test]
    fn the_number_that_tells_a_server_the_release_must_be_there_and_be_that_of_the_site() {
        let header = |kind, name: &str| Header {
            kind,
            key: Key::name(name.as_bytes()),
            fields: Fields::new(),
            body: Some(Body::Inline(Vec::new())),
            residue: None,
        };
        let level = header(Kind::Config, "MM_hosted_upgrade_level");
        for (number, fits) in [
            ("980", true),
            (" 980 ", true),
            ("0", false),
            ("-1", false),
            ("979", false),
            ("9223372036854775807", false),
        ] {
            let seen = StructFiles::default().see(&level, number.as_bytes(), 980);
            assert_eq!(seen.is_ok(), fits, "{number}");
            assert!(
                fits || seen.unwrap_err().to_string().contains(&format!("is {number}, and the site is of release 980"))
            );
        }
        // What is no number tells nothing.
        let mut files = StructFiles::default();
        files.see(&level, b"many", 980).unwrap();
        assert!(matches!(
            files.see(&header(Kind::User, "bob"), b"", 980),
            Err(WriteSiteError::NoLevel { release: 980 })
        ));
        // Old servers have it in a file.
        StructFiles::default().see(&level, b"5", 772).unwrap();
    }
}
