//! A line of `RWHO`.

use std::fmt;

/// Who is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) struct Session {
    /// Its number. A server gives rising numbers.
    pub(in crate::live) number: u64,
    /// Whether somebody has logged in.
    pub(in crate::live) is_logged_in: bool,
    user: String,
    host: String,
    client: String,
}

impl Session {
    /// A line has number, user, room, host, client, two fields about the last command, flags, three empty ones, and last whether somebody
    /// is logged in (releases 902 and 980).
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b'|').collect();
        let text = |at: usize| String::from_utf8_lossy(fields.get(at).copied().unwrap_or_default()).into_owned();
        let number = text(0).parse().ok()?;
        let user = text(1);
        // A line that was cut has no last field; to wait for nobody is better than to overlook somebody.
        let is_logged_in = match fields.get(11) {
            Some(field) => *field != b"0",
            None => user != "(not logged in)",
        };
        (fields.len() >= 5).then(|| Session { number, is_logged_in, user, host: text(3), client: text(4) })
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Session { number, user, host, client, .. } = self;
        write!(f, "{user} from {host} with {client} (session {number})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_session_is_understood() {
        let line = b"17|Bob Builder|Lobby|localhost|WebCit 980|1795520486|GOTO|.||||1";
        let session = Session::parse(line).unwrap();
        assert_eq!((session.number, session.is_logged_in), (17, true));
        assert_eq!(session.to_string(), "Bob Builder from localhost with WebCit 980 (session 17)");
        assert!(!Session::parse(b"4|(not logged in)||localhost|x|1|INFO|.||||0").unwrap().is_logged_in);
        assert!(Session::parse(b"4|alice|Lobby|localhost|x").unwrap().is_logged_in, "a line that was cut");
        for bad in [&b""[..], b"x|a|b|c|d", b"4|a|b", b"-1|a|b|c|d"] {
            assert_eq!(Session::parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "\\PC{0,100}|([0-9a-z|]{0,40})") {
            let _ = Session::parse(line.as_bytes());
        }
    }
}
