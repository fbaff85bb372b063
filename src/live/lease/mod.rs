//! A lease: a server that is held in a state in which its site can be copied.

mod ending;
mod guard;
mod users;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::ending::Ending;
use self::guard::Guard;
use self::users::Users;
use self::watch::Watch;
use super::admin::Admin;
use super::left::left_closed;
use super::process::Process;
use super::record::{Change, Original, Record, RecordFile, Taken, repair_of_limit};
use super::undo::{LIMIT, OURS, Outcome, owner_of, take, undo_leftover};
use super::{LiveError, Means, Server};
use crate::monitor::Monitor;

/// Releases whose limit of sessions can be set from here, and refuses new sessions at once.
const SINGLE_USER_RELEASES: [&str; 2] = ["902", "980"];
/// The longest time for which a server is frozen: clients and other mail servers give up after about half a minute.
const FROZEN_AT_MOST: Duration = Duration::from_secs(60);
/// How long a worker that freezes a server may be silent.
const FROZEN_SILENCE: Duration = Duration::from_secs(10);

/// A running server that is held still. When this is dropped, all is undone, as well as by [`Lease::release`], which says whether it went well.
#[must_use = "the server is let go when the lease is dropped"]
pub struct Lease<'m> {
    /// Gone when the lease is over.
    core: Option<Core>,
    monitor: &'m dyn Monitor,
}

struct Core {
    watch: Watch,
    held: Held,
    site: PathBuf,
}

/// What is held, as the worker can see it.
enum Held {
    Sessions {
        admin: Option<Admin>,
        socket: PathBuf,
        data: PathBuf,
        server_start: u64,
        /// The site's own limit of sessions. That of a server that was left closed is another one than what the lease has found, and puts back.
        own: Original,
    },
    Process(Process),
}

impl<'m> Lease<'m> {
    /// Nobody but us is on: new sessions are refused, those who are on are asked to leave, and cut off after `wait`. If this process is silent for
    /// `expire`, its guardian undoes everything.
    ///
    /// Some things may still be written: by housekeeping, by aides who come by POP3 or XMPP. Whoever copies must see that the end of the log
    /// stands still.
    ///
    /// They are asked by `REQT`, which leaves no trace in the site. A page would have a text of ours, but a server makes a message of each, in a room that
    /// it makes for it.
    pub fn single_user(
        server: &Server,
        wait: Duration,
        expire: Duration,
        means: &Means,
        monitor: &'m dyn Monitor,
    ) -> Result<Self, LiveError> {
        let (site, data, socket) = (real(&server.site)?, real(&server.data)?, real(&server.admin_socket)?);
        let mut admin = Admin::open(&socket, owner_of(&data)?)?;
        let info = admin.info()?;
        if !SINGLE_USER_RELEASES.contains(&info.release.as_str()) {
            return Err(LiveError::Release { release: info.release });
        }
        let server_start = admin.server_start()?;
        let original = Original::from_setting(admin.setting(LIMIT)?)?;
        let own = own_limit(&original, &means.state_dir, &site, monitor)?;
        let change = Change::MaxSessions { socket: socket.clone(), server_start, original };
        let record = Record::new(site.clone(), data.clone(), expire, change)?;
        let guard = Guard::start(claim(&means.state_dir, &record, monitor)?, means, monitor)?;
        notice("the server refuses new sessions", &record, monitor);
        let users = Users::new([info.session, guard.session()], wait);
        let watch = guard.hold(None, monitor)?;
        let held = Held::Sessions { admin: None, socket, data, server_start, own };
        // From here on all is undone whatever goes wrong.
        let mut lease = Lease { core: Some(Core { watch, held, site }), monitor };
        if let Some(Core { watch, held: Held::Sessions { admin: kept, .. }, .. }) = &mut lease.core {
            users.wait_until_gone(&mut admin, watch, monitor)?;
            *kept = Some(admin);
        }
        Ok(lease)
    }

