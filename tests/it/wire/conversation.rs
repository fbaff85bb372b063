//! The conversations of `fixtures/wire/`: the server says what they say, the client too, and the second reader agrees.

use std::fs::File;
use std::sync::Arc;

use ctdl_dump::archive::RandomReader;
use ctdl_dump::codec::{Digest, RecordHasher, SEGMENT_BYTES, site_info};
use ctdl_dump::endpoint::Source;
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Body, Key, Kind, SiteInfo};
use ctdl_dump::transfer::{ArchiveView, Discard, copy};
use ctdl_dump::wire::{
    Abilities, Action, Client, Code, Command, EndOfLease, Input, Item, Listing, Login, Offered, Position, Pulse,
    Receiver, Reception, Refusal, Resume, Scope, Served, Server, SnapshotId, View, WireError, decode_keys,
    decode_position,
};

use super::script::{Script, scripts};
use crate::support::{project, python};

fn archive(name: &str) -> Arc<ArchiveView> {
    let file = File::open(project("fixtures/wire").join(name)).unwrap();
    Arc::new(ArchiveView::new(RandomReader::open(file).unwrap()).unwrap())
}

/// An archive that can be taken single-user, and given records, if the script says so.
pub struct Scripted<'a> {
    script: &'a Script,
    view: Arc<ArchiveView>,
    is_held: bool,
    notices: Vec<String>,
}

impl<'a> Scripted<'a> {
    pub fn new(script: &'a Script) -> Self {
        Scripted { script, view: archive(script.says("serve").unwrap()), is_held: false, notices: Vec::new() }
    }
}

