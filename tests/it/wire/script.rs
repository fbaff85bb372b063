//! Conversations as text (`fixtures/wire/README.md`).

use crate::support::project;

/// One conversation: all that either side sends, and what else the file says.
#[derive(Debug, Default)]
pub struct Script {
    pub name: String,
    pub client: Vec<u8>,
    pub server: Vec<u8>,
    directives: Vec<(String, String)>,
}

impl Script {
    pub fn parse(name: &str, text: &str) -> Script {
        let mut script = Script { name: name.to_owned(), ..Script::default() };
        for line in text.lines() {
            let rest = line.get(2..).unwrap_or_default();
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            match line.get(..2) {
                Some("C:") => script.client.extend([rest.as_bytes(), b"\n"].concat()),
                Some("S:") => script.server.extend([rest.as_bytes(), b"\n"].concat()),
                Some("C=") => script.client.extend(unescape(rest)),
                Some("S=") => script.server.extend(unescape(rest)),
                Some("C*") => script.client.extend(repeated(rest)),
                Some("S*") => script.server.extend(repeated(rest)),
                Some("@ ") => {
                    let (word, value) = rest.split_once(' ').unwrap_or((rest, ""));
                    script.directives.push((word.to_owned(), value.to_owned()));
                }
                _ => assert!(line.is_empty() || line.starts_with('#'), "{name}: {line}"),
            }
        }
        script
    }

    /// The same, but for what the server says.
    pub fn with_server(&self, server: Vec<u8>) -> Script {
        let mut directives = self.directives.clone();
        directives.push(("changed".into(), String::new()));
        Script { name: self.name.clone(), client: self.client.clone(), server, directives }
    }

    /// What a line `@ WORD value` says.
    pub fn says(&self, word: &str) -> Option<&str> {
        self.directives.iter().find(|(other, _)| other == word).map(|(_, value)| value.as_str())
    }
}

/// All conversations whose names begin so, in order.
pub fn scripts(prefix: &str) -> Vec<Script> {
    let mut names: Vec<String> = std::fs::read_dir(project("fixtures/wire"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix) && name.ends_with(".txt"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let read = |name: &String| std::fs::read_to_string(project("fixtures/wire").join(name)).unwrap();
    names.iter().map(|name| Script::parse(name, &read(name))).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        match after.strip_prefix('x') {
            Some(hex) => {
                bytes.push(u8::from_str_radix(&hex[..2], 16).unwrap());
                rest = &hex[2..];
            }
            None => {
                bytes.push(b'\\');
                rest = after.strip_prefix('\\').expect("a backslash stands before x or another backslash");
            }
        }
    }
    bytes.extend(rest.as_bytes());
    bytes
}

fn repeated(text: &str) -> Vec<u8> {
    let (count, text) = text.split_once(' ').unwrap();
    unescape(text).into_iter().cycle().take(count.parse().unwrap()).collect()
}
