//! Mail filters of releases below 930: Sieve scripts, in which WebCit noted the rules that it made them of. Release 980 runs such rules, and no scripts
//! (`deserialize_inbox_rules` of release 980; `parse_sieve_config` and WebCit's `sieve.c` of release 902).

/// What stands before, between and behind the parts of a filter.
const SEPARATOR: &[u8] = b"-=<CtdlSieveConfigSeparator>=-";

/// What release 980 would do with a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MailFilter {
    /// It has rules that are at work.
    pub has_rules: bool,
    /// It has rules in scripts that are switched off; release 980 doesn't see that they are.
    pub has_idle_rules: bool,
    /// A script without rules is at work: release 980 does nothing of it.
    pub has_script: bool,
}

impl MailFilter {
    /// Reads the text of a filter.
    pub fn read(text: &[u8]) -> MailFilter {
        let mut filter = MailFilter::default();
        for part in parts(text) {
            match script(part) {
                Some((active, script)) if has_rules(script) => {
                    let place = if active { &mut filter.has_rules } else { &mut filter.has_idle_rules };
                    *place = true;
                }
                Some((active, script)) => filter.has_script |= active && !script.trim_ascii().is_empty(),
                None => filter.has_rules |= has_rules(part),
            }
        }
        filter
    }

    /// Whether an account may know it: not where release 980 would run rules that are switched off, and none besides.
    pub fn may_be_known(self) -> bool {
        self.has_rules || !self.has_idle_rules
    }
}

fn parts(text: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|bytes| bytes.eq_ignore_ascii_case(SEPARATOR)) {
        parts.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    parts.push(rest);
    parts
}

/// Of a part `script|NAME|ACTIVE|TEXT` whether it is active, and the text.
fn script(part: &[u8]) -> Option<(bool, &[u8])> {
    // The separator stands in a line of its own.
    let mut words = part.trim_ascii_start().splitn(4, |byte| *byte == b'|');
    let is_script = words.next()?.eq_ignore_ascii_case(b"script");
    let (_, active, text) = (words.next()?, words.next()?, words.next()?);
    is_script.then(|| (active.trim_ascii().iter().any(|digit| digit.is_ascii_digit() && *digit != b'0'), text))
}

fn has_rules(text: &[u8]) -> bool {
    let begins = |line: &[u8], word: &[u8]| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    text.split(|byte| *byte == b'\n').any(|line| begins(line, b"# WEBCIT_RULE|") || begins(line, b"rule|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(scripts: &[&str]) -> MailFilter {
        let head = "Content-type: application/x-citadel-sieve-config\n\n\n-=<CtdlSieveConfigSeparator>=-\nlastproc|774";
        let parts: String =
            [head].iter().chain(scripts).map(|part| format!("{part}\n-=<CtdlSieveConfigSeparator>=-\n")).collect();
        MailFilter::read(format!("{parts}vacation|\na@x.org|17\n-=<CtdlSieveConfigSeparator>=-").as_bytes())
    }

    const RULES: &str = "script|__WebCit_Generated_Script__|1|# WEBCIT_RULE|0|MHxzdWJqZWN0|\nrequire \"fileinto\";\n";
    const IDLE: &str = "script|__WebCit_Generated_Script__|0|# WEBCIT_RULE|0|MHxzdWJqZWN0|\nrequire \"fileinto\";\n";
    const OWN: &str = "script|mine|1|if header :contains \"subject\" \"a|b\" { discard; }\n";

    #[test]
    fn rules_at_work_go_on() {
        let found = filter(&[RULES]);
        assert_eq!(found, MailFilter { has_rules: true, ..MailFilter::default() });
        assert!(found.may_be_known());
    }

    #[test]
    fn rules_that_are_switched_off_stay_so() {
        let found = filter(&[IDLE]);
        assert_eq!(found, MailFilter { has_idle_rules: true, ..MailFilter::default() });
        assert!(!found.may_be_known());
        assert!(!filter(&[IDLE, OWN]).may_be_known());
    }

    #[test]
    fn a_script_at_work_is_noticed_and_one_that_is_empty_or_switched_off_is_not() {
        assert_eq!(filter(&[OWN]), MailFilter { has_script: true, ..MailFilter::default() });
        assert!(filter(&[IDLE, OWN]).has_script && filter(&[OWN]).may_be_known());
        assert_eq!(filter(&["script|mine|1|\n", "script|other|0|keep;\n"]), MailFilter::default());
    }

    #[test]
    fn rules_without_a_script_are_those_of_a_newer_release() {
        assert!(MailFilter::read(b"Content-type: x\n\nrule|0|MHxz|\n").has_rules);
    }

    #[test]
    fn anything_else_is_a_filter_that_does_nothing() {
        for text in [&b""[..], b"script", b"script|a|1", b"lastproc|7", b"SCRIPT|||", b"\xff\0|\n"] {
            assert_eq!(MailFilter::read(text), MailFilter::default(), "{text:?}");
        }
    }
}
