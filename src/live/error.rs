//! What can go wrong when a running server is to be controlled.

use std::io;
use std::path::{Path, PathBuf};

use crate::endpoint::{Class, Failure};

/// Why a server could not be brought into the wanted state, or why that state ended too early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The operating system refused something.
    #[error("{}: can't {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nobody answers at the socket.
    #[error("{}: no server answers: {source}; is it running, and may you use the socket?", socket.display())]
    NoServer {
        /// The socket.
        socket: PathBuf,
        /// What connecting ended with.
        source: io::Error,
    },
    /// Whoever listens at the socket may be anybody.
    #[error("{}: {} belongs to user {found}, not to root or the site's owner ({owner}): it is not the server's; nothing was sent", path.display(), what)]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// The file, or the process behind it.
        what: &'static str,
        /// Whose it is.
        found: u32,
        /// Whose the site is.
        owner: u32,
    },
    /// The server is silent.
    #[error("{}: the server does not answer to {command} within {seconds} seconds; is it stopped, or very busy?", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// What was sent last.
        command: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server closed the connection.
    #[error("{}: the server closed the connection instead of an answer to {command}; has it stopped?", socket.display())]
    Closed {
        /// The socket.
        socket: PathBuf,
        /// What was sent last.
        command: String,
    },
    /// An answer that no Citadel server gives.
    #[error("{}: the answer to {command} makes no sense ({what}): this is no Citadel server, or one that is not known here", socket.display())]
    Nonsense {
        /// The socket.
        socket: PathBuf,
        /// What was sent last.
        command: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The server said no.
    #[error("{}: the server refuses {command}: {answer}", socket.display())]
    Refused {
        /// The socket.
        socket: PathBuf,
        /// What was sent.
        command: String,
        /// Its answer.
        answer: String,
    },
    /// A release whose sessions can't be limited from here.
    #[error(
        "release {release} can't be taken single-user (902 and 980 can): copy it as it runs, export it with --freeze, or stop the server for the copy"
    )]
    Release {
        /// Line 6 of `INFO`.
        release: String,
    },
    /// A value that could not be put back as it is.
    #[error(
        "the server's c_maxsessions is {value:?}, which could not be restored: set it to a number (0 for no limit) and try again"
    )]
    StrangeLimit {
        /// What it is.
        value: String,
    },
    /// Another command controls this server.
    #[error("{}: another command of ctdl-dump controls this server now (process {pid}): wait until it has ended", record.display())]
    Held {
        /// The record of what it must undo.
        record: PathBuf,
        /// Its process.
        pid: u32,
    },
    /// An earlier command was killed, and what it changed can't be undone now.
    #[error("{}: what an earlier command changed can't be undone now ({reason}); by hand: {repair}", record.display())]
    Leftover {
        /// The record of what is to be undone.
        record: PathBuf,
        /// Why it isn't.
        reason: String,
        /// What to type.
        repair: String,
    },
    /// Nothing is known of a cutover.
    #[error("{}: this server was not left closed by a cutover, as far as is written down here; if it refuses users all the same: sendcommand -h {} 'CONF GETVAL|c_maxsessions' says how many it lets in", site.display(), site.display())]
    NotLeft {
        /// The site.
        site: PathBuf,
    },
    /// A record that can't be trusted or understood.
    #[error("{}: this is no record of ours that can be trusted: {what}; look at it, and remove it if nothing is to be undone", path.display())]
    Record {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The guardian could not begin its work.
    #[error("the guardian process ({} guard) could not begin: {what}; nothing was changed", program.display())]
    Guardian {
        /// Our own program.
        program: PathBuf,
        /// Why not.
        what: String,
    },
    /// Sessions that don't end.
    #[error(
        "these sessions did not end when they were cut off: {sessions}; all is as before: try again later, or export it with --freeze"
    )]
    SessionsStay {
        /// Who they are.
        sessions: String,
    },
    /// The process to be frozen is not known.
    #[error(
        "the process of the server is not known, so it can't be frozen: if it was about to start or to stop just now, try again; only root sees the processes of others, so run this as root"
    )]
    NoProcess,
    /// The process is not ours to stop.
    #[error(
        "process {pid} may not be frozen ({source}): run this as root; only a server that was not started by root can be frozen by its own user"
    )]
    NotPermitted {
        /// The server.
        pid: u32,
        /// What the system says.
        source: io::Error,
    },
    /// The process isn't the server of this site.
    #[error("process {pid} has no file in {} open, so it is not the server of this site; it was left alone", data.display())]
    WrongProcess {
        /// The process.
        pid: u32,
        /// The directory of the tables.
        data: PathBuf,
    },
    /// Somebody else has stopped the server.
    #[error("process {pid} is stopped already, and not by us: let it go on (kill -CONT {pid}) and try again")]
    AlreadyStopped {
        /// The server.
        pid: u32,
    },
    /// The server does not come to rest.
    #[error("process {pid} did not stop within {seconds} seconds (it may wait for a slow disk); it was let go again")]
    DidNotStop {
        /// The server.
        pid: u32,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The time was up, so everything was undone.
    #[error(
        "the server was held longer than allowed, so it was let go: what was copied is void; try again, or allow more time"
    )]
    Expired,
    /// The server that was held is no more.
    #[error("the server was stopped or started anew while it was held: what was copied is void; {what}")]
    Restarted {
        /// What became of the change.
        what: String,
    },
    /// Somebody else let users in.
    #[error(
        "somebody has given the server another limit of sessions ({value}) while it was held, so users could come in: what was copied is void; try again"
    )]
    Opened {
        /// What it is now.
        value: String,
    },
    /// Somebody else let the server go on.
    #[error("process {pid} went on while it was frozen: what was copied is void; somebody else must have woken it")]
    Woken {
        /// The server.
        pid: u32,
    },
    /// The guardian has died.
    #[error("the guardian process was killed, so everything was undone at once: what was copied is void; try again")]
    GuardianGone,
    /// The guardian doesn't answer.
    #[error(
        "the guardian process stood still, so it was ended, and everything was undone: what was copied is void; try again"
    )]
    GuardianSilent,
    /// It could not be undone.
    #[error(
        "what was changed in the server could not be undone ({reason}); the next command of ctdl-dump tries again; by hand: {repair}"
    )]
    Kept {
        /// Why not.
        reason: String,
        /// What to type.
        repair: String,
    },
    /// The user interrupted the work.
    #[error("interrupted")]
    Interrupted,
}

impl LiveError {
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        LiveError::Io { action, path: path.to_owned(), source: source.into() }
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        let class = match error {
            LiveError::Interrupted => Class::Interrupted,
            LiveError::Io { .. } | LiveError::NotLeft { .. } => Class::Failed,
            _ => Class::InUse,
        };
        Failure::new(class, error)
    }
}
