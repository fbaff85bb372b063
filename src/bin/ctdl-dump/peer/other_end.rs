//! What a person can do about what a peer says: whose words they are, and to which command the options belong that they name.

use std::borrow::Cow;
use std::io;

use ctdl_dump::wire::{Code, WireError};

use super::{Errand, Peer, child};
use crate::args::PeerOptions;

/// What a shell ends with when there is no such command.
const NOT_FOUND: i32 = 127;
/// What ssh ends with when it has failed itself.
const SSH_FAILED: i32 = 255;

/// A peer, as far as it matters for what it says.
#[derive(Clone, Debug)]
pub struct OtherEnd {
    peer: Peer,
    remote_program: String,
    errand: Errand,
}

impl OtherEnd {
    /// The other end of connections to this peer.
    pub fn new(peer: &Peer, options: &PeerOptions, errand: Errand) -> Self {
        OtherEnd { peer: peer.clone(), remote_program: options.remote_program.clone(), errand }
    }

    /// An error of a conversation with this peer, with what can be done about it.
    pub fn told(&self, error: &WireError) -> String {
        let advice = match error {
            WireError::Refused { code: Code::LOGIN_FIRST, .. } => {
                "; --token-file names a file with the token that the server there was given".into()
            }
            WireError::Refused { code: Code::WRONG_TOKEN, .. } => {
                "; --token-file must name a copy of the file that the server there was given".into()
            }
            WireError::Refused { text, .. } => self.advice_on(text),
            WireError::Closed => self.advice_on_cut(),
            WireError::Io { source }
                if matches!(source.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) =>
            {
                self.advice_on_cut()
            }
            _ => String::new(),
        };
        format!("{}: {error}{advice}", self.peer)
    }

    /// What can be done about a connection that has ended. What has become of a program that we have started was told.
    fn advice_on_cut(&self) -> String {
        match &self.peer {
            Peer::Unix(_) | Peer::Tls { .. } => {
                "; the `ctdl-dump serve` there may have been ended: see that it runs, then run the same command again"
                    .into()
            }
            Peer::Ssh { .. } | Peer::Command(_) => String::new(),
        }
    }

    /// Where the other end is, in few words; it stands before what comes from there.
    pub fn place(&self) -> &str {
        match &self.peer {
            Peer::Ssh { host, .. } | Peer::Tls { host, .. } => host,
            Peer::Unix(_) | Peer::Command(_) => "the other end",
        }
    }

