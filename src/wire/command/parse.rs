//! Reads commands.

use super::{Action, Command, EndOfLease, Level, Resume, Scope};
use crate::wire::reply::Code;
use crate::wire::served::SnapshotId;
use crate::wire::words::{Abilities, from_hex, number};
use crate::wire::{MAX_DIGEST_BYTES, MAX_PIECE_BYTES};

/// The most seconds that a client can ask a server to wait or to hold.
const MAX_SECONDS: u64 = 86_400;
/// What SNGL waits, and when its lease expires, if nothing is said: the example of the plan of 2008.
const USUAL_WAIT: u32 = 120;
const USUAL_EXPIRE: u32 = 500;

/// A line that is no command that can be carried out.
#[derive(Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The code of the refusal.
    pub code: Code,
    /// Its words.
    pub text: String,
    /// What stands behind the line.
    pub follows: Follows,
}

/// What follows a line that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The next command, after so many bytes.
    Bytes(usize),
    /// Nobody knows: the conversation can't go on.
    Unknown,
}

impl Command {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Command, Misuse> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split('|').collect() };
        let wrong = |usage: &str| refused(Code::ILLEGAL, format!("the command is {usage}"), Follows::Bytes(0));
        match (word.to_ascii_uppercase().as_str(), fields.as_slice()) {
            ("NOOP", []) => Ok(Command::Noop),
            ("QUIT", []) => Ok(Command::Quit),
            ("PASS", [token]) => Ok(Command::Pass((*token).to_owned())),
            ("PASS", _) => Err(wrong("PASS token")),
            ("IDEN", [version, abilities, program]) => Ok(Command::Identify {
                version: number(version).ok_or_else(|| wrong("IDEN version|abilities|program"))?,
                abilities: Abilities::parse(abilities),
                program: (*program).to_owned(),
            }),
            ("IDEN", _) => Err(wrong("IDEN version|abilities|program")),
            ("SNAP", []) => Ok(Command::Snapshot(None)),
            ("SNAP", [id]) => Ok(Command::Snapshot(Some(SnapshotId::parse(id).ok_or_else(|| wrong("SNAP [id]"))?))),
            ("SNAP", _) => Err(wrong("SNAP [id]")),
            ("SNGL", times) => parse_times(times).ok_or_else(|| wrong("SNGL wait|expire, in seconds")),
            ("ESNG", how) => parse_end(how).map(Command::EndSingle).ok_or_else(|| wrong("ESNG [back, refuse or stop]")),
            ("SYNC", fields) => parse_sync(fields),
            _ => Err(refused(Code::UNKNOWN, "no such command".to_owned(), Follows::Bytes(0))),
        }
    }
}

fn parse_times(times: &[&str]) -> Option<Command> {
    let seconds = |text: &str| number(text).filter(|seconds| *seconds <= MAX_SECONDS).map(|seconds| seconds as u32);
    let (wait, expire) = match times {
        [] => (USUAL_WAIT, USUAL_EXPIRE),
        [wait] => (seconds(wait)?, USUAL_EXPIRE),
        [wait, expire] => (seconds(wait)?, seconds(expire)?),
        _ => return None,
    };
    Some(Command::Single { wait, expire })
}

fn parse_end(how: &[&str]) -> Option<EndOfLease> {
    match how {
        [] | ["back"] => Some(EndOfLease::Back),
        ["refuse"] => Some(EndOfLease::Refuse),
        ["stop"] => Some(EndOfLease::Stop),
        _ => None,
    }
}

fn parse_sync(fields: &[&str]) -> Result<Command, Misuse> {
    let [scope, action, arguments @ ..] = fields else {
        return Err(refused(Code::ILLEGAL, "the command is SYNC kind|action".to_owned(), Follows::Bytes(0)));
    };
    // A count that can be read tells where the next command begins, even if this one is refused.
    let bytes = arguments.last().and_then(|count| number(count)).and_then(|count| usize::try_from(count).ok());
    let follows = match (*action, arguments.len(), bytes) {
        ("info", ..) | ("list" | "getall", 0, _) => Follows::Bytes(0),
        (_, _, Some(bytes)) => Follows::Bytes(bytes),
        _ => Follows::Unknown,
    };
    let illegal = |text: String| refused(Code::ILLEGAL, text, follows);
    let scope = match *scope {
        "all" => Scope::All,
        kind => Scope::Kind(kind.parse().map_err(|error| illegal(format!("{error}, and all")))?),
    };
    let action = match (*action, arguments, bytes) {
        ("info", [], _) => Some(Action::Info),
        ("list", [], _) => Some(Action::List(None)),
        ("list", [_], Some(bytes)) => Some(Action::List(Some(bytes))),
        ("since", ["segments", _], Some(bytes)) => Some(Action::Since(Level::Segments, bytes)),
        ("since", ["groups", _], Some(bytes)) => Some(Action::Since(Level::Groups, bytes)),
        ("getall", [], _) => Some(Action::GetAll(None)),
        ("getall", [offset, _], Some(bytes)) => {
            number(offset).map(|offset| Action::GetAll(Some(Resume { offset, bytes })))
        }
        ("get", [offset, _], Some(bytes)) if scope != Scope::All => {
            number(offset).map(|offset| Action::Get { offset, bytes })
        }
        ("put", [id, _], Some(bytes)) if scope == Scope::All => {
            SnapshotId::parse(id).map(|id| Action::Put { id, digest: None, bytes })
        }
        ("put", [id, digest, _], Some(bytes)) if scope == Scope::All => {
            let both = SnapshotId::parse(id).zip(from_hex(digest));
            both.map(|(id, digest)| Action::Put { id, digest: Some(digest), bytes })
        }
        _ => None,
    };
    let Some(action) = action else {
        return Err(illegal(
            "the actions are info, list, list|n, since|segments|n, since|groups|n, getall, getall|offset|n, get|offset|n of a \
             kind, and put|id|n of all"
                .to_owned(),
        ));
    };
    let (bytes, most) = (action.counted_bytes(), most_bytes(&action));
    if bytes > most {
        return Err(refused(Code::TOO_BIG, format!("at most {most} bytes may follow"), Follows::Unknown));
    }
    Ok(Command::Sync(scope, action))
}

