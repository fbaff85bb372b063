//! The undo record: what is to be undone in a server, written down before it is done.
//!
//! One file for each site, in the state directory. Its name is the end of the site's path and a digest of the whole, with `.undo` behind.
//! Lines of a word and its values, parted by blanks; paths and strings with `%XX` for each byte that is not plain:
//!
//! ```text
//! ctdl-dump-undo 1
//! site /srv/citadel                          real path of the site
//! data /srv/citadel/data                     its tables; whoever owns them may be at the other end of the socket
//! host mail                                  the machine, and this run of it: a process of another run is no more
//! boot 2f1c...
//! worker 4711 9001                           process that wants the change, and its start in clock ticks after boot
//! expire 30000                               milliseconds without a sign of life after which all is undone
//! admin-socket /srv/citadel/citadel-admin.socket
//! server-start 1795520471                    4th field of TIME
//! max-sessions absent                        or its value: what c_maxsessions is without us
//! repair sendcommand%20-h...                 what a person can type instead of us
//! guardian 4712 9002                         added by the guardian once it holds the lock
//! ```
//!
//! For a frozen server there is `frozen PID START MILLISECONDS` instead of `admin-socket`, `server-start` and `max-sessions`: the process and the
//! longest that it may be stopped. The record of a server that was left closed has `.left` at the end of its name. A last line without an end is ignored: the guardian was killed while it wrote it.

mod escape;
mod file;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use self::escape::shell_word;
use self::escape::{escape, unescape};
pub(super) use self::file::{RecordFile, Taken, left_records, records};
use super::LiveError;
use super::process::{boot_id, host_name, start_time};
use super::undo::OURS;

const FIRST_LINE: &str = "ctdl-dump-undo 1";

/// What a site's own limit of sessions was before it was changed, which is what an archive must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    /// There was no such setting. It can't be made so again through the server: it becomes 0, which means the same.
    Absent,
    /// The value as it stands in the setting.
    Value(String),
}

impl Original {
    /// What `CONF GETVAL` has answered, if it could be put back as it is: plain characters, and no bar, which parts arguments.
    pub(super) fn from_setting(value: Option<Vec<u8>>) -> Result<Self, LiveError> {
        let Some(value) = value else { return Ok(Original::Absent) };
        let is_plain = value.len() <= 64 && value.iter().all(|&byte| (b' '..0x7f).contains(&byte) && byte != b'|');
        match String::from_utf8(value) {
            Ok(value) if is_plain => Ok(Original::Value(value)),
            Ok(value) => Err(LiveError::StrangeLimit { value }),
            Err(error) => {
                Err(LiveError::StrangeLimit { value: String::from_utf8_lossy(error.as_bytes()).into_owned() })
            }
        }
    }

    /// What the setting must become.
    pub(super) fn restored(&self) -> &str {
        match self {
            Original::Absent => "0",
            Original::Value(value) => value,
        }
    }
}

/// What is changed in a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// `c_maxsessions` becomes 1.
    MaxSessions {
        socket: PathBuf,
        /// When the server was started, by its own account, in seconds since 1970.
        server_start: u64,
        original: Original,
    },
    /// A process is stopped.
    Frozen { pid: u32, started: u64, limit: Duration },
}

/// A process, as far as a record knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) pid: u32,
    pub(super) started: u64,
}

impl Who {
    pub(super) fn this_process() -> Self {
        let pid = std::process::id();
        Who { pid, started: start_time(pid).unwrap_or(0) }
    }

    pub(super) fn is_alive(self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

/// An undo record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) site: PathBuf,
    pub(super) data: PathBuf,
    pub(super) host: String,
    pub(super) boot: String,
    pub(super) worker: Who,
    pub(super) guardian: Option<Who>,
    pub(super) expire: Duration,
    pub(super) change: Change,
}

impl Record {
    /// A record of this process, for a site whose paths are real ones.
    pub(super) fn new(site: PathBuf, data: PathBuf, expire: Duration, change: Change) -> Result<Self, LiveError> {
        let proc = Path::new("/proc/sys/kernel");
        Ok(Record {
            site,
            data,
            host: host_name().map_err(|error| LiveError::io("read", proc, error))?,
            boot: boot_id().map_err(|error| LiveError::io("read", proc, error))?,
            worker: Who::this_process(),
            guardian: None,
            expire,
            change,
        })
    }

    /// The line that a person can type to undo it.
    pub(super) fn repair(&self) -> String {
        match &self.change {
            Change::MaxSessions { original, .. } => repair_of_limit(&self.site, original),
            Change::Frozen { pid, .. } => format!("kill -CONT {pid}"),
        }
    }

    /// Whether the server's own limit was what we would make it: then it was left closed before, or meant so.
    fn holds_our_limit(&self) -> bool {
        matches!(&self.change, Change::MaxSessions { original, .. } if original.restored() == OURS)
    }

    /// Whether processes that it names are of this machine, since it was started.
    pub(super) fn is_of_this_boot(&self) -> bool {
        boot_id().is_ok_and(|boot| boot == self.boot)
    }