    /// The process of the server stands still: nothing is written, and all clients wait. For `limit` at most, and for a minute at most.
    ///
    /// Needs root, or the server's own user if it was started by him: of one that was started by root nobody else sees which files it has open.
    pub fn freeze(
        server: &Server,
        limit: Duration,
        means: &Means,
        monitor: &'m dyn Monitor,
    ) -> Result<Self, LiveError> {
        let (site, data) = (real(&server.site)?, real(&server.data)?);
        let pid = server.pid.ok_or(LiveError::NoProcess)?;
        let process = Process::open(pid, None)?.ok_or(LiveError::NoProcess)?;
        process.check_works_on(&data)?;
        if process.is_stopped() {
            return Err(LiveError::AlreadyStopped { pid });
        }
        let limit = limit.min(FROZEN_AT_MOST);
        let change = Change::Frozen { pid, started: process.started(), limit };
        let record = Record::new(site.clone(), data, limit.min(FROZEN_SILENCE), change)?;
        let guard = Guard::start(claim(&means.state_dir, &record, monitor)?, means, monitor)?;
        notice("the server stands still", &record, monitor);
        let watch = guard.hold(Some(limit), monitor)?;
        Ok(Lease { core: Some(Core { watch, held: Held::Process(process), site }), monitor })
    }

    /// The site's own limit of sessions, which the archive must hold: the tables hold ours now. `None` for a frozen server, whose setting was
    /// not touched.
    pub fn original(&self) -> Option<&Original> {
        match self.core.as_ref().map(|core| &core.held) {
            Some(Held::Sessions { own, .. }) => Some(own),
            _ => None,
        }
    }

    /// The same lease, which tells its troubles to somebody else.
    pub fn reporting_to(mut self, monitor: &dyn Monitor) -> Lease<'_> {
        Lease { core: self.core.take(), monitor }
    }

    /// Whether it has ended by itself, as far as is known without asking the server.
    pub fn has_ended(&self) -> bool {
        self.core.as_ref().is_none_or(|core| core.watch.ended().is_some())
    }

    /// An error if the server is not held any more, or was not all the time: what was copied is void then.
    pub fn still_held(&mut self) -> Result<(), LiveError> {
        self.core.as_mut().map_or(Err(LiveError::Expired), Core::still_held)
    }

    /// Undoes everything. An error means that what was copied is void, or that something could not be undone.
    pub fn release(mut self) -> Result<(), LiveError> {
        let was_held = self.still_held();
        match self.core.take().map(Core::end) {
            Some(Ending::Released) => was_held,
            Some(ending) => Err(ending.into_error()),
            None => was_held,
        }
    }

    /// Leaves a server of a single user closed: it goes on refusing sessions, also after a restart, until somebody calls
    /// [`reopen`](crate::live::reopen()).
    ///
    /// # Errors
    /// If it was not held all the time, or somebody has let users in; then all is undone, or is being undone.
    pub fn leave(mut self) -> Result<Closed, LiveError> {
        self.still_held()?;
        self.core.as_mut().map_or(Err(LiveError::Expired), Core::still_closed)?;
        self.core.take().map_or(Err(LiveError::Expired), Core::leave)
    }
}

impl Core {
    fn still_held(&mut self) -> Result<(), LiveError> {
        if let Some(ending) = self.watch.ended() {
            return Err(ending.into_error());
        }
        match &mut self.held {
            Held::Process(process) if process.is_stopped() => Ok(()),
            Held::Process(process) => {
                process.check_is_there()?;
                Err(LiveError::Woken { pid: process.pid() })
            }
            Held::Sessions { admin, socket, data, server_start, .. } => {
                // A session may be ended by an aide; the server may be the same.
                let start = match admin.as_mut().map(Admin::server_start) {
                    Some(Ok(start)) => start,
                    _ => admin.insert(Admin::open(socket, owner_of(data)?)?).server_start()?,
                };
                if start == *server_start {
                    Ok(())
                } else {
                    Err(LiveError::Restarted { what: "its setting is being restored".into() })
                }
            }
        }
    }

