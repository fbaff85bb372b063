//! A peer on the command line, and connections to it: `format-spec/wire.md`, section 1.

mod below;
mod child;
mod connector;
mod other_end;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use connector::{Input, Output, PROGRAM, PeerConnector};
pub use other_end::OtherEnd;

/// Where a server with TLS listens unless another port is named.
pub const USUAL_PORT: u16 = 20_080;

/// Where a peer is, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// `ssh://[user@]host[:port][/path]`: a server that ssh starts there.
    Ssh {
        /// Whose account, if not the one that ssh would choose.
        user: Option<String>,
        /// The machine, or a name from ssh's own configuration.
        host: String,
        /// The port, if not the one that ssh would choose.
        port: Option<u16>,
        /// What is to be served there: a site or an archive; the usual site if nothing is named.
        path: Option<String>,
    },
    /// `tls://host[:port]`: a server that listens.
    Tls {
        /// The machine: a name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/path`: a server's socket on this machine.
    Unix(PathBuf),
    /// `cmd:COMMAND`: whatever a shell makes of it speaks the protocol on its standard input and output.
    Command(String),
}

/// What is wanted of a peer that has to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// That it gives records.
    Get,
    /// That it takes a site.
    Give {
        /// Also in the place of one that has been used.
        replace: bool,
    },
}

impl Peer {
    /// Whether what goes there goes to another machine, as far as one can tell.
    pub fn is_remote(&self) -> bool {
        matches!(self, Peer::Ssh { .. } | Peer::Tls { .. })
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(command) = text.strip_prefix("cmd:") {
            return match command.trim() {
                "" => Err("cmd: needs a command behind it".into()),
                _ => Ok(Peer::Command(command.to_owned())),
            };
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("unix: needs the path of a socket behind it".into()),
                path => Ok(Peer::Unix(path.into())),
            };
        }
        if let Some(rest) = text.strip_prefix("tls://") {
            let (host, port, rest) = host_and_port(rest)?;
            if !rest.is_empty() && rest != "/" {
                return Err("a server that listens serves one place, so tls:// takes no path".into());
            }
            return Ok(Peer::Tls { host, port: port.unwrap_or(USUAL_PORT) });
        }
        let Some(rest) = text.strip_prefix("ssh://") else {
            return Err(
                "a peer is ssh://[user@]host[:port][/path], tls://host[:port], unix:/path or cmd:COMMAND".into()
            );
        };
        let (user, rest) = match rest.split_once('@').filter(|(user, _)| !user.contains('/')) {
            Some((user, rest)) => (Some(word(user, "the user")?), rest),
            None => (None, rest),
        };
        let (host, port, path) = host_and_port(rest)?;
        let path = Some(path).filter(|path| !path.is_empty() && *path != "/").map(str::to_owned);
        Ok(Peer::Ssh { user, host, port, path })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ssh { user, host, port, path } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&bracketed(host))?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                f.write_str(path.as_deref().unwrap_or_default())
            }
            Peer::Tls { host, port } => write!(f, "tls://{}:{port}", bracketed(host)),
            Peer::Unix(path) => write!(f, "unix:{}", path.display()),
            Peer::Command(command) => write!(f, "cmd:{command}"),
        }
    }
}

/// A host as it stands before a port.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// `host[:port]` at the beginning, and what follows it.
fn host_and_port(text: &str) -> Result<(String, Option<u16>, &str), String> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(address) => address.split_once(']').ok_or("an address that begins with [ must end with ]")?,
        None => text.split_at(text.find([':', '/']).unwrap_or(text.len())),
    };
    let host = word(host, "the host")?;
    let Some(rest) = rest.strip_prefix(':') else {
        return match rest {
            "" => Ok((host, None, rest)),
            rest if rest.starts_with('/') => Ok((host, None, rest)),
            rest => Err(format!("behind the host stands \"{rest}\", and a port or a path was meant")),
        };
    };
    let (digits, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match digits.parse() {
        Ok(port) if port > 0 => Ok((host, Some(port), rest)),
        _ => Err(format!("\"{digits}\" is no port")),
    }
}

/// A name that another program can't take for an option, nor a shell for anything else.
fn word(text: &str, what: &str) -> Result<String, String> {
    let is_plain = |sign: char| sign.is_alphanumeric() || "-._:%+".contains(sign);
    if text.is_empty() {
        return Err(format!("{what} is missing"));
    }
    if text.starts_with('-') || !text.chars().all(is_plain) {
        return Err(format!("\"{text}\" can't be {what}"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ssh(user: Option<&str>, host: &str, port: Option<u16>, path: Option<&str>) -> Peer {
        Peer::Ssh { user: user.map(Into::into), host: host.into(), port, path: path.map(Into::into) }
    }

    #[test]
    fn a_peer_is_named_in_four_ways() {
        let cases = [
            ("ssh://old", ssh(None, "old", None, None)),
            ("ssh://root@old:2222/srv/my site", ssh(Some("root"), "old", Some(2222), Some("/srv/my site"))),
            ("ssh://[2001:db8::1]/a@b", ssh(None, "2001:db8::1", None, Some("/a@b"))),
            ("tls://old.example.org:20080", Peer::Tls { host: "old.example.org".into(), port: USUAL_PORT }),
            ("tls://[::1]:7", Peer::Tls { host: "::1".into(), port: 7 }),
            ("unix:/run/citadel.wire", Peer::Unix("/run/citadel.wire".into())),
            ("cmd:ctdl-dump serve --stdio a.ctz", Peer::Command("ctdl-dump serve --stdio a.ctz".into())),
        ];
        for (text, peer) in cases {
            assert_eq!(text.parse(), Ok(peer.clone()), "{text}");
            assert_eq!(peer.to_string(), text);
        }
        assert_eq!("tls://old".parse(), Ok(Peer::Tls { host: "old".into(), port: USUAL_PORT }));
    }

    #[test]
    fn what_a_program_could_take_for_an_option_is_no_host() {
        let wrong = [
            "",
            "old",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://-l@old",
            "ssh://@old",
            "ssh://a b",
            "ssh://old:0",
            "ssh://old:x/",
            "ssh://[::1",
            "ssh://[::1]x",
            "ssh://a$(b)",
            "tls://old:70000",
            "tls://old/site",
            "unix:",
            "cmd: ",
        ];
        for text in wrong {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_peer_that_is_printed_is_read_as_the_same(text in "(ssh|tls)://[-a-z@:/.\\[\\]0-9]{0,20}|\\PC{0,20}") {
            if let Ok(peer) = text.parse::<Peer>() {
                prop_assert_eq!(peer.to_string().parse(), Ok(peer));
            }
        }
    }
}
