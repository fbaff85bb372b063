//! Settings: the members of `citadel.config` and the counters of `citadel.control` become pairs of table 0d.

use std::collections::BTreeMap;

use super::CURRENT_RELEASE;
use super::notices::Notices;
use crate::archive::RandomReader;
use crate::endpoint::Failure;
use crate::record::{Body, Fields, Header, Kind, printable};

/// Settings that an upgrade asks for.
const ASKED: [&str; 13] = [
    "c_fqdn",
    "c_nodename",
    "c_maxsessions",
    "c_ep_mode",
    "c_config_created_or_migrated",
    "MMhighest",
    "MMflags",
    "MMnextuser",
    "MMnextroom",
    "MMfulltext",
    "MM_fulltext_wordbreaker",
    "application/x-citadel-internet-config",
    super::aliases::GLOBAL_ALIAS_TABLE,
];

/// Members of `citadel.config` that no release has kept in table 0d; whether their values may be shown.
const WITHOUT_SUCCESSOR: [(&str, bool); 7] = [
    ("c_phonenum", true),
    ("c_ctdluid", true),
    ("c_setup_level", true),
    ("c_ipgm_secret", false),
    ("c_instant_expunge", true),
    ("c_niu_1", true),
    ("c_niu_2", true),
];

/// Counters of `citadel.control`, and their names in table 0d.
const COUNTERS: [(&str, &str); 6] = [
    ("highest", "MMhighest"),
    ("flags", "MMflags"),
    ("nextuser", "MMnextuser"),
    ("nextroom", "MMnextroom"),
    ("fulltext", "MMfulltext"),
    ("fulltext_wordbreaker", "MM_fulltext_wordbreaker"),
];

/// What is asked of a site's settings, and what is to be changed in them.
#[derive(Debug, Default)]
pub(super) struct Settings {
    known: BTreeMap<Vec<u8>, Vec<u8>>,
    changed: BTreeMap<&'static str, String>,
    left_behind: Vec<String>,
    from_struct: u64,
    /// Whether the site has no settings at all, which only one that was torn can have.
    are_lost: bool,
}

impl Settings {
    /// Reads `config` and `control` records.
    pub fn read(archive: &RandomReader) -> Result<Settings, Failure> {
        let mut settings = Settings { are_lost: true, ..Settings::default() };
        for record in archive.headers(Some(Kind::Config)).map_err(Failure::from)? {
            let (header, _) = record.map_err(Failure::from)?;
            settings.are_lost = false;
            settings.from_struct += u64::from(header.fields.get("origin").is_some());
            let name = header.key.last_name().unwrap_or_default();
            if let (true, Some(Body::Inline(value))) =
                (ASKED.iter().any(|asked| asked.as_bytes() == name), &header.body)
            {
                settings.known.insert(name.to_vec(), value.clone());
            }
        }
        for record in archive.headers(Some(Kind::Control)).map_err(Failure::from)? {
            let (header, _) = record.map_err(Failure::from)?;
            settings.take_counters(&header.fields);
        }
        Ok(settings)
    }

    fn take_counters(&mut self, fields: &Fields) {
        for (field, name) in COUNTERS {
            if let Some(value) = fields.int(field) {
                self.set(name, value);
            }
        }
    }

    /// A setting's text; empty if it isn't there.
    pub fn text(&self, name: &str) -> &[u8] {
        self.known.get(name.as_bytes()).map(Vec::as_slice).unwrap_or_default()
    }

    /// A setting's number as the server takes it: 0 for what is none.
    pub fn number(&self, name: &str) -> i64 {
        let text = String::from_utf8_lossy(self.text(name)).into_owned();
        let text = text.trim_start();
        let end =
            text.char_indices().find(|(at, character)| !(character.is_ascii_digit() || *at == 0 && *character == '-'));
        text[..end.map_or(text.len(), |(at, _)| at)].parse().unwrap_or_default()
    }

    /// Changes a setting.
    pub fn set(&mut self, name: &'static str, value: i64) {
        self.known.insert(name.as_bytes().to_vec(), value.to_string().into_bytes());
        self.changed.insert(name, value.to_string());
    }

    /// Makes a counter at least that.
    pub fn raise(&mut self, name: &'static str, value: i64) {
        if self.number(name) < value {
            self.set(name, value);
        }
    }