    /// An error if somebody else has let users in meanwhile: such a server must not be called closed.
    fn still_closed(&mut self) -> Result<(), LiveError> {
        let Held::Sessions { admin: Some(admin), .. } = &mut self.held else { return Ok(()) };
        let limit = admin.setting(LIMIT)?;
        if limit.as_deref() == Some(OURS.as_bytes()) {
            return Ok(());
        }
        let value = limit.map_or("none".into(), |limit| String::from_utf8_lossy(&limit).into_owned());
        Err(LiveError::Opened { value })
    }

    fn end(mut self) -> Ending {
        let ending = self.watch.end();
        if let Held::Sessions { admin, .. } = &mut self.held
            && let Some(admin) = admin.take()
        {
            admin.quit();
        }
        ending
    }

    fn leave(mut self) -> Result<Closed, LiveError> {
        match self.watch.leave() {
            Ending::Left => {}
            ending => return Err(ending.into_error()),
        }
        let (admin, own) = match self.held {
            Held::Sessions { admin, own, .. } => (admin, Some(own)),
            Held::Process(_) => (None, None),
        };
        let repair = own.map_or_else(String::new, |own| repair_of_limit(&self.site, &own));
        Ok(Closed { admin, repair })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(ending @ Ending::Kept { .. }) = self.core.take().map(Core::end) {
            self.monitor.warning(&ending.into_error().to_string());
        }
    }
}

/// A server that was left closed, and still listens to us.
pub struct Closed {
    admin: Option<Admin>,
    repair: String,
}

impl Closed {
    /// The line that lets users in again without us.
    pub fn repair(&self) -> &str {
        &self.repair
    }

    /// Tells it to stop in order, which it is still at when this returns.
    ///
    /// # Errors
    /// When it doesn't answer; it refuses sessions all the same.
    pub fn stop(mut self) -> Result<(), LiveError> {
        self.admin.take().map_or(Err(LiveError::Expired), |mut admin| admin.stop_server())
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(admin) = self.admin.take() {
            admin.quit();
        }
    }
}

/// The limit that the site has by itself: what was found, unless the server was left closed before.
fn own_limit(found: &Original, state_dir: &Path, site: &Path, monitor: &dyn Monitor) -> Result<Original, LiveError> {
    if found.restored() != OURS {
        return Ok(found.clone());
    }
    if let Some(left) = left_closed(state_dir, site)? {
        return Ok(left.original);
    }
    monitor.warning(&format!("the server's own {LIMIT} is {OURS}: is that meant, or left over from something?"));
    Ok(found.clone())
}

/// Tells what happens to the server now.
fn notice(what: &str, record: &Record, monitor: &dyn Monitor) {
    let (site, repair) = (record.site.display(), record.repair());
    monitor.warning(&format!(
        "{site}: from now on {what}, until the copy is made; should that never be undone, the next command does it, or by hand: {repair}"
    ));
}

/// Writes the record, unless another command holds the site; what a dead one has left is undone first.
fn claim(state_dir: &Path, record: &Record, monitor: &dyn Monitor) -> Result<RecordFile, LiveError> {
    let path = state_dir.join(Record::file_name(&record.site));
    // The record that is in the way may vanish and another come; not for ever.
    for _ in 0..5 {
        if let Some(file) = RecordFile::create(state_dir, record)? {
            return Ok(file);
        }
        match take(&path)? {
            Taken::Gone => {}
            Taken::Ours(file) => {
                let repair = file.record.repair();
                if let Outcome::Kept(reason) = undo_leftover(file, monitor).outcome {
                    return Err(LiveError::Leftover { record: path, reason, repair });
                }
            }
            Taken::Held(path, other) => {
                let guardian = other.guardian.filter(|_| !other.worker.is_alive());
                return Err(LiveError::Held { record: path, pid: guardian.unwrap_or(other.worker).pid });
            }
        }
    }
    Err(LiveError::Record { path, what: "it comes and goes".into() })
}

fn real(path: &Path) -> Result<PathBuf, LiveError> {
    fs::canonicalize(path).map_err(|error| LiveError::io("find", path, error))
}
