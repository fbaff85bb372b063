//! `mail.aliases`: a text file of old releases, in place of which release 980 has a message of the type `global_alias_table`.

/// MIME type of the message, and name of the setting that has its number.
pub(super) const GLOBAL_ALIAS_TABLE: &str = "global_alias_table";

/// The table for a file's content: `alias|target` for each line `alias,target`; and how many lines are none.
pub(super) fn alias_table(file: &[u8]) -> (Vec<u8>, usize) {
    let (mut table, mut others) = (Vec::new(), 0);
    for line in file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        let comma = line.iter().position(|byte| *byte == b',');
        let parts = comma.map(|comma| (line[..comma].trim_ascii(), line[comma + 1..].trim_ascii()));
        match parts {
            Some((alias, target)) if is_plain(alias) && is_plain(target) && !line.starts_with(b"#") => {
                table.extend_from_slice(alias);
                table.push(b'|');
                table.extend_from_slice(target);
                table.push(b'\n');
            }
            _ => others += usize::from(!line.starts_with(b"#")),
        }
    }
    (table, others)
}

fn is_plain(part: &[u8]) -> bool {
    !part.is_empty() && !part.contains(&b'|') && !part.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_keep_their_targets() {
        let file =
            b"postmaster,admin\n# none\nteam,alice,Bob Builder\r\nvoid,nobody@undeliverable.invalid\n\nbroken\n,x\n";
        let expected = b"postmaster|admin\nteam|alice,Bob Builder\nvoid|nobody@undeliverable.invalid\n";
        assert_eq!(alias_table(file), (expected.to_vec(), 2));
    }
}
