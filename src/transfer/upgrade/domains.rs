//! Which Internet domains a site calls its own.

/// MIME type of the message that holds the site's Internet configuration.
pub(super) const INTERNET_CONFIGURATION: &[u8] = b"application/x-citadel-internet-config";

/// The domains of a site, in lower case.
#[derive(Debug, Default)]
pub(super) struct Domains {
    own: Vec<Vec<u8>>,
    masqueraded: Vec<Vec<u8>>,
}

impl Domains {
    /// Those that are a site's own by two of its settings.
    pub fn of(fqdn: &[u8], nodename: &[u8]) -> Self {
        let names = [b"localhost".as_slice(), fqdn, nodename];
        let own = names.iter().filter(|name| !name.is_empty()).map(|name| name.to_ascii_lowercase()).collect();
        Domains { own, masqueraded: Vec::new() }
    }

    /// Adds what the Internet configuration says: the text of its message, whose MIME headers end with an empty line.
    pub fn add_configuration(&mut self, text: &[u8]) {
        let mut is_header = true;
        for line in text.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end()) {
            if is_header {
                is_header = !line.is_empty();
                continue;
            }
            let mut tokens = line.split(|byte| *byte == b'|');
            let (Some(host), Some(kind)) = (tokens.next(), tokens.next()) else { continue };
            let host = host.to_ascii_lowercase();
            match kind.to_ascii_lowercase().as_slice() {
                b"localhost" | b"directory" => self.own.push(host),
                b"masqdomain" => self.masqueraded.push(host),
                _ => {}
            }
        }
    }

    /// Whether mail to an address is delivered here, and so found by the directory.
    pub fn is_own(&self, address: &[u8]) -> bool {
        domain(address).is_some_and(|domain| self.own.contains(&domain))
    }

    /// Whether a user may have an address: one of an own domain, or of one that others are hidden behind.
    pub fn may_be_a_users(&self, address: &[u8]) -> bool {
        self.is_own(address) || domain(address).is_some_and(|domain| self.masqueraded.contains(&domain))
    }
}

/// An address's key in the directory: without white space, in lower case.
pub(super) fn directory_key(address: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    address.iter().filter(|byte| !is_space(byte)).map(u8::to_ascii_lowercase).collect()
}

fn domain(address: &[u8]) -> Option<Vec<u8>> {
    let domain = address.split(|byte| *byte == b'@').nth(1)?.trim_ascii();
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_domains_are_those_of_settings_and_configuration() {
        let mut domains = Domains::of(b"Mail.example.org", b"mail");
        domains.add_configuration(
            b"Content-type: application/x-citadel-internet-config\n\nexample.org|localhost\nold.example.org|directory\nfront.example.org|masqdomain\nsmart.invalid|smarthost\n",
        );
        for own in ["a@mail.EXAMPLE.org", "a@mail", "a@localhost", "a@example.org", "a@old.example.org"] {
            assert!(domains.is_own(own.as_bytes()), "{own}");
        }
        for other in ["a", "a@", "a@front.example.org", "a@smart.invalid", "a@elsewhere.org"] {
            assert!(!domains.is_own(other.as_bytes()), "{other}");
        }
        assert!(domains.may_be_a_users(b"a@front.example.org"));
    }

    #[test]
    fn headers_are_not_taken_for_domains() {
        let mut domains = Domains::default();
        domains.add_configuration(b"x|localhost\n\ny|localhost");
        assert!(!domains.is_own(b"a@x") && domains.is_own(b"a@y"));
    }

    #[test]
    fn the_directory_has_addresses_without_white_space() {
        assert_eq!(directory_key(b" Bob @ Example.org"), b"bob@example.org");
    }
}
