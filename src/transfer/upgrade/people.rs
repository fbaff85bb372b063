//! The records of users, and what is derived from them: users by number, the directory of addresses.

use std::collections::BTreeMap;

use super::accounts::{Account, Accounts};
use super::domains::{Domains, directory_key};
use super::made::Making;
use super::mails::Mails;
use super::notices::Notices;
use crate::archive::RandomReader;
use crate::endpoint::Failure;
use crate::record::{Fields, Header, Key, Kind};

/// Longest list of addresses in bytes; its place has one more, for the NUL.
const ADDRESSES_BYTES: usize = 511;

/// What a user gets besides.
#[derive(Debug, Default)]
pub(super) struct Gifts {
    /// The message that holds the profile.
    pub profile: Option<i64>,
    /// The message that holds the picture.
    pub photo: Option<i64>,
}

/// Makes the records of all users.
pub(super) struct People<'a> {
    release: i64,
    accounts: &'a Accounts,
    mails: &'a Mails,
    domains: &'a Domains,
    directory: BTreeMap<Vec<u8>, Vec<u8>>,
    by_number: BTreeMap<i64, Vec<u8>>,
    with_addresses: u64,
    cut: Vec<Vec<u8>>,
    shared_addresses: Vec<Vec<u8>>,
    shared_numbers: Vec<Vec<u8>>,
    /// Addresses that the old directory had, and nobody's card has.
    gone: Vec<Vec<u8>>,
    filters: u64,
    /// Accounts with a script that nobody runs any more.
    with_scripts: Vec<Vec<u8>>,
    /// Accounts with rules that are switched off.
    with_idle_rules: Vec<Vec<u8>>,
}

impl<'a> People<'a> {
    /// Nobody yet.
    pub fn new(release: i64, accounts: &'a Accounts, mails: &'a Mails, domains: &'a Domains) -> Self {
        People {
            release,
            accounts,
            mails,
            domains,
            directory: BTreeMap::new(),
            by_number: BTreeMap::new(),
            with_addresses: 0,
            cut: Vec::new(),
            shared_addresses: Vec::new(),
            shared_numbers: Vec::new(),
            gone: Vec::new(),
            filters: 0,
            with_scripts: Vec::new(),
            with_idle_rules: Vec::new(),
        }
    }

    /// Makes the records of users.
    pub fn make(
        &mut self,
        archive: &RandomReader,
        gifts: &BTreeMap<i64, Gifts>,
        making: &mut Making,
    ) -> Result<(), Failure> {
        for record in archive.headers(Some(Kind::User)).map_err(Failure::from)? {
            let (mut header, _) = record.map_err(Failure::from)?;
            let key = header.key.last_name().unwrap_or_default();
            let Some(account) = self.accounts.by_old_key(key) else { continue };
            self.update(account, gifts.get(&account.number), &mut header.fields);
            self.derive(account, &header.fields);
            (header.key, header.residue) = (Key::name(account.key.clone()), None);
            making.plain(&header)?;
        }
        if self.derives() {
            self.make_derived(making)?;
            self.compare_directory(archive)?;
        }
        Ok(())
    }

    /// Whether directory and users by number are made anew: below 928 because names may have changed, and because the directory has other values.
    fn derives(&self) -> bool {
        self.release < 928
    }

    fn update(&mut self, account: &Account, gifts: Option<&Gifts>, fields: &mut Fields) {
        self.accounts.update(account, fields);
        let messages = gifts.map(|gifts| [("msgnum_bio", gifts.profile), ("msgnum_pic", gifts.photo)]);
        for (name, message) in messages.into_iter().flatten() {
            if let Some(message) = message {
                fields.set_int(name, message);
            }
        }
        if self.release < 912
            && let Some(addresses) = self.mails.addresses.get(&account.number)
        {
            let joined = self.joined(account, addresses);
            self.with_addresses += u64::from(!joined.is_empty());
            fields.set_string("emailaddrs", joined);
        }
        if self.release < 930
            && let Some((message, filter)) = self.mails.filters.get(&account.number)
        {
            if filter.has_script {
                self.with_scripts.push(account.name.clone());
            }
            if filter.may_be_known() {
                self.filters += 1;
                fields.set_int("msgnum_inboxrules", *message);
            } else {
                self.with_idle_rules.push(account.name.clone());
            }
        }
    }

