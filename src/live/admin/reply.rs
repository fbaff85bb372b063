//! The first line of an answer: three digits, a flag, and a text that often has fields parted by bars.

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// 1xx a listing follows, 2xx done, 5xx refused; no command is sent that has others.
    pub(super) code: u16,
    /// Behind the digits and the flag, which is a star when an instant message waits, else a blank.
    pub(super) text: Vec<u8>,
}

impl Reply {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        Some(Reply { code, text: rest.get(1..).unwrap_or_default().to_vec() })
    }

    pub(super) fn is_ok(&self) -> bool {
        self.code / 100 == 2
    }

    pub(super) fn is_listing(&self) -> bool {
        self.code / 100 == 1
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&byte| byte == b'|')
    }

    pub(super) fn text_lossy(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    pub(super) fn line_lossy(&self) -> String {
        format!("{:03} {}", self.code, self.text_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_has_a_code_and_fields() {
        let reply = Reply::parse(b"200 1795520486|0|0|1795520471").unwrap();
        assert!(reply.is_ok() && !reply.is_listing());
        assert_eq!(reply.fields().nth(3), Some(&b"1795520471"[..]));
        assert_eq!(Reply::parse(b"200*ok").unwrap().text, b"ok");
        assert_eq!(Reply::parse(b"100").unwrap(), Reply { code: 100, text: Vec::new() });
        for bad in [&b""[..], b"20", b"2x0 ok", b"-20 ok", b"+200"] {
            assert_eq!(Reply::parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..1_100)) {
            if let Some(reply) = Reply::parse(&line) {
                prop_assert!(reply.code < 1_000);
                let _ = (reply.fields().count(), reply.line_lossy());
            }
        }
    }
}