fn refused(code: Code, text: String, follows: Follows) -> Misuse {
    let follows = match follows {
        Follows::Bytes(bytes) if bytes > MAX_DIGEST_BYTES => Follows::Unknown,
        follows => follows,
    };
    Misuse { code, text, follows }
}

fn most_bytes(action: &Action) -> usize {
    match action {
        Action::Since(..) => MAX_DIGEST_BYTES,
        _ => MAX_PIECE_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_line_is_a_command_or_is_refused(
            line in "\\PC{0,60}|(SYNC|sync|SNGL|ESNG|SNAP|IDEN) [a-z]{0,8}(\\|[a-z0-9]{0,9}){0,4}"
        ) {
            if let Ok(command) = Command::parse(&line) {
                prop_assert_eq!(Command::parse(&command.encode()), Ok(command));
            }
        }
    }

    #[test]
    fn every_command_comes_back() {
        let id = SnapshotId([7; 16]);
        let message = Scope::Kind(Kind::Message);
        let commands = [
            Command::Pass("a token".into()),
            Command::Identify {
                version: 1,
                abilities: Abilities { zstd: true, ..Abilities::default() },
                program: "x".into(),
            },
            Command::Snapshot(None),
            Command::Snapshot(Some(id)),
            Command::Single { wait: 120, expire: 500 },
            Command::EndSingle(EndOfLease::Back),
            Command::EndSingle(EndOfLease::Refuse),
            Command::EndSingle(EndOfLease::Stop),
            Command::Sync(Scope::All, Action::Info),
            Command::Sync(message, Action::List(None)),
            Command::Sync(message, Action::List(Some(64))),
            Command::Sync(Scope::All, Action::Since(Level::Segments, 0)),
            Command::Sync(Scope::All, Action::Since(Level::Groups, MAX_DIGEST_BYTES)),
            Command::Sync(Scope::All, Action::GetAll(None)),
            Command::Sync(Scope::All, Action::GetAll(Some(Resume { offset: 65_536, bytes: 12 }))),
            Command::Sync(message, Action::Get { offset: 0, bytes: 9 }),
            Command::Sync(Scope::All, Action::Put { id, digest: None, bytes: 200 }),
            Command::Sync(Scope::All, Action::Put { id, digest: Some([7; 32]), bytes: 200 }),
            Command::Noop,
            Command::Quit,
        ];
        for command in commands {
            assert_eq!(Command::parse(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn the_examples_of_2008_are_understood() {
        assert_eq!(Command::parse("SNGL 120|500"), Ok(Command::Single { wait: 120, expire: 500 }));
        assert_eq!(Command::parse("ESNG"), Ok(Command::EndSingle(EndOfLease::Back)));
        assert_eq!(Command::parse("sync user|info"), Ok(Command::Sync(Scope::Kind(Kind::User), Action::Info)));
        let misuse = Command::parse("SYNC users|info").unwrap_err();
        assert_eq!((misuse.code, misuse.follows), (Code::ILLEGAL, Follows::Bytes(0)));
        assert!(misuse.text.contains("user,"), "{}", misuse.text);
    }

    #[test]
    fn a_refused_command_is_passed_over_only_if_its_end_is_known() {
        let follows = |line| Command::parse(line).unwrap_err().follows;
        assert_eq!(follows("SYNC users|get|0|12"), Follows::Bytes(12));
        assert_eq!(follows("SYNC user|get|0|many"), Follows::Unknown);
        assert_eq!(follows("SYNC user|get"), Follows::Unknown);
        assert_eq!(follows("SYNC user|get|0|65537"), Follows::Unknown);
        assert_eq!(follows("SYNC all|since|segments|16777217"), Follows::Unknown);
        assert_eq!(follows("SYNC user|frobnicate|5"), Follows::Bytes(5));
        assert_eq!(follows("SYNC user|frobnicate"), Follows::Unknown);
        assert_eq!(follows("HELO you"), Follows::Bytes(0));
        assert_eq!(Command::parse("SYNC user|get|0|65537").unwrap_err().code, Code::TOO_BIG);
    }
}