    /// Sets what release 980 sets when it comes upon an older site, but nothing that it overwrites without need.
    pub fn bring_up_to_date(&mut self, taken: i64) {
        // A server that is told that they are up to date makes no others.
        if self.are_lost {
            return;
        }
        if self.number("c_config_created_or_migrated") <= 0 {
            self.set("c_config_created_or_migrated", taken.max(1));
        }
        if self.number("c_maxsessions") < 0 {
            self.set("c_maxsessions", 0);
        }
        if self.number("c_ep_mode") == 0 {
            self.set("c_ep_mode", 1);
            self.set("c_ep_value", 0);
        }
        self.set("MM_hosted_upgrade_level", CURRENT_RELEASE);
    }

    /// The settings that are new or have another value.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.changed.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Makes a pair of table 0d of a record; `false` if it is left behind.
    pub fn keep(&mut self, header: &mut Header) -> bool {
        if header.fields.get("origin").is_none() {
            return true;
        }
        header.fields.remove("origin");
        let name = header.key.last_name().unwrap_or_default();
        let Some((_, shown)) = WITHOUT_SUCCESSOR.iter().find(|(member, _)| member.as_bytes() == name) else {
            return true;
        };
        let value = match &header.body {
            Some(Body::Inline(value)) => value.as_slice(),
            _ => &[],
        };
        if !value.is_empty() && value != b"0" {
            let value = if *shown { format!(" ({})", printable(value)) } else { " (its value is a secret)".to_owned() };
            self.left_behind.push(format!("{}{value}", printable(name)));
        }
        false
    }

    /// What has become of the settings.
    pub fn tell(&self, notices: &mut Notices) {
        if self.from_struct > 0 {
            notices.say(format!(
                "{} settings of citadel.config and the counters of citadel.control are settings of the new server",
                self.from_struct
            ));
        }
        if !self.left_behind.is_empty() {
            notices.say(format!("settings that release 980 hasn't, left behind: {}", self.left_behind.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;

    fn member(name: &str, value: &str) -> Header {
        let mut fields = Fields::new();
        fields.set_string("origin", "citadel.config");
        let body = Some(Body::Inline(value.into()));
        Header { kind: Kind::Config, key: Key::name(name), fields, body, residue: None }
    }

    fn with(name: &str, value: &str) -> Settings {
        let known = [(name.as_bytes().to_vec(), value.as_bytes().to_vec())].into();
        Settings { known, ..Settings::default() }
    }

    #[test]
    fn numbers_are_read_as_a_server_reads_them() {
        for (text, number) in [("12", 12), (" -5x", -5), ("(null)", 0), ("", 0), ("7 8", 7)] {
            assert_eq!(with("MMhighest", text).number("MMhighest"), number, "{text}");
        }
    }

    #[test]
    fn counters_are_raised_and_never_lowered() {
        let mut settings = with("MMnextuser", "7");
        settings.raise("MMnextuser", 5);
        assert_eq!(settings.changed().count(), 0);
        settings.raise("MMnextuser", 9);
        assert_eq!(settings.changed().collect::<Vec<_>>(), [("MMnextuser", "9")]);
    }

    #[test]
    fn a_site_without_an_expiry_policy_never_expires_anything() {
        let mut settings = with("c_ep_mode", "0");
        settings.bring_up_to_date(1_795_500_000);
        let changed: Vec<_> = settings.changed().collect();
        assert!(changed.contains(&("c_ep_mode", "1")));
        assert!(changed.contains(&("MM_hosted_upgrade_level", "980")));
        assert!(changed.contains(&("c_config_created_or_migrated", "1795500000")));
    }

    #[test]
    fn members_without_a_successor_are_named_with_their_values_but_for_secrets() {
        let mut settings = Settings::default();
        let mut kept = member("c_master_user", "boss");
        assert!(settings.keep(&mut kept));
        assert_eq!(kept.fields.iter().len(), 0);
        assert!(!settings.keep(&mut member("c_phonenum", "US 555")));
        assert!(!settings.keep(&mut member("c_ipgm_secret", "12345")));
        assert!(!settings.keep(&mut member("c_setup_level", "0")));
        let mut notices = Notices::default();
        settings.tell(&mut notices);
        let told = notices.into_sentences().join("\n");
        assert!(told.contains("c_phonenum (US 555)") && told.contains("c_ipgm_secret"), "{told}");
        assert!(!told.contains("12345") && !told.contains("c_setup_level"), "{told}");
    }
}
