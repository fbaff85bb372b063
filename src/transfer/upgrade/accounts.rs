//! Accounts: under which key and name each of them is found by release 980, and which of them there are no more.

use std::collections::{BTreeMap, HashSet};

use super::notices::Notices;
use super::user_key::{user_key, with_word};
use crate::record::{Fields, Header, printable};

/// How the names of accounts of the server's own threads begin.
const THREAD: &[u8] = b"SYS_";
/// The user of the machine that an account has which is none of the machine's: -1, without a sign.
const NOBODY: i64 = 0xffff_ffff;

/// All accounts of a site whose records are understood.
#[derive(Debug)]
pub(super) struct Accounts {
    release: i64,
    accounts: Vec<Account>,
    /// Which of them has an old key.
    by_old_key: BTreeMap<Vec<u8>, usize>,
    taken: HashSet<Vec<u8>>,
    removed: Vec<Vec<u8>>,
    threads: Vec<Vec<u8>>,
    nameless: u64,
}

/// One account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Its number.
    pub number: i64,
    /// Its display name.
    pub name: Vec<u8>,
    /// The key under which it stands from now on.
    pub key: Vec<u8>,
    /// The display name that it had.
    old_name: Vec<u8>,
    is_removed: bool,
}

impl Accounts {
    /// No accounts yet.
    pub fn new(release: i64) -> Self {
        Accounts {
            release,
            accounts: Vec::new(),
            by_old_key: BTreeMap::new(),
            taken: HashSet::new(),
            removed: Vec::new(),
            threads: Vec::new(),
            nameless: 0,
        }
    }

    /// Takes the next account. One whose record can't be understood keeps its key and is no account here.
    pub fn add(&mut self, header: &Header) {
        let key = header.key.last_name().unwrap_or_default().to_vec();
        let (Some(number), Some(name)) = (header.fields.int("usernum"), header.fields.bytes("fullname")) else {
            self.taken.insert(key);
            return;
        };
        let name: Vec<u8> = name.iter().copied().filter(|byte| *byte != 0).collect();
        // Before 735 accounts came into being that had number 0 or no name; later ones have one account with number 0, and may have one with neither.
        let is_nobody = name.is_empty() && number == 0;
        let is_thread = number != 0 && is_of_a_thread(&name, header);
        let is_removed = is_nobody || is_thread || self.release < 735 && (name.is_empty() || number == 0);
        if is_nobody {
            self.nameless += 1;
        } else if is_thread {
            self.threads.push(name.clone());
        } else if is_removed {
            self.removed.push(if name.is_empty() { format!("number {number}").into_bytes() } else { name.clone() });
        }
        self.by_old_key.insert(key.clone(), self.accounts.len());
        self.accounts.push(Account { number, old_name: name.clone(), name, key, is_removed });
    }

    /// Finds keys for all, each its own. Of several accounts that have the same one the oldest keeps its name.
    pub fn settle(&mut self) {
        if self.release >= 928 {
            return;
        }
        let mut order: Vec<usize> = (0..self.accounts.len()).filter(|at| !self.accounts[*at].is_removed).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&self.accounts[*a], &self.accounts[*b]);
            (a.number, &a.key).cmp(&(b.number, &b.key))
        });
        let mut later = Vec::new();
        for at in order {
            let key = user_key(&self.accounts[at].name);
            if key.is_empty() || !self.taken.insert(key.clone()) {
                later.push(at);
            } else {
                self.accounts[at].key = key;
            }
        }
        for at in later {
            let Account { number, name, .. } = &self.accounts[at];
            let found = new_names(name, *number).find(|name| !self.taken.contains(&user_key(name)));
            if let Some(name) = found {
                let key = user_key(&name);
                self.taken.insert(key.clone());
                let account = &mut self.accounts[at];
                (account.key, account.name) = (key, name);
            }
        }
    }

    /// The account that had this key, if there still is one.
    pub fn by_old_key(&self, key: &[u8]) -> Option<&Account> {
        self.by_old_key.get(key).map(|at| &self.accounts[*at]).filter(|account| !account.is_removed)
    }

    /// All accounts that there are.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(|account| !account.is_removed)
    }

    /// The highest number of an account.
    pub fn highest_number(&self) -> i64 {
        self.iter().map(|account| account.number).max().unwrap_or_default()
    }

    /// Gives an account's fields the values that release 980 has for them.
    pub fn update(&self, account: &Account, fields: &mut Fields) {
        fields.set_int("version", super::CURRENT_RELEASE);
        fields.remove("screenwidth");
        fields.remove("screenheight");
        fields.set_string("fullname", account.name.clone());
    }

    /// What has become of the accounts.
    pub fn tell(&self, notices: &mut Notices) {
        for account in self.iter().filter(|account| account.name != account.old_name) {
            let why = match user_key(&account.old_name).is_empty() {
                true => "release 980 finds no account whose name has no letter from a to z and no digit",
                false => "release 980 can't tell it from another account's",
            };
            notices.say(format!(
                "the account {} (number {}) is now named {}, and logs in so: {why}",
                printable(&account.old_name),
                account.number,
                printable(&account.name)
            ));
        }
        notices
            .say_names("accounts without a number or without a name, removed as the server would do it", &self.removed);
        if self.nameless > 0 {
            notices.say("an account without a number and without a name, which old releases make and nobody can use, was left out");
        }
        notices.say_names(
            "accounts of the old server's own threads, left out, for release 980 would let anybody use them without a password",
            &self.threads,
        );
    }
}

