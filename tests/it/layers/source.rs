//! A source file as the layers see it: its code without comments, literals and tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::project;

/// A file of `src/`.
pub struct Source {
    /// Relative to the project.
    pub path: PathBuf,
    /// Of the whole file.
    pub lines: usize,
    tokens: Vec<String>,
}

/// All files of Rust below a folder of the project, but those that hold only tests.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut paths: Vec<PathBuf> = walkdir::WalkDir::new(project(folder))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let read =
        |path: &PathBuf| Source::new(path.strip_prefix(project("")).unwrap(), &std::fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

impl Source {
    pub fn new(path: impl AsRef<Path>, text: &str) -> Source {
        let tokens = without_tests(tokens(&without_comments_and_literals(text)));
        Source { path: path.as_ref().into(), lines: text.lines().count(), tokens }
    }

    pub fn is_of_the_binary(&self) -> bool {
        self.path.starts_with("src/bin")
    }

    /// The path of the module that the file is; empty for the root.
    pub fn module(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src").unwrap().with_extension("");
        let mut parts: Vec<String> = path.iter().map(|part| part.to_str().unwrap().into()).collect();
        parts.pop_if(|last| last == "mod" || last == "lib");
        parts
    }

    /// The modules at the root that this one names, by `crate::` or by enough `super::`.
    pub fn used_modules(&self) -> BTreeSet<String> {
        let depth = self.module().len();
        let mut used = BTreeSet::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let climbed = (0..).take_while(|step| self.is_path_step(at + step * 2, "super")).count();
            if self.is_path_step(at, "crate") {
                used.extend(self.names_at(at + 2));
            } else if climbed > 0 && climbed == depth {
                used.extend(self.names_at(at + climbed * 2));
            }
            at += 1 + (climbed * 2).saturating_sub(1);
        }
        used
    }

    /// Whether the code has these words, one after the other.
    pub fn says(&self, words: &str) -> bool {
        let words = tokens(words);
        self.tokens.windows(words.len()).any(|window| window == words)
    }

    fn is_path_step(&self, at: usize, word: &str) -> bool {
        matches!(self.tokens.get(at..at + 2), Some([name, colons]) if name == word && colons == "::")
    }

    /// The name here, or the first names of each path in the braces here.
    fn names_at(&self, at: usize) -> Vec<String> {
        let Some(first) = self.tokens.get(at) else { return Vec::new() };
        if first != "{" {
            return vec![first.clone()];
        }
        let mut names = Vec::new();
        let (mut depth, mut starts) = (0, false);
        for token in &self.tokens[at..] {
            match token.as_str() {
                "{" => (depth, starts) = (depth + 1, depth == 0),
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                "," => starts = depth == 1,
                name if starts => {
                    names.push(name.into());
                    starts = false;
                }
                _ => {}
            }
        }
        names
    }
}

/// Names, `::`, and every other sign by itself.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            _ => word,
        };
        tokens.push(rest[..length].into());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Leaves out each item that stands under `#[cfg(test)]`: up to its semicolon, or its closing brace.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(marker.len()).eq(marker) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += marker.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (token == ";" || token == "}") {
                break;
            }
        }
    }
    kept
}

fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped =
            comment(rest).or_else(|| raw_string(rest)).or_else(|| quoted(rest, '"')).or_else(|| character(rest));
        match skipped {
            Some(length) => {
                code.push(' ');
                rest = &rest[length..];
            }
            // A whole word at once: the r of `for` begins no raw string.
            None if first.is_alphabetic() => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                code.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        match () {
            () if rest.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            () if depth == 0 => return None,
            () if rest.starts_with("*/") && depth == 1 => return Some(at + 2),
            () if rest.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            () => at += rest.chars().next()?.len_utf8(),
        }
    }
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let string = hashes.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(hashes.len() - string.len()));
    let length = string.strip_prefix('"')?.find(&end)?;
    Some(text.len() - string.len() + 1 + length + end.len())
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut inside = text.strip_prefix(quote)?.char_indices();
    while let Some((at, sign)) = inside.next() {
        match sign {
            '\\' => drop(inside.next()),
            _ if sign == quote => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// A character in quotes; a lifetime has no second quote right behind it.
fn character(text: &str) -> Option<usize> {
    let mut signs = text.strip_prefix('\'')?.chars();
    let is_escaped = signs.next()? == '\\';
    if is_escaped || signs.next()? == '\'' { quoted(text, '\'') } else { None }
}