    /// The name of a site's record.
    pub(super) fn file_name(site: &Path) -> String {
        let path = site.as_os_str().as_encoded_bytes();
        let readable = escape(path.trim_ascii_end().rsplit(|&byte| byte == b'/').next().unwrap_or_default());
        let readable: String = readable.chars().filter(|sign| *sign != '/').take(60).collect();
        format!("{readable}-{}.undo", &blake3::hash(path).to_hex()[..16])
    }

    pub(super) fn text(&self) -> String {
        let path = |path: &Path| escape(path.as_os_str().as_encoded_bytes());
        let mut text = format!("{FIRST_LINE}\nsite {}\ndata {}\n", path(&self.site), path(&self.data));
        text.push_str(&format!("host {}\nboot {}\n", escape(self.host.as_bytes()), escape(self.boot.as_bytes())));
        text.push_str(&format!("worker {} {}\n", self.worker.pid, self.worker.started));
        text.push_str(&format!("expire {}\n", self.expire.as_millis()));
        match &self.change {
            Change::MaxSessions { socket, server_start, original } => {
                text.push_str(&format!("admin-socket {}\nserver-start {server_start}\n", path(socket)));
                text.push_str(&match original {
                    Original::Absent => "max-sessions absent\n".to_owned(),
                    Original::Value(value) => format!("max-sessions value {}\n", escape(value.as_bytes())),
                });
            }
            Change::Frozen { pid, started, limit } => {
                text.push_str(&format!("frozen {pid} {started} {}\n", limit.as_millis()));
            }
        }
        text.push_str(&format!("repair {}\n", escape(self.repair().as_bytes())));
        if let Some(guardian) = self.guardian {
            text.push_str(&guardian_line(guardian));
        }
        text
    }

    /// What a record says; an error tells what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut lines = whole.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(format!("its first line is not \"{FIRST_LINE}\""));
        }
        let mut words = std::collections::BTreeMap::new();
        for line in lines {
            let (word, rest) = line.split_once(' ').ok_or_else(|| format!("the line {line:?} has no value"))?;
            if words.insert(word, rest).is_some() {
                return Err(format!("it has two lines {word:?}"));
            }
        }
        let words = Words(words);
        let change = match words.0.get("frozen") {
            Some(_) => {
                let [pid, started, limit] = words.numbers("frozen")?;
                let pid = u32::try_from(pid).map_err(|_| "its process number is too large")?;
                Change::Frozen { pid, started, limit: Duration::from_millis(limit) }
            }
            None => Change::MaxSessions {
                socket: words.path("admin-socket")?,
                server_start: words.numbers::<1>("server-start")?[0],
                original: words.original()?,
            },
        };
        Ok(Record {
            site: words.path("site")?,
            data: words.path("data")?,
            host: words.string("host")?,
            boot: words.string("boot")?,
            worker: words.who("worker")?,
            guardian: words.0.get("guardian").map(|_| words.who("guardian")).transpose()?,
            expire: Duration::from_millis(words.numbers::<1>("expire")?[0]),
            change,
        })
    }
}

/// The line that a person can type to give a server its own limit of sessions.
pub(super) fn repair_of_limit(site: &Path, original: &Original) -> String {
    let command = format!("CONF PUTVAL|c_maxsessions|{}", original.restored());
    format!("sendcommand -h {} {}", shell_word(site), shell_word(Path::new(&command)))
}

/// The line that a guardian adds.
fn guardian_line(guardian: Who) -> String {
    format!("guardian {} {}\n", guardian.pid, guardian.started)
}

/// The lines of a record by their first word.
struct Words<'a>(std::collections::BTreeMap<&'a str, &'a str>);

impl Words<'_> {
    fn get(&self, word: &str) -> Result<&str, String> {
        self.0.get(word).copied().ok_or_else(|| format!("it has no line {word:?}"))
    }

    fn bytes(&self, word: &str) -> Result<Vec<u8>, String> {
        unescape(self.get(word)?).ok_or_else(|| format!("its line {word:?} is garbled"))
    }

    fn string(&self, word: &str) -> Result<String, String> {
        String::from_utf8(self.bytes(word)?).map_err(|_| format!("its line {word:?} is no text"))
    }

    fn path(&self, word: &str) -> Result<PathBuf, String> {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(self.bytes(word)?));
        if path.is_absolute() { Ok(path) } else { Err(format!("its line {word:?} is no whole path")) }
    }

    fn numbers<const N: usize>(&self, word: &str) -> Result<[u64; N], String> {
        let numbers: Option<Vec<u64>> = self.get(word)?.split(' ').map(|number| number.parse().ok()).collect();
        numbers
            .and_then(|numbers| numbers.try_into().ok())
            .ok_or_else(|| format!("its line {word:?} does not hold {N} numbers"))
    }

    fn who(&self, word: &str) -> Result<Who, String> {
        let [pid, started] = self.numbers(word)?;
        Ok(Who { pid: u32::try_from(pid).map_err(|_| "its process number is too large")?, started })
    }

    fn original(&self) -> Result<Original, String> {
        let text = self.get("max-sessions")?;
        let value = match text.split_once(' ') {
            None if text == "absent" => None,
            Some(("value", value)) => Some(unescape(value).ok_or("its line \"max-sessions\" is garbled")?),
            _ => return Err("its line \"max-sessions\" is neither absent nor a value".into()),
        };
        Original::from_setting(value).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