/// Whether nobody but the server itself has used it: releases until 902 let no such name log in; release 980 does, and asks for the password, which is empty.
fn is_of_a_thread(name: &[u8], header: &Header) -> bool {
    let has_password = header.fields.bytes("password").is_some_and(|password| !password.is_empty());
    let begins_so = name.get(..THREAD.len()).is_some_and(|head| head.eq_ignore_ascii_case(THREAD));
    begins_so && !has_password && header.fields.int("uid") == Some(NOBODY)
}

/// Names for an account whose own can't be told from another one's, the best first.
fn new_names(name: &[u8], number: i64) -> impl Iterator<Item = Vec<u8>> {
    let first = user_key(name).is_empty().then(|| with_word(name, &format!("user{number}")));
    let base = first.clone().unwrap_or_else(|| name.to_vec());
    first.into_iter().chain((2u64..).map(move |count| with_word(&base, &count.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Key, Kind};

    fn accounts(release: i64, names: &[(&str, i64)]) -> Accounts {
        let mut accounts = Accounts::new(release);
        for (name, number) in names {
            let mut fields = Fields::new();
            fields.set_int("usernum", *number);
            fields.set_string("fullname", *name);
            let key = Key::name(name.to_ascii_lowercase());
            accounts.add(&Header { kind: Kind::User, key, fields, body: None, residue: None });
        }
        accounts.settle();
        accounts
    }

    fn names(accounts: &Accounts) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        accounts.iter().map(|account| (text(&account.key), text(&account.name))).collect()
    }

    #[test]
    fn of_two_accounts_with_one_key_the_older_one_keeps_its_name() {
        let accounts = accounts(772, &[("Bob Builder", 7), ("Bob-Builder", 3)]);
        let expected = [("bobbuilder2", "Bob Builder 2"), ("bobbuilder", "Bob-Builder")];
        assert_eq!(names(&accounts), expected.map(|(key, name)| (key.to_owned(), name.to_owned())));
        let mut notices = Notices::default();
        accounts.tell(&mut notices);
        assert!(notices.into_sentences()[0].contains("Bob Builder (number 7) is now named Bob Builder 2"));
    }

    #[test]
    fn an_account_without_letters_of_ascii_gets_a_name_with_its_number() {
        let accounts = accounts(902, &[("日本", 5), ("user5", 6)]);
        assert_eq!(names(&accounts)[0], ("user52".to_owned(), "日本 user5 2".to_owned()));
        assert_eq!(names(&accounts)[1], ("user5".to_owned(), "user5".to_owned()));
    }

    #[test]
    fn a_new_name_is_never_one_that_somebody_has() {
        let accounts = accounts(902, &[("a", 1), ("A!", 2), ("a2", 3)]);
        assert_eq!(names(&accounts)[1], ("a3".to_owned(), "A! 3".to_owned()));
    }

    #[test]
    fn releases_from_928_on_keep_their_keys() {
        let accounts = accounts(928, &[("Bob Builder", 7), ("Bob-Builder", 3)]);
        assert_eq!(names(&accounts)[0].0, "bob builder");
    }

    #[test]
    fn accounts_that_release_735_removed_are_removed() {
        assert_eq!(names(&accounts(732, &[("", 4), ("ghost", 0), ("x", 1)])).len(), 1);
        assert_eq!(names(&accounts(735, &[("", 4), ("ghost", 0), ("", 0)])).len(), 2);
    }

    #[test]
    fn accounts_of_threads_are_left_out_and_others_of_such_names_are_not() {
        for release in [732, 772, 902, 930] {
            let mut accounts = Accounts::new(release);
            let rows = [("SYS_Citadel", 0, NOBODY, ""), ("sys_indexer", 4, NOBODY, ""), ("SYS_op", 5, 1000, "")];
            for (name, number, uid, password) in rows.into_iter().chain([("SYS_aide", 6, NOBODY, "x")]) {
                let mut fields = Fields::new();
                fields.set_int("usernum", number);
                fields.set_int("uid", uid);
                fields.set_string("fullname", name);
                fields.set_string("password", password);
                accounts.add(&Header { kind: Kind::User, key: Key::name(name), fields, body: None, residue: None });
            }
            accounts.settle();
            let kept: Vec<_> = names(&accounts).into_iter().map(|(_, name)| name).collect();
            let expected = ["SYS_Citadel", "SYS_op", "SYS_aide"];
            assert_eq!(kept, &expected[usize::from(release < 735)..]);
            let mut notices = Notices::default();
            accounts.tell(&mut notices);
            let told = notices.into_sentences();
            assert!(told.last().is_some_and(|told| told.ends_with(": sys_indexer")), "{told:?}");
        }
    }
}
