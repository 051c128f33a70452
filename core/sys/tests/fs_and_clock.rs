//! Small questions to the system.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use folkmoot_sys::{boot_time, file_id, network_file_system, set_timer_slack};

#[test]
fn a_file_keeps_its_id_when_it_is_renamed_and_loses_it_when_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::write(&one, "").unwrap();
    let id = file_id(&one).unwrap();
    fs::rename(&one, &two).unwrap();
    assert_eq!(file_id(&two).unwrap(), id);
    fs::write(&one, "").unwrap();
    assert_ne!(file_id(&one).unwrap(), id);
    assert_eq!(file_id(&dir.path().join("three")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_local_directory_is_local_and_so_is_a_file_yet_to_come() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(network_file_system(dir.path()).unwrap(), None);
    assert_eq!(network_file_system(&dir.path().join("later")).unwrap(), None);
    let nowhere = network_file_system(&dir.path().join("no/such")).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
}

#[test]
fn boot_time_goes_forward() {
    let before = boot_time();
    assert!(before > Duration::ZERO);
    set_timer_slack(1);
    std::thread::sleep(Duration::from_millis(2));
    assert!(boot_time() >= before + Duration::from_millis(2));
}
