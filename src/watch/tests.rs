use super::*;
use std::fs;
use std::time::Duration;

const QUICK: Duration = Duration::from_millis(20);
/// Longer than any machine takes, so that only a real miss fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn next(changes: &mut Changes) -> Change {
    tokio::time::timeout(PATIENCE, changes.next())
        .await
        .expect("a change")
        .expect("a running watcher")
}

#[test]
fn a_folders_files_are_read_in_byte_order_and_the_rest_left_out() {
    let folder = folder();
    for name in [
        "b.yaml",
        "a.yml",
        "B.yaml",
        ".hidden.yaml",
        "c.yaml~",
        "d~.yaml",
        "x.test.yaml",
        "notes.txt",
    ] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    fs::create_dir(folder.path().join("e.yaml")).unwrap();
    let sources = read_sources(Some(folder.path())).unwrap();
    let texts: Vec<_> = sources.files.iter().map(|file| file.text.as_str()).collect();
    assert_eq!(texts, ["B.yaml", "a.yml", "b.yaml"]);
    assert_eq!(sources.directory, folder.path());
    let one = read_sources(Some(&folder.path().join("x.test.yaml"))).unwrap();
    assert_eq!((one.files.len(), one.directory.as_path()), (1, folder.path()));
}

#[test]
fn what_cannot_be_a_policy_is_refused() {
    let folder = folder();
    let file = folder.path().join("a.yaml");
    assert!(matches!(read_sources(Some(&file)), Err(ReadError::Unreadable { .. })));
    assert!(matches!(
        read_sources(Some(folder.path())),
        Err(ReadError::NoFiles { .. })
    ));
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(matches!(read_sources(Some(&file)), Err(ReadError::NotText { .. })));
    fs::write(&file, vec![b'#'; 5 << 20]).unwrap();
    assert!(read_sources(Some(&file)).is_ok());
    fs::write(folder.path().join("b.yaml"), vec![b'#'; 5 << 20]).unwrap();
    assert!(matches!(
        read_sources(Some(folder.path())),
        Err(ReadError::TooLarge { .. })
    ));
}

#[test]
fn without_a_path_the_quickstart_is_the_policy() {
    let sources = read_sources(None).unwrap();
    assert_eq!(sources.origin, "built-in quickstart");
    assert!(sources.directory.is_absolute());
    assert!(crate::policy::compile(&sources, jiff::Timestamp::UNIX_EPOCH).is_ok());
}

#[tokio::test]
async fn writes_in_place_and_replacements_are_seen() {
    let folder = folder();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "one").unwrap();
    // No slow look within the test's patience: the events alone must do.
    let (_watch, mut changes) = Watch::begin(Some(policy.clone()), PATIENCE * 10, true).unwrap();
    fs::write(&policy, "two").unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    let draft = folder.path().join(".policy.yaml.new");
    fs::write(&draft, "three").unwrap();
    fs::rename(&draft, &policy).unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    fs::remove_file(&policy).unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    fs::write(&policy, "four").unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
}

#[cfg(unix)]
#[tokio::test]
async fn a_config_maps_swap_of_its_data_link_is_seen() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", "one"), ("..2", "two")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("policy.yaml"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/policy.yaml", at("policy.yaml")).unwrap();
    let (_watch, mut changes) = Watch::begin(Some(at("policy.yaml")), PATIENCE * 10, true).unwrap();
    symlink("..2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    assert_eq!(read_sources(Some(&at("policy.yaml"))).unwrap().files[0].text, "two");
}

#[cfg(unix)]
#[tokio::test]
async fn an_edit_of_a_links_target_elsewhere_is_seen() {
    let (folder, elsewhere) = (folder(), folder());
    let target = elsewhere.path().join("real.yaml");
    fs::write(&target, "one").unwrap();
    let policy = folder.path().join("policy.yaml");
    std::os::unix::fs::symlink(&target, &policy).unwrap();
    let (_watch, mut changes) = Watch::begin(Some(policy), PATIENCE * 10, true).unwrap();
    fs::write(&target, "two").unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
}

