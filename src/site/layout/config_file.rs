//! `citadel.config`, the settings of releases before 902: one struct, of which each member is a record (`format-spec/site.md`, section 7.1).

use super::ctype::CType::{Char, Int, Long, Text, Time, Unused, UnusedLong};
use super::ctype::{CType, Dialect, StructLayout};
use super::pairs::{patched, residue_between};
use super::structs::{always, since};
use super::{LayoutError, Problem, decode, encode};
use crate::record::schema::CONFIG_FILE;
use crate::record::{Body, Fields, Header, Key, Kind, Residue, Value};

/// `struct config`; the names are those of the settings.
pub static CONFIG: StructLayout = StructLayout {
    name: "config",
    head: &[],
    fields: &[
        always("c_nodename", Text(16)),
        always("c_fqdn", Text(64)),
        always("c_humannode", Text(21)),
        always("c_phonenum", Text(16)),
        always("c_ctdluid", Int),
        always("c_creataide", Char),
        always("c_sleeping", Int),
        always("c_initax", Char),
        always("c_regiscall", Char),
        always("c_twitdetect", Char),
        always("c_twitroom", Text(128)),
        always("c_moreprompt", Text(80)),
        always("c_restrict", Char),
        always("niu_1", UnusedLong),
        always("c_site_location", Text(32)),
        always("c_sysadm", Text(26)),
        always("niu_2", Unused(15)),
        always("c_setup_level", Int),
        always("c_maxsessions", Int),
        always("c_ip_addr", Text(20)),
        always("c_port_number", Int),
        always("c_ipgm_secret", Int),
        always("c_ep_mode", Int),
        always("c_ep_value", Int),
        always("c_userpurge", Int),
        always("c_roompurge", Int),
        always("c_logpages", Text(128)),
        always("c_createax", Char),
        always("c_maxmsglen", Long),
        always("c_min_workers", Int),
        always("c_max_workers", Int),
        always("c_pop3_port", Int),
        always("c_smtp_port", Int),
        always("c_rfc822_strict_from", Int),
        always("c_aide_zap", Int),
        always("c_imap_port", Int),
        always("c_net_freq", Time),
        always("c_disable_newu", Char),
        always("c_enable_fulltext", Char),
        always("c_baseroom", Text(128)),
        always("c_aideroom", Text(128)),
        always("c_purge_hour", Int),
        always("c_mbxep_mode", Int),
        always("c_mbxep_value", Int),
        always("c_ldap_host", Text(128)),
        always("c_ldap_port", Int),
        always("c_ldap_base_dn", Text(256)),
        always("c_ldap_bind_dn", Text(256)),
        always("c_ldap_bind_pw", Text(256)),
        always("c_msa_port", Int),
        always("c_imaps_port", Int),
        always("c_pop3s_port", Int),
        always("c_smtps_port", Int),
        always("c_auto_cull", Char),
        always("c_instant_expunge", Char),
        always("c_allow_spoofing", Char),
        always("c_journal_email", Char),
        always("c_journal_pubmsgs", Char),
        always("c_journal_dest", Text(128)),
        always("c_default_cal_zone", Text(128)),
        always("c_pftcpdict_port", Int),
        always("c_managesieve_port", Int),
        always("c_auth_mode", Int),
        always("c_funambol_host", Text(256)),
        always("c_funambol_port", Int),
        always("c_funambol_source", Text(256)),
        always("c_funambol_auth", Text(256)),
        always("c_rbl_at_greeting", Char),
        since(721, "c_master_user", Text(32)),
        since(721, "c_master_pass", Text(32)),
        since(722, "c_pager_program", Text(256)),
        since(723, "c_imap_keep_from", Char),
        since(725, "c_xmpp_c2s_port", Int),
        since(725, "c_xmpp_s2s_port", Int),
        since(737, "c_pop3_fetch", Time),
        since(737, "c_pop3_fastest", Time),
        since(739, "c_spam_flag_only", Int),
        since(789, "c_guest_logins", Int),
        since(830, "c_nntp_port", Int),
        since(830, "c_nntps_port", Int),
    ],
    least: "c_rbl_at_greeting",
};