    /// Those of the addresses that a user may have, as far as there is place.
    fn joined(&mut self, account: &Account, addresses: &[Vec<u8>]) -> Vec<u8> {
        let mut joined = Vec::new();
        for address in addresses.iter().filter(|address| self.domains.may_be_a_users(address)) {
            if address.contains(&b'|') || address.contains(&0) || joined.len() + address.len() + 1 > ADDRESSES_BYTES {
                self.cut.push([&account.name, b": ".as_slice(), address].concat());
                continue;
            }
            if !joined.is_empty() {
                joined.push(b'|');
            }
            joined.extend_from_slice(address);
        }
        joined
    }

    fn derive(&mut self, account: &Account, fields: &Fields) {
        for address in fields.bytes("emailaddrs").unwrap_or_default().split(|byte| *byte == b'|') {
            if self.domains.is_own(address) {
                let before = self.directory.insert(directory_key(address), account.name.clone());
                if before.is_some_and(|before| before != account.name) {
                    self.shared_addresses.push(address.to_vec());
                }
            }
        }
        // The server itself has number 0 and is not looked up by it.
        if account.number != 0 {
            let before = self.by_number.insert(account.number, account.name.clone());
            self.shared_numbers.extend(before);
        }
    }

    fn make_derived(&self, making: &mut Making) -> Result<(), Failure> {
        let of = |kind, key, user: &[u8]| {
            let mut fields = Fields::new();
            fields.set_string("user", user);
            Header { kind, key, fields, body: None, residue: None }
        };
        for (address, user) in &self.directory {
            making.plain(&of(Kind::Directory, Key::name(address.clone()), user))?;
        }
        for (number, user) in &self.by_number {
            making.plain(&of(Kind::Usernumber, Key::number(*number), user))?;
        }
        Ok(())
    }

    fn compare_directory(&mut self, archive: &RandomReader) -> Result<(), Failure> {
        for record in archive.records(Some(Kind::Directory)).map_err(Failure::from)? {
            let record = record.map_err(Failure::from)?;
            let address = record.key.last_name().unwrap_or_default();
            if !self.directory.contains_key(address) {
                self.gone.push(address.to_vec());
            }
        }
        Ok(())
    }

    /// What has become of them.
    pub fn tell(&self, notices: &mut Notices) {
        let keys = if self.release < 928 { ", each under its new key" } else { "" };
        notices.say(format!("{} accounts are as release 980 has them{keys}", self.accounts.iter().count()));
        if self.release < 912 {
            notices.say(format!("{} accounts have the Internet addresses of their vCards", self.with_addresses));
        }
        if self.filters > 0 {
            notices.say(format!("{} accounts know the message with their mail filter", self.filters));
        }
        notices.say_names(
            "accounts whose mail filter is a Sieve script, which release 980 does not run: their mail stays in the inbox, and the script in its message",
            &self.with_scripts,
        );
        notices.say_names(
            "accounts that have switched off their filter rules: the new server is not told of these, for it would run them",
            &self.with_idle_rules,
        );
        if self.derives() {
            notices.say(format!(
                "the directory of {} addresses and the list of {} users by number were made anew",
                self.directory.len(),
                self.by_number.len()
            ));
        }
        notices.say_names(
            "addresses that the old directory had and no account's vCard has: mail to them is refused from now on",
            &self.gone,
        );
        notices.say_names("addresses in vCards for which an account has no place", &self.cut);
        notices.say_names("addresses that several accounts have; the last one gets the mail", &self.shared_addresses);
        notices.say_names(
            "accounts whose number another one has, too; the other one is found by it",
            &self.shared_numbers,
        );
    }
}
