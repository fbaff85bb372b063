//! A server that knows what a lease asks of it: settings, sessions, and when it was started.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::net::Shutdown;
use rustix::net::sockopt::socket_peercred;

/// What happens when a command comes.
pub type Before = Box<dyn FnMut(usize, &mut Option<String>) + Send>;

/// A server, as long as it is not dropped.
pub struct Citadel {
    socket: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    /// `c_maxsessions`.
    pub limit: Option<String>,
    /// Everything that was sent to it.
    pub said: Vec<String>,
    /// Who is on besides whoever talks to it, and whether he ends when he is cut off.
    pub users: BTreeMap<u64, (&'static str, bool)>,
    /// Called with the number of each command and the limit of sessions, before it is done.
    pub before: Option<Before>,
    /// How often the last of all sessions has ended: then whoever comes first is let in.
    pub left_alone: u32,
    /// What makes the rest of it stop when it is told to.
    pub on_down: Option<Box<dyn FnOnce() + Send>>,
    /// The processes that are connected, in the order in which they came.
    pub clients: Vec<u32>,
    started: u64,
    next: u64,
    streams: Vec<UnixStream>,
    is_over: bool,
}

impl Citadel {
    pub fn start(socket: &Path, limit: Option<&str>) -> Self {
        let state = State { limit: limit.map(str::to_owned), next: 10, ..State::default() };
        let server = Citadel { socket: socket.into(), state: Arc::new(Mutex::new(state)) };
        server.listen();
        server
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn limit(&self) -> Option<String> {
        self.state().limit.clone()
    }

    pub fn is_on(&self, number: u64) -> bool {
        self.state().users.contains_key(&number)
    }

    /// Ends all connections and listens no more.
    pub fn stop(&self) {
        let mut state = self.state();
        state.is_over = true;
        for stream in state.streams.drain(..) {
            let _ = rustix::net::shutdown(&stream, Shutdown::Both);
        }
        drop(state);
        // Wakes whoever waits for connections.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Starts it again, with its settings.
    pub fn start_again(&self) {
        self.stop();
        let mut state = self.state();
        state.is_over = false;
        state.started += 1;
        drop(state);
        self.listen();
    }

    fn listen(&self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let state = Arc::clone(&self.state);
        let run = state.lock().unwrap().started;
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut locked = state.lock().unwrap();
                if locked.is_over || locked.started != run {
                    return;
                }
                let pid = socket_peercred(&stream).unwrap().pid;
                locked.clients.push(pid.as_raw_nonzero().get().cast_unsigned());
                locked.streams.push(stream.try_clone().unwrap());
                locked.next += 1;
                let session = locked.next;
                locked.users.insert(session, ("", true));
                drop(locked);
                let state = Arc::clone(&state);
                std::thread::spawn(move || {
                    talk(&state, session, stream);
                    let mut state = state.lock().unwrap();
                    state.users.remove(&session);
                    state.left_alone += u32::from(state.users.is_empty());
                });
            }
        });
    }
}

impl Drop for Citadel {
    fn drop(&mut self) {
        self.stop();
    }
}

fn talk(state: &Mutex<State>, session: u64, mut stream: UnixStream) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut answer = "200 host Citadel server ADMIN CONNECTION ready.\n".to_owned();
    let mut lines = lines.map_while(Result::ok);
    while stream.write_all(answer.as_bytes()).is_ok() && !answer.contains("Goodbye") {
        let Some(line) = lines.next() else { return };
        let mut state = state.lock().unwrap();
        if state.is_over {
            return;
        }
        state.said.push(line.clone());
        let count = state.said.len();
        if let Some(mut before) = state.before.take() {
            before(count, &mut state.limit);
            state.before = Some(before);
        }
        answer = state.answer(session, &line);
    }
}

impl State {
    fn answer(&mut self, session: u64, line: &str) -> String {
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        let number = argument.parse().unwrap_or(0);
        match command {
            "IDEN" => "200 Ok\n".into(),
            "INFO" => format!("100 Server info:\n{session}\nn\nh\nf\nCitadel Server 980\n980\n000\n"),
            "TIME" => format!("200 1795520486|0|0|{}\n", self.started),
            "CONF" if argument == "GETVAL|c_maxsessions" => match &self.limit {
                Some(limit) => format!("200 {limit}|\n"),
                None => "500 |\n".into(),
            },
            "CONF" => {
                let value = argument.strip_prefix("PUTVAL|c_maxsessions|").expect(argument);
                self.limit = Some(value.to_owned());
                format!("200 setting 'c_maxsessions' to '{value}'\n")
            }
            "RWHO" => {
                let line = |(number, (user, _)): (&u64, &(&str, bool))| {
                    let (name, is_on) = if user.is_empty() { ("(not logged in)", 0) } else { (*user, 1) };
                    format!("{number}|{name}|Lobby|localhost|client|1795520486|NOOP|.||||{is_on}\n")
                };
                format!("100  \n{}000\n", self.users.iter().map(line).collect::<String>())
            }
            "REQT" => "200 Sent termination request to 1 sessions.\n".into(),
            "TERM" => {
                if self.users.get(&number).is_some_and(|(_, ends)| *ends) {
                    self.users.remove(&number);
                }
                "200 Session terminated.\n".into()
            }
            "QUIT" => "200 Goodbye.\n".into(),
            "DOWN" => {
                if let Some(on_down) = self.on_down.take() {
                    on_down();
                }
                "231 Shutting down server.\n".into()
            }
            _ => "530 Unrecognized or unsupported command.\n".into(),
        }
    }
}