impl Served for Scripted<'_> {
    fn abilities(&self) -> Abilities {
        let lease = self.script.says("lease").is_some();
        Abilities { lease, cutover: lease, receive: self.script.says("receive").is_some(), ..Abilities::default() }
    }

    fn snapshot(&mut self, _id: Option<&SnapshotId>, _pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        Ok(Arc::<ArchiveView>::clone(&self.view))
    }

    fn single_user(&mut self, _wait: u32, _expire: u32, pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        if !self.abilities().lease {
            return Err(Refusal::new(Code::NOT_HERE, "there is no running server behind this"));
        }
        pulse("2 users are still on: alice, Bob Builder")?;
        pulse("1 user is still on: Bob Builder")?;
        self.is_held = true;
        Ok(Arc::<ArchiveView>::clone(&self.view))
    }

    fn end_single_user(&mut self, _how: EndOfLease) -> Result<String, Refusal> {
        let was_held = std::mem::take(&mut self.is_held);
        was_held
            .then(|| "single-user mode has ended".into())
            .ok_or_else(|| Refusal::new(Code::NO_LEASE, "the site is not in single-user mode"))
    }

    fn receive(&mut self, _id: SnapshotId, _site: &SiteInfo, _pulse: Pulse) -> Result<Reception, Refusal> {
        let Some(known) = self.script.says("receive") else {
            return Err(Refusal::new(Code::NOT_HERE, "this server gives records and takes none"));
        };
        if known == "in-place" {
            return Ok(Reception::InPlace(self.view.archive().root().site_digest));
        }
        let mut receiver = Receiver::all(Scope::All);
        for known in self.view.archive().headers(None).unwrap().take(known.parse().unwrap()) {
            let (header, digest) = known.unwrap();
            receiver.take_known(&header, &digest);
        }
        Ok(Reception::Open(Box::new(receiver)))
    }

    fn take(&mut self, source: &mut dyn Source, pulse: Pulse) -> Result<Digest, Refusal> {
        copy(source, &mut Discard, &Silent)?;
        pulse("reading back what was written")?;
        self.notices.push("the previous site is kept".into());
        Ok(self.view.archive().root().site_digest)
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

#[test]
fn the_server_says_what_is_written() {
    for script in scripts("sync-").iter().filter(|script| script.says("refused").is_none()) {
        let server = Server {
            program: "ctdl-dump 0.1.0".to_owned(),
            token: script.says("token").map(str::to_owned),
            level: Some(3),
        };
        let mut said = Vec::new();
        let ended = server.serve(&mut Scripted::new(script), script.client.as_slice(), &mut said, &mut |_| (), &Silent);
        ended.unwrap_or_else(|error| panic!("{}: {error}", script.name));
        compare(&script.name, &said, &script.server);
    }
}

#[test]
fn the_client_says_what_is_written_and_understands_the_answers() {
    let not_ours = |script: &Script| script.says("by-hand").is_some() || gives_no_digest(script);
    for script in scripts("sync-").iter().filter(|script| !not_ours(script)) {
        let mut said = Vec::new();
        let ended = converse(script, &mut said);
        match script.says("refused") {
            None => ended.unwrap_or_else(|error| panic!("{}: {error}", script.name)),
            Some(problem) => {
                let error = ended.expect_err(&script.name).to_string();
                assert!(error.contains(problem), "{}: {error}", script.name);
            }
        }
        compare(&script.name, &said, &script.client);
    }
}

#[test]
fn the_second_reader_agrees() {
    let files = scripts("sync-").into_iter().map(|script| project("fixtures/wire").join(script.name));
    let output = python().arg("-B").arg(project("format-spec/wire.py")).args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// Whether a site is given without the digest of its `site.cbor`, as the client here never does.
pub fn gives_no_digest(script: &Script) -> bool {
    let without = |command: &Command| matches!(command, Command::Sync(_, Action::Put { digest: None, .. }));
    script.says("refused").is_none() && commands(&script.client).iter().any(|(command, _)| without(command))
}

/// Fails with the place where the two begin to differ.
fn compare(name: &str, said: &[u8], written: &[u8]) {
    let same = said.iter().zip(written).take_while(|(said, written)| said == written).count();
    let around = |bytes: &[u8]| bytes[same.saturating_sub(40)..bytes.len().min(same + 80)].escape_ascii().to_string();
    assert!(said == written, "{name}, byte {same}: {} is said, and {} is written", around(said), around(written));
}

/// Has a client give the commands that are written, against the answers that are written.
pub fn converse(script: &Script, said: &mut Vec<u8>) -> Result<(), WireError> {
    let mut commands = commands(&script.client);
    let token = commands.iter().find_map(|(command, _)| match command {
        Command::Pass(token) => Some(token.clone()),
        _ => None,
    });
    let login = Login { program: "ctdl-dump 0.1.0", token: token.as_deref(), level: None };
    let mut client = Client::connect(script.server.as_slice(), said, &login)?;
    commands.retain(|(command, _)| !matches!(command, Command::Pass(_) | Command::Identify { .. }));
    let mut commands = commands.into_iter().peekable();
    let mut asked = Vec::new();
    while let Some((command, counted)) = commands.next() {
        match command {
            Command::Quit => return client.quit(),
            Command::Snapshot(id) => client.take_snapshot(id, &mut |_| ()).map(|_| ())?,
            Command::Single { wait, expire } => client.single_user(wait, expire, &mut |_| ()).map(|_| ())?,
            Command::EndSingle(how) => going_on(client.end_single_user(how).map(drop))?,
            Command::Noop => client.noop()?,
            Command::Sync(Scope::Kind(kind), Action::Get { offset, .. }) => {
                let keys = decode_keys(&counted).unwrap();
                client.ask(kind, &keys, offset)?;
                asked.push((kind, keys, offset));
                if !matches!(commands.peek(), Some((Command::Sync(_, Action::Get { .. }), _))) {
                    for (kind, keys, offset) in asked.drain(..) {
                        if going_on(client.begin_answer().map(|()| true))? {
                            receive(&mut client, chosen(script, kind, keys, offset))?;
                        }
                    }
                }
            }
            Command::Sync(scope, action) => sync(script, &mut client, scope, action, &counted)?,
            command => panic!("{}: no client says {command:?}", script.name),
        }
    }
    Ok(())
}

type Scribe<'a> = Client<&'a [u8], &'a mut Vec<u8>>;

fn sync(script: &Script, client: &mut Scribe, scope: Scope, action: Action, counted: &[u8]) -> Result<(), WireError> {
    let digests = counted.as_chunks::<32>().0;
    match (action, scope) {
        (Action::Info, Scope::All) => client.info().map(|_| ()),
        (Action::Info, Scope::Kind(kind)) => client.info_of(kind).map(|_| ()),
        (Action::List(_), _) => drain(client.segments(scope, digests)?),
        (Action::Since(level, _), _) => drain(client.since(scope, level, digests)?),
        (Action::GetAll(None), _) => {
            client.get_all(scope, None)?;
            receive(client, Receiver::all(scope))
        }
        (Action::GetAll(Some(Resume { offset, .. })), _) => {
            let (kind, key) = decode_position(counted).unwrap();
            let position = Position { kind, key, offset };
            let receiver = known(script, &position);
            client.get_all(scope, receiver.position())?;
            receive(client, receiver)
        }
        (Action::Put { id, .. }, _) => put(script, client, id, &site_info::decode(counted).unwrap()),
        (Action::Get { .. }, _) => unreachable!("handled before"),
    }
}

fn put(script: &Script, client: &mut Scribe, id: SnapshotId, site: &SiteInfo) -> Result<(), WireError> {
    let view = archive(script.says("serve").unwrap());
    // Then the server says anything.
    let is_changed = script.says("changed").is_some();
    let position = match client.put(id, site, &mut |_, _| ())? {
        Offered::Taken(position) => position,
        Offered::InPlace(digest) => {
            assert!(is_changed || digest == view.archive().root().site_digest);
            return Ok(());
        }
    };
    let after = position.map(|last| ((last.kind, last.key), last.offset));
    let Ok(mut source) = view.records(Scope::All, after.as_ref().map(|(last, offset)| (last, *offset))) else {
        assert!(is_changed);
        return Err(WireError::Disagreement { problem: "there is no such place" });
    };
    let mut sender = client.sender(Some(view.totals().unwrap().1));
    let sent = copy(&mut *source, &mut sender, &Silent);
    assert!(is_changed || sent.is_ok());
    let mut told = Vec::new();
    let digest = client.end_put(&mut |code, text| told.push((code, text.to_owned())))?;
    if is_changed {
        return Ok(());
    }
    assert_eq!(digest, view.archive().root().site_digest);
    let (at_work, notice) = ("reading back what was written", "the previous site is kept");
    assert_eq!(told, [(Code::AT_WORK, at_work.to_owned()), (Code::NOTICE, notice.to_owned())]);
    Ok(())
}

/// A refusal is part of some conversations.
fn going_on<T: Default>(result: Result<T, WireError>) -> Result<T, WireError> {
    match result {
        Err(WireError::Refused { code, .. }) if [Code::NO_LEASE, Code::NO_RECORD].contains(&code) => Ok(T::default()),
        result => result,
    }
}

fn receive(client: &mut Scribe, mut receiver: Receiver) -> Result<(), WireError> {
    let mut segment = Vec::new();
    while receiver.segment(client.input(), &mut segment)? {}
    while receiver.next(client.input())?.is_some() {
        while receiver.segment(client.input(), &mut segment)? {}
    }
    Ok(())
}

fn drain(mut listing: Listing<&[u8]>) -> Result<(), WireError> {
    while listing.next_node()?.is_some() {}
    Ok(())
}

/// A receiver that has all up to a position, as a client that was cut there.
fn known(script: &Script, last: &Position) -> Receiver {
    let view = archive(script.says("serve").unwrap());
    let mut receiver = Receiver::all(Scope::All);
    for known in view.archive().headers(None).unwrap() {
        let (header, digest) = known.unwrap();
        let is_last = (header.kind, &header.key) == (last.kind, &last.key);
        match header.body {
            Some(Body::Segments(length)) if is_last && last.offset < length => {
                let hasher = beginning(&view, &header.key, last.offset);
                receiver.take_known_part(header, length, last.offset, hasher);
            }
            _ => receiver.take_known(&header, &digest),
        }
        if is_last {
            return receiver;
        }
    }
    panic!("there is no such record");
}

/// A receiver of chosen records, of the first of which there is the beginning of its body.
fn chosen(script: &Script, kind: Kind, keys: Vec<Key>, offset: u64) -> Receiver {
    let first = keys[0].clone();
    let mut receiver = Receiver::chosen(kind, keys);
    if offset > 0 {
        let view = archive(script.says("serve").unwrap());
        let (header, _) = view.archive().open_record(kind, &first).unwrap().unwrap();
        let length = header.body.as_ref().unwrap().length();
        receiver.take_known_part(header, length, offset, beginning(&view, &first, offset));
    }
    receiver
}

fn beginning(view: &ArchiveView, message: &Key, bytes: u64) -> RecordHasher {
    let (header, mut body) = view.archive().open_record(Kind::Message, message).unwrap().unwrap();
    let mut hasher = RecordHasher::default();
    hasher.begin(&header);
    let mut segment = Vec::new();
    for _ in 0..bytes / SEGMENT_BYTES as u64 {
        assert!(body.segment(&mut segment).unwrap());
        hasher.body(&segment);
    }
    hasher
}

/// What the client says, command by command, each with what follows it.
fn commands(said: &[u8]) -> Vec<(Command, Vec<u8>)> {
    let mut input = Input::new(said);
    let mut commands = Vec::new();
    while let Ok(line) = input.line() {
        let mut counted = Vec::new();
        // What is no command belongs to records that are given.
        let bytes = match (Command::parse(&line), Item::parse(&line)) {
            (Ok(command), _) => {
                input.counted(command.counted_bytes(), "a script", &mut counted).unwrap();
                commands.push((command, counted));
                continue;
            }
            (_, Some(Item::Headers(bytes) | Item::DataChunk(bytes) | Item::Chunk(bytes) | Item::State(bytes))) => bytes,
            _ => 0,
        };
        input.counted(bytes as usize, "a script", &mut counted).unwrap();
    }
    commands
}