#[cfg(unix)]
#[tokio::test]
async fn any_link_of_a_chain_may_move() {
    use std::os::unix::fs::symlink;
    let (here, middle, far) = (folder(), folder(), folder());
    fs::write(far.path().join("one.yaml"), "one").unwrap();
    fs::write(far.path().join("two.yaml"), "two").unwrap();
    let between = middle.path().join("current.yaml");
    symlink(far.path().join("one.yaml"), &between).unwrap();
    let policy = here.path().join("policy.yaml");
    symlink(&between, &policy).unwrap();
    let (_watch, mut changes) = Watch::begin(Some(policy.clone()), PATIENCE * 10, true).unwrap();
    symlink(far.path().join("two.yaml"), middle.path().join("new")).unwrap();
    fs::rename(middle.path().join("new"), &between).unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    fs::write(far.path().join("two.yaml"), "three").unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    // A circle ends, and is one more thing that cannot be read.
    fs::remove_file(&between).unwrap();
    symlink(&policy, &between).unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
    assert!(read_sources(Some(&policy)).is_err());
}

#[tokio::test]
async fn edits_without_a_pause_are_seen_while_they_go_on() {
    let folder = folder();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "0").unwrap();
    let (_watch, mut changes) = Watch::begin(Some(policy.clone()), PATIENCE * 10, true).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stopped, path) = (stop.clone(), policy.clone());
    let writer = std::thread::spawn(move || {
        let mut edits = 0_u64;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            edits += 1;
            fs::write(&path, edits.to_string()).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    for _ in 0..3 {
        assert_eq!(next(&mut changes).await, Change::Policy);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_file_that_leaves_a_policys_folder_is_an_edit() {
    let folder = folder();
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let (_watch, mut changes) = Watch::begin(Some(folder.path().to_path_buf()), PATIENCE * 10, true).unwrap();
    fs::rename(folder.path().join("b.yaml"), folder.path().join("b.off")).unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
}

#[tokio::test]
async fn a_new_file_in_a_policys_folder_is_an_edit() {
    let folder = folder();
    fs::write(folder.path().join("a.yaml"), "one").unwrap();
    let (_watch, mut changes) = Watch::begin(Some(folder.path().to_path_buf()), PATIENCE * 10, true).unwrap();
    fs::write(folder.path().join("b.yaml"), "two").unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
}

#[tokio::test]
async fn where_there_are_no_events_the_slow_look_sees_it() {
    let folder = folder();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "one").unwrap();
    let (_watch, mut changes) = Watch::begin(Some(policy.clone()), QUICK, false).unwrap();
    fs::write(&policy, "two").unwrap();
    assert_eq!(next(&mut changes).await, Change::Policy);
}

#[tokio::test]
async fn the_same_content_again_is_no_edit() {
    let folder = folder();
    let (policy, key) = (folder.path().join("policy.yaml"), folder.path().join("key"));
    fs::write(&policy, "one").unwrap();
    fs::write(&key, "a").unwrap();
    let (watch, mut changes) = Watch::begin(Some(policy.clone()), QUICK, true).unwrap();
    watch.set_credentials(vec![key.clone()]);
    // In place it would be empty for a moment, which is an edit.
    let same = folder.path().join(".same");
    fs::write(&same, "one").unwrap();
    fs::rename(&same, &policy).unwrap();
    // The key's change comes later, so a false edit would have been reported with it or before it, and first.
    fs::write(&key, "b").unwrap();
    assert_eq!(next(&mut changes).await, Change::Credentials);
}

#[tokio::test]
async fn a_credentials_file_is_watched_even_before_it_exists() {
    let folder = folder();
    let key = folder.path().join("hook.key");
    let (watch, mut changes) = Watch::begin(None, QUICK, true).unwrap();
    watch.set_credentials(vec![key.clone()]);
    fs::write(&key, "secret").unwrap();
    assert_eq!(next(&mut changes).await, Change::Credentials);
}

#[tokio::test]
async fn dropping_the_watch_ends_the_changes() {
    let (watch, mut changes) = Watch::start(None).unwrap();
    drop(watch);
    assert_eq!(changes.next().await, None);
}