/// What a file becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// A record for each member, in the order of the struct.
    pub settings: Vec<Header>,
    /// What the members don't reproduce of the file: the residue of its `control` record.
    pub residue: Option<Residue>,
}

/// Reads the file; `None` if it is too short, or has too much that no member covers.
pub fn decode_config_file(dialect: Dialect, file: &[u8]) -> Option<ConfigFile> {
    if file.len() < CONFIG.least(dialect) {
        return None;
    }
    let fields = decode(&CONFIG, dialect, file);
    let mut settings = Vec::new();
    for (member, start) in CONFIG.members(dialect) {
        let (body, residue) = match fields.get(member.name) {
            Some(Value::String(text)) => (text.clone(), stale_bytes(text, member.c_type, dialect, file, start)?),
            Some(Value::Int(number)) => (number.to_string().into_bytes(), None),
            _ => continue,
        };
        let mut fields = Fields::new();
        fields.set_string("origin", CONFIG_FILE);
        let key = Key::name(member.name);
        settings.push(Header { kind: Kind::Config, key, fields, body: Some(Body::Inline(body)), residue });
    }
    let encoded = with_members(dialect, &settings, true).ok()?;
    let residue = residue_between(encoded, file)?;
    Some(ConfigFile { settings, residue: Some(residue).filter(|residue| !residue.is_empty()) })
}

/// What stands behind the NUL of a text; `None` if it doesn't come back. The outer one is for what is too much.
fn stale_bytes(text: &[u8], c_type: CType, dialect: Dialect, file: &[u8], start: usize) -> Option<Option<Residue>> {
    let size = c_type.size(dialect.layout);
    let mut stored = file.get(start..).unwrap_or_default().to_vec();
    stored.resize(size, 0);
    let mut encoded = text.to_vec();
    encoded.resize(size, 0);
    residue_between(encoded, &stored).map(|residue| Some(residue).filter(|residue| !residue.is_empty()))
}

/// The file of which these are the settings. With `same_layout` all residue is applied: theirs, and that of the file's `control` record.
///
/// # Errors
/// When a member is missing, is no number or too large, or when a setting is none of the release.
pub fn encode_config_file(
    dialect: Dialect,
    settings: &[Header],
    control: &Header,
    same_layout: bool,
) -> Result<Vec<u8>, LayoutError> {
    let residue = control.residue.as_ref().filter(|_| same_layout);
    with_members(dialect, settings, same_layout)
        .and_then(|file| patched(file, residue))
        .map_err(|problem| problem.of(control.kind, &control.key))
}

fn with_members(dialect: Dialect, settings: &[Header], same_layout: bool) -> Result<Vec<u8>, Problem> {
    let mut fields = Fields::new();
    for setting in settings {
        let name = setting.key.last_name().unwrap_or_default();
        let member = CONFIG.fields.iter().find(|member| member.name.as_bytes() == name).ok_or(Problem::NoPair)?;
        let Some(Body::Inline(body)) = &setting.body else {
            return Err(Problem::FieldMissing { field: member.name });
        };
        match member.c_type {
            Text(_) => fields.set_string(member.name, body.clone()),
            _ => fields.set_int(member.name, number(body).ok_or(Problem::FieldMissing { field: member.name })?),
        }
    }
    let mut file = encode(&CONFIG, dialect, &[], &fields)?;
    for (member, start) in CONFIG.members(dialect).filter(|_| same_layout) {
        let setting = settings.iter().find(|setting| setting.key.last_name() == Some(member.name.as_bytes()));
        if let Some(residue) = setting.and_then(|setting| setting.residue.as_ref()) {
            let place = &mut file[start..start + member.c_type.size(dialect.layout)];
            let patched = patched(place.to_vec(), Some(residue))?;
            if patched.len() != place.len() {
                return Err(Problem::ResidueMisfit { bytes: place.len() });
            }
            place.copy_from_slice(&patched);
        }
    }
    Ok(file)
}

/// A number as `record.md` writes it, and no other way.
fn number(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}