    /// What a program of ours says at the other end, and what must not be taken for words of this one.
    pub fn said_there<'t>(&self, line: &'t str) -> Cow<'t, str> {
        let place = self.place();
        if let Some(rest) = line.strip_prefix("ctdl-dump: ") {
            return format!("ctdl-dump at {place}: {rest}").into();
        }
        match line.strip_prefix("warning: ") {
            Some(rest) => format!("warning: {place}: {rest}").into(),
            None => line.into(),
        }
    }

    /// What can be done about a program that has ended so, after it has said this.
    pub fn advice_on_end(&self, code: Option<i32>, said: &str) -> String {
        match (&self.peer, code) {
            (Peer::Ssh { host, .. }, Some(NOT_FOUND)) => {
                format!(
                    "; if ctdl-dump is not where the shell on {host} looks for it, --remote-program says where it is"
                )
            }
            (_, Some(NOT_FOUND)) => "; name the program by its whole path".into(),
            (Peer::Ssh { .. }, Some(SSH_FAILED)) => {
                format!("; see to it that `{} true` works by itself, then try again", self.ssh())
            }
            _ => self.advice_on(said),
        }
    }

    /// How ssh is started by hand.
    fn ssh(&self) -> String {
        let Peer::Ssh { user, host, port, .. } = &self.peer else { return "ssh".into() };
        let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
        let user = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("ssh {port}{user}{host}")
    }

    /// Whose the options are that something names which was said at the other end.
    pub fn advice_on(&self, said: &str) -> String {
        // A push over ssh has `--replace` itself, and passes it on.
        let is_passed_on = |said: &str| matches!(self.peer, Peer::Ssh { .. }) && said.starts_with("replace");
        if !said.split(" --").skip(1).any(|said| !is_passed_on(said)) {
            return String::new();
        }
        match &self.peer {
            Peer::Ssh { host, path, .. } => {
                let serve = child::remote_command(&self.remote_program, path.as_deref(), self.errand);
                let serve = serve.replacen("--stdio", "--stdio OPTIONS", 1);
                format!(
                    "; these are options for the `ctdl-dump serve` on {host}, which gets some by \"cmd:{} {serve}\" in place of {}",
                    self.ssh(),
                    self.peer
                )
            }
            Peer::Tls { host, .. } => {
                format!("; these are options for the `ctdl-dump serve` on {host}: start it anew with them")
            }
            Peer::Unix(path) => {
                let path = path.display();
                format!("; these are options for the `ctdl-dump serve --socket {path}`: start it anew with them")
            }
            Peer::Command(_) => "; these are options for the `ctdl-dump serve` in the command behind cmd:".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(peer: &str) -> OtherEnd {
        let (peer, remote_program) = (peer.parse().unwrap(), "ctdl-dump".to_owned());
        OtherEnd { peer, remote_program, errand: Errand::Give { replace: false } }
    }

    #[test]
    fn it_is_said_to_which_command_options_belong_that_the_other_end_names() {
        let refused =
            WireError::Refused { code: Code::FAILED, text: "a part of a site: say --arrangement debian".into() };
        let told = |peer: &str| end(peer).told(&refused);
        let ssh = told("ssh://me@new:22/srv/citadel");
        assert!(
            ssh.contains("on new, which gets some by \"cmd:ssh -p 22 me@new ctdl-dump serve --stdio OPTIONS --receive --quiet --site '/srv/citadel'\" in place of ssh://me@new:22/srv/citadel"),
            "{ssh}"
        );
        assert!(told("tls://new").contains("on new: start it anew"), "{}", told("tls://new"));
        assert!(told("unix:/run/s").contains("`ctdl-dump serve --socket /run/s`: start it anew"));
        assert!(told("cmd:x").contains("in the command behind cmd:"));
        let used = WireError::Refused { code: Code::EXISTS, text: "it is not fresh: say --replace".into() };
        assert_eq!(end("ssh://new").told(&used), format!("ssh://new: {used}"), "push has that itself");
        let plain = WireError::Refused { code: Code::BUSY, text: "somebody has the lease".into() };
        assert_eq!(end("tls://new").told(&plain), format!("tls://new:20080: {plain}"));
    }

    #[test]
    fn it_is_said_what_to_do_about_a_server_that_has_gone() {
        let reset = || WireError::Io { source: io::ErrorKind::ConnectionReset.into() };
        for error in [reset(), WireError::Closed] {
            let told = end("unix:/run/s").told(&error);
            assert!(told.contains("run the same command again"), "{told}");
        }
        assert_eq!(end("cmd:x").told(&reset()), format!("cmd:x: {}", reset()));
        let interrupted = || WireError::Io { source: io::Error::other(crate::interrupt::InterruptedBySignal) };
        assert_eq!(end("tls://new").told(&interrupted()), format!("tls://new:20080: {}", interrupted()));
    }

    #[test]
    fn what_is_said_at_the_other_end_is_not_taken_for_our_words() {
        let peer = end("ssh://root@old/srv");
        assert_eq!(peer.said_there("ctdl-dump: /srv is no site"), "ctdl-dump at old: /srv is no site");
        assert_eq!(peer.said_there("warning: /srv: torn"), "warning: old: /srv: torn");
        assert_eq!(peer.said_there("Permission denied"), "Permission denied");
    }
}
