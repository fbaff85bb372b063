//! The commands in README.md do what it says.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::live::stand_in::Citadel;
use crate::processes::EndedAtLast;
use crate::snapshot::StandIn;
use crate::support::{PROGRAM, isolated, program, project, unpack_site};

/// A command of a `console` block, and the lines below it.
struct Example {
    line: usize,
    command: String,
    output: Vec<String>,
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_console = false;
    for (line, text) in (1..).zip(readme.lines()) {
        if text.starts_with("```") {
            is_console = text == "```console";
        } else if let Some(command) = text.strip_prefix("$ ").filter(|_| is_console) {
            examples.push(Example { line, command: command.into(), output: Vec::new() });
        } else if is_console {
            examples.last_mut().expect("a console block begins with a command").output.push(text.into());
        }
    }
    examples
}

/// A machine that has what the README speaks of: a site in /usr/local/citadel, a fresh one in /srv/citadel, disks of machines with Debian's packages, and ssh, all
/// below one folder.
struct Machine {
    folder: TempDir,
}

/// The server of the site in /usr/local/citadel while it runs.
struct Running {
    _citadel: Citadel,
    _holder: Arc<Mutex<Option<StandIn>>>,
}

impl Running {
    fn start(site: &Path) -> Running {
        let holder = Arc::new(Mutex::new(Some(StandIn::start(site))));
        let admin_socket = site.join("citadel-admin.socket");
        // What its tables say.
        let citadel = Citadel::start(&admin_socket, Some("0"));
        let held = Arc::clone(&holder);
        citadel.state().on_down = Some(Box::new(move || {
            fs::remove_file(admin_socket).unwrap();
            drop(held.lock().unwrap().take());
        }));
        Running { _citadel: citadel, _holder: holder }
    }
}

impl Machine {
    fn new() -> Machine {
        let folder = TempDir::with_prefix("ctdl-dump-readme-").unwrap();
        for (name, place) in [("small", "usr/local/citadel"), ("fresh", "srv/citadel")] {
            let place = folder.path().join(place);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::rename(unpack_site(name).keep(), place).unwrap();
        }
        crate::spread::lay_out("small-2016", &folder.path().join("mnt/old"));
        for directory in
            ["var/lib/citadel", "etc/citadel", "etc/ssl/citadel", "var/spool/citadel", "usr/share/citadel-server"]
        {
            fs::create_dir_all(folder.path().join("mnt/new").join(directory)).unwrap();
        }
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(PROGRAM, programs.join("ctdl-dump")).unwrap();
        let ssh = programs.join("ssh");
        // As ssh does: options, the host, and the rest is a line for the shell.
        let script = "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do case $1 in -[lp]) shift 2;; *) shift;; esac; done\nshift\nexec sh -c \"$*\"\n";
        fs::write(&ssh, script).unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Machine { folder }
    }

    /// Where its programs are.
    fn path(&self) -> OsString {
        let usual = std::env::var_os("PATH").unwrap();
        let all = [self.folder.path().join("programs")].into_iter().chain(std::env::split_paths(&usual));
        std::env::join_paths(all).unwrap()
    }

    /// Runs a command as if the folder were the root, and gives its exit code and all that it says.
    fn run(&self, command: &str, last_code: i32) -> (i32, String) {
        let root = self.folder.path();
        let moves = command.contains(" --cutover");
        let _server = moves.then(|| Running::start(&root.join("usr/local/citadel")));
        let command = ["/usr/local/citadel", "/srv/citadel", "/mnt/"]
            .iter()
            .fold(command.to_owned(), |command, path| command.replace(path, &format!("{}{path}", root.display())));
        let mut bash = isolated(Command::new("bash"));
        if moves {
            // The old machine remembers that its server was left closed, and the new one is another.
            bash.env("CTDL_DUMP_STATE", root.join("state-of-old"));
        }
        let output = bash
            .arg("-c")
            .arg(format!("set -o pipefail; exec 2>&1; (exit {last_code}); {command}"))
            .current_dir(root.join("home"))
            .env("PATH", self.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).replace(&root.display().to_string(), "");
        (output.status.code().expect("not killed"), said)
    }
}

/// Whether what was said is what the README shows, in which `…` stands for anything, alone in a line for any lines.
fn is_as_shown(shown: &[&str], said: &[&str]) -> bool {
    match (shown.split_first(), said.split_first()) {
        (None, _) => said.is_empty(),
        (Some((&"…", rest)), _) => (0..=said.len()).any(|skipped| is_as_shown(rest, &said[skipped..])),
        (Some(_), None) => false,
        (Some((shown, shown_rest)), Some((said, said_rest))) => {
            is_line_as_shown(shown, said) && is_as_shown(shown_rest, said_rest)
        }
    }
}

