use std::fs::{create_dir_all, write};

use super::*;

fn debian(machine: &Path) -> Arrangement {
    let (root, classes) = Arrangement::debian(machine, None);
    Arrangement::new(&root, classes).unwrap()
}

#[test]
fn every_record_of_a_site_of_debian_has_the_place_that_its_server_looks_at() {
    let machine = Path::new("/machine");
    let site = debian(machine);
    for (record, place) in [
        ("data", "var/lib/citadel/data"),
        ("data/cdb.00", "var/lib/citadel/data/cdb.00"),
        ("files/room/a", "var/lib/citadel/files/room/a"),
        ("userpics/8.gif", "var/lib/citadel/userpics/8.gif"),
        ("citadel.config", "var/lib/citadel/data/citadel.config"),
        ("citadel.control", "var/lib/citadel/data/citadel.control"),
        ("refcount_adjustments.dat", "var/lib/citadel/data/refcount_adjustments.dat"),
        ("netconfigs/7", "etc/citadel/netconfigs/7"),
        ("public_clients", "etc/citadel/public_clients"),
        ("network/mail.aliases", "etc/citadel/mail.aliases"),
        ("network/mail.aliases.old", "var/spool/citadel/network/mail.aliases.old"),
        ("network/spoolin/x", "var/spool/citadel/network/spoolin/x"),
        ("messages/hello", "etc/citadel/messages/hello"),
        ("messages.txt", "var/lib/citadel/messages.txt"),
        ("help/help", "usr/share/citadel-server/help/help"),
        ("keys", "etc/ssl/citadel"),
        ("keys/citadel.key", "etc/ssl/citadel/citadel.key"),
        ("keys/more/chain", "etc/ssl/citadel/more/chain"),
    ] {
        assert_eq!(site.path_of(record.as_bytes()), machine.join(place), "{record}");
    }
    assert_eq!(site.run_directory(), machine.join("var/run/citadel"));
    assert!(site.is_spread());
}

#[test]
fn in_one_root_every_record_is_where_its_path_says() {
    let site = Arrangement::from(Path::new("/site"));
    for record in ["keys", "keys/citadel.key", "network/mail.aliases", "citadel.config", "messages/hello"] {
        assert_eq!(site.path_of(record.as_bytes()), Path::new("/site").join(record));
    }
    assert!(!site.is_spread());
}

#[test]
fn usual_places_are_no_arrangement_and_what_is_named_later_counts() {
    let usual = [(Class::SysConf, "/site"), (Class::Ssl, "/site/keys"), (Class::AutoSysConf, "/site")];
    let elsewhere = [(Class::SysConf, "/etc/a"), (Class::AutoSysConf, "/site/data"), (Class::Run, "/run")];
    let named = elsewhere.into_iter().chain(usual).map(|(class, directory)| (class, directory.into()));
    let site = Arrangement::new(Path::new("/site"), named).unwrap();
    assert!(!site.is_spread());
    assert_eq!(site.run_directory(), Path::new("/run"));
    assert_eq!(site.apart(), []);
}

#[test]
fn directories_inside_a_part_of_the_site_are_refused() {
    for (class, directory) in [
        (Class::SysConf, "/site/data"),
        (Class::StaticData, "/site/messages"),
        (Class::Spool, "/site/files/spool"),
        (Class::Ssl, "/site/keys/here"),
        (Class::AutoSysConf, "/site/data/auto"),
    ] {
        let error = Arrangement::new(Path::new("/site"), [(class, directory.into())]).unwrap_err().to_string();
        assert!(error.contains(directory) && error.contains(class.option()), "{error}");
    }
    let error = Arrangement::new(Path::new("/site"), [(Class::Ssl, "/site".into())]).unwrap_err();
    assert!(matches!(error, ArrangementError::KeysInRoot { .. }), "{error}");
    Arrangement::new(Path::new("/site"), [(Class::SysConf, "/site/etc".into())]).unwrap();
}

#[test]
fn a_site_that_looks_spread_out_is_said_to_be_and_a_missing_directory_is_named() {
    let machine = tempfile::tempdir().unwrap();
    let root = machine.path().join(DEBIAN_ROOT);
    create_dir_all(root.join("data")).unwrap();
    assert_eq!(hints(&Arrangement::from(&root)), Vec::<String>::new());
    create_dir_all(machine.path().join("etc/citadel/messages")).unwrap();
    let [hint] = &hints(&Arrangement::from(&root))[..] else { panic!() };
    assert!(hint.contains("messages/ is not in it") && hint.contains("--arrangement debian"), "{hint}");
    let missing = hints(&debian(machine.path())).join("\n");
    assert!(missing.contains("/etc/ssl/citadel is not there") && missing.contains("--ssldir"), "{missing}");
    assert!(!missing.contains("etc/citadel is"), "{missing}");
    // One that has its banners is whole.
    create_dir_all(root.join("messages")).unwrap();
    assert_eq!(hints(&Arrangement::from(&root)), Vec::<String>::new());
    write(root.join("data/citadel.control"), "").unwrap();
    assert!(hints(&Arrangement::from(&root))[0].contains("citadel.control"));
}

#[test]
fn aliases_are_with_the_queues_unless_a_directory_for_settings_was_named() {
    let [tables, home, spool, etc] = ["/tables", "/home", "/spool", "/etc/citadel"].map(Path::new);
    let place = |named: &[(Class, &Path)]| {
        let named = named.iter().map(|(class, directory)| (*class, directory.to_path_buf()));
        Arrangement::with_home(tables, Some(home), named).unwrap().path_of(b"network/mail.aliases")
    };
    assert_eq!(place(&[]), home.join("network/mail.aliases"));
    assert_eq!(place(&[(Class::Spool, spool)]), spool.join("network/mail.aliases"));
    assert_eq!(place(&[(Class::Spool, spool), (Class::SysConf, etc)]), etc.join("mail.aliases"));
    assert_eq!(place(&[(Class::Spool, spool), (Class::SysConf, home)]), home.join("mail.aliases"));
}
