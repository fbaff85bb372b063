//! Makes a synthetic site of any size, as a stopped server of release 980 would leave it, for measurements.
//!
//!     cargo run --release --example generate-site -- DIR --messages 100000 --attachments 0.3
//!
//! Words have the frequencies of natural language (Zipf), so that it compresses as mail does; attachments are base64 of random data (as
//! pictures and packed files are) and of tables of text. The same numbers give the same site, byte for byte, but for the
//! identity of the table files.

mod mail;
mod people;
mod random;
mod site;
mod tables;
mod words;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Parser;

/// Makes a synthetic Citadel site.
#[derive(Parser)]
struct Arguments {
    /// The site's directory; must not exist.
    directory: PathBuf,
    /// Messages.
    #[arg(long, default_value_t = 10_000)]
    messages: u32,
    /// Users; one for a hundred messages unless said otherwise.
    #[arg(long)]
    users: Option<u32>,
    /// Share of the mails that have an attachment, 0 to 1.
    #[arg(long, default_value_t = 0.25)]
    attachments: f64,
    /// Share of the attachments that can't be compressed, 0 to 1.
    #[arg(long, default_value_t = 0.5)]
    packed: f64,
    /// The longest text of a message, in bytes.
    #[arg(long, default_value_t = 20_000)]
    longest_text: u32,
    /// Adds a message with a body of so many bytes.
    #[arg(long)]
    big: Option<u32>,
    /// How many of those.
    #[arg(long, default_value_t = 1)]
    bigs: u32,
    /// Another number makes another site.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let Arguments { directory, messages, attachments, packed, longest_text, big, bigs, seed, .. } = arguments;
    for (name, share) in [("--attachments", attachments), ("--packed", packed)] {
        ensure!((0.0..=1.0).contains(&share), "{name} is a share, from 0 to 1");
    }
    let users = arguments.users.unwrap_or(messages / 100).clamp(2, 1_000_000);
    std::fs::create_dir(&directory).with_context(|| format!("can't make {}", directory.display()))?;
    let mail = mail::Plan { attachments, packed, longest_text };
    let big = big.into_iter().flat_map(|bytes| std::iter::repeat_n(bytes, bigs as usize)).collect();
    let plan = site::Plan { messages, users, mail, big, seed };
    let bytes = plan.build(&directory)?;
    println!(
        "{}: {messages} messages of {users} users, {} MB of message bodies",
        directory.display(),
        bytes / 1_000_000
    );
    Ok(())
}