fn is_line_as_shown(shown: &str, said: &str) -> bool {
    match shown.split_once('…') {
        None => shown == said,
        Some((begin, rest)) => said.strip_prefix(begin).is_some_and(|said| {
            said.char_indices().map(|(at, _)| at).chain([said.len()]).any(|at| is_line_as_shown(rest, &said[at..]))
        }),
    }
}

#[test]
fn every_command_in_the_readme_works_as_shown() {
    let machine = Machine::new();
    let mut code = 0;
    for Example { line, command, output } in examples(&fs::read_to_string(project("README.md")).unwrap()) {
        let asks_for_code = command == "echo $?";
        assert!(code == 0 || asks_for_code, "README.md:{line}: the command before it ended with {code}");
        let (ended, said) = machine.run(&command, code);
        code = if asks_for_code { 0 } else { ended };
        let shown: Vec<&str> = output.iter().map(String::as_str).collect();
        let said_lines: Vec<&str> = said.lines().collect();
        let is_right = shown.is_empty() || is_as_shown(&shown, &said_lines);
        assert!(is_right, "README.md:{line}: `{command}` is to say\n{}\nbut says\n{said}", output.join("\n"));
        println!("$ {command}\n{said}");
        assert!(code == 0 || !shown.is_empty(), "README.md:{line}: `{command}` ended with {code} and said\n{said}");
    }
    assert_eq!(code, 0, "of the last command");
}

/// The commands that the README has the two machines of a recipe give, without what is remarked behind them.
fn commands_of<'r>(readme: &'r str, machine: &str) -> Vec<&'r str> {
    let commands = readme.lines().filter_map(|line| line.strip_prefix(machine)?.strip_prefix("$ "));
    commands.map(|command| command.split_once('#').map_or(command, |(command, _)| command).trim_end()).collect()
}

#[test]
fn the_recipe_for_machines_without_ssh_moves_a_site_over_tls() {
    let readme = fs::read_to_string(project("README.md")).unwrap();
    let (mut of_old, of_new) = (commands_of(&readme, "old"), commands_of(&readme, "new"));
    of_old.retain(|command| command.starts_with("ctdl-dump serve"));
    let [make_token, serve] = of_old[..] else { panic!("{of_old:?}") };
    let pull = of_new.iter().find(|command| command.contains("tls://")).expect("a pull");
    let machine = Machine::new();
    let (code, said) = machine.run(make_token, 0);
    assert_eq!(code, 0, "{said}");
    // A port that is free here, of this machine alone.
    let serve = serve.replace("0.0.0.0:20080", "127.0.0.1:0");
    assert_ne!(serve, of_old[1]);
    let site = machine.folder.path().join("usr/local/citadel");
    let serve = serve.replace("/usr/local/citadel", site.to_str().unwrap());
    let mut old = isolated(Command::new("bash"));
    old.arg("-c").arg(format!("exec {serve}")).current_dir(machine.folder.path().join("home"));
    old.env("PATH", machine.path()).env("CTDL_DUMP_STATE", machine.folder.path().join("state-of-old"));
    let mut old = EndedAtLast(old.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let shown = BufReader::new(old.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let shown = { shown }.find(|line| line.contains("listening at tls://")).expect("an address");
    let (address, fingerprint) = shown.rsplit_once("; certificate ").unwrap();
    let (_, address) = address.split_once("tls://").unwrap();
    // The fingerprint is what a person compares who is asked.
    let pull =
        pull.replace("old.example.org", address).replace(" --site", &format!(" --fingerprint {fingerprint} --site"));
    let (code, said) = machine.run(&pull, 0);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("/srv/citadel is complete, read back and in place"), "{said}");
    let (code, said) = machine.run("ctdl-dump diff /usr/local/citadel /srv/citadel", 0);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn the_files_and_make_targets_that_the_readme_names_are_there() {
    let readme = fs::read_to_string(project("README.md")).unwrap();
    let makefile = fs::read_to_string(project("Makefile")).unwrap();
    for named in readme.lines().filter_map(|line| line.strip_prefix("make ")) {
        let target = named.split_whitespace().next().unwrap();
        assert!(makefile.contains(&format!("\n{target}:")), "no target {target} in the Makefile");
    }
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.contains("://")) {
        assert!(project("").join(Path::new(link)).exists(), "README.md names {link}, which is not there");
    }
}

#[test]
fn the_readme_and_the_program_agree_on_the_exit_codes() {
    let readme = fs::read_to_string(project("README.md")).unwrap();
    let help = program().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, table) = help.split_once("Exit codes:\n").expect("the help has the exit codes");
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "README.md doesn't say: {code} {meaning}");
    }
}

#[test]
fn dots_stand_for_anything_in_what_is_shown() {
    assert!(is_as_shown(&["a … c", "…", "z"], &["a bb c", "x", "y", "z"]));
    assert!(is_as_shown(&["…"], &[]));
    assert!(!is_as_shown(&["a … c"], &["a bb"]));
    assert!(!is_as_shown(&["a"], &["a", "b"]));
}
