use std::fs::File;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::site::arrangement::Class;

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn with(stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Process {
        Process(Command::new("sleep").arg("60").stdin(stdin).stdout(stdout).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_held_lock_is_a_running_server() {
    for name in ["citadel.lock", "citadel.control", "data/citadel.control"] {
        let site = Site::stopped();
        site.write(name, b"");
        let file = File::open(site.root().join(name)).unwrap();
        file.lock().unwrap();
        let state = site.examine_once();
        assert!(matches!(state.verdict, Verdict::Running { pid: None, how: RunningSign::Lock(_) }), "{state:?}");
        assert_eq!(state.tables, []);
        drop(file);
        assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
    }
}

#[test]
fn the_process_that_holds_the_lock_is_named() {
    let site = Site::stopped();
    let file = File::create(site.root().join("citadel.lock")).unwrap();
    file.lock().unwrap();
    let server = Process::with(Stdio::null(), file);
    let pid = server.0.id();
    let verdict = site.examine_once().verdict;
    assert!(verdict.to_string().contains(&format!("process {pid}; ")), "{verdict}");
}

#[test]
fn the_test_of_the_lock_leaves_it_free() {
    let site = Site::stopped();
    site.write("citadel.lock", b"");
    assert!(matches!(site.examine().server, ServerState::StaleLock { .. }));
    File::open(site.root().join("citadel.lock")).unwrap().try_lock().unwrap();
}

#[test]
fn two_exports_at_once_do_not_take_each_other_for_a_server() {
    let site = Site::stopped();
    site.write("citadel.lock", b"");
    let other = File::open(site.root().join("citadel.lock")).unwrap();
    other.lock_shared().unwrap();
    assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
}

#[test]
fn a_process_that_writes_a_table_is_a_running_server() {
    let site = Site::stopped();
    let table = File::options().append(true).open(site.data().join("cdb.01")).unwrap();
    let server = Process::with(Stdio::null(), table);
    let found = site.examine_once().server;
    let expected =
        ServerState::Running { pid: Some(server.0.id()), how: RunningSign::OpenFile(site.data().join("cdb.01")) };
    assert_eq!(found, expected);
}

#[test]
fn a_process_that_only_reads_a_table_is_no_server() {
    let site = Site::stopped();
    let _reader = Process::with(File::open(site.data().join("cdb.01")).unwrap(), Stdio::null());
    assert_eq!(site.examine().server, ServerState::NotRunning);
}

#[test]
fn a_socket_that_answers_is_a_running_server_and_one_that_does_not_is_left_over() {
    for name in ["citadel.socket", "citadel-admin.socket", "lmtp.socket", "lmtp-unfiltered.socket"] {
        let site = Site::stopped();
        let path = site.root().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let how = RunningSign::Socket(path.clone());
        assert_eq!(site.examine_once().verdict, Verdict::Running { pid: None, how });
        drop(listener);
        assert!(path.exists());
        assert_eq!(site.examine().server, ServerState::NotRunning);
    }
}

#[test]
fn a_server_whose_queue_of_connections_is_full_is_running_and_the_look_does_not_wait() {
    let site = Site::stopped();
    let listener = UnixListener::bind(site.root().join("citadel.socket")).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let answers: Vec<_> = (0..4).map(|_| site.examine_once().server).collect();
    assert!(answers.iter().all(|server| matches!(server, ServerState::Running { .. })), "{answers:?}");
}

#[test]
fn a_socket_in_a_directory_with_a_very_long_path_is_found() {
    let site = Site::stopped();
    let root = site.root().join("d".repeat(120));
    std::fs::create_dir(&root).unwrap();
    // A socket can't be made under so long a path, but moved there.
    let _listener = UnixListener::bind(site.root().join("citadel-admin.socket")).unwrap();
    std::fs::rename(site.root().join("citadel-admin.socket"), root.join("citadel-admin.socket")).unwrap();
    assert!(matches!(find_server(&site.data(), &root), Ok(ServerState::Running { .. })));
}

#[test]
fn files_that_only_have_the_names_of_sockets_and_locks_do_not_hold_up_the_look() {
    let site = Site::stopped();
    site.write("citadel.socket", b"not a socket");
    std::fs::create_dir(site.root().join("lmtp.socket")).unwrap();
    let fifo = site.root().join("citadel.lock");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(site.examine().verdict.is_settled());
}

#[test]
fn the_locks_and_sockets_of_a_spread_site_are_looked_for_where_they_are() {
    let site = Site::stopped();
    let (etc, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let classes = [(Class::AutoSysConf, etc.path().to_owned()), (Class::Run, run.path().to_owned())];
    let spread = Arrangement::new(site.root(), classes).unwrap();
    let state = || find_server(&site.root().join("data"), &spread).unwrap();
    assert_eq!(state(), ServerState::NotRunning);
    let control = File::create(etc.path().join("citadel.control")).unwrap();
    control.lock().unwrap();
    assert!(matches!(state(), ServerState::Running { how: RunningSign::Lock(_), .. }));
    drop(control);
    let _listener = UnixListener::bind(run.path().join("citadel.socket")).unwrap();
    assert!(matches!(state(), ServerState::Running { how: RunningSign::Socket(_), .. }));
}
