//! What a power cut leaves of a folder: the bytes that were synced, and of the rest what chance keeps. A write is cut at
//! sectors, each of which is there, is not, or is torn; sizes may have grown without their bytes; names that no sync of
//! the folder has confirmed may be gone, the later before the earlier.

use super::disk::{Done, Entry};
use std::collections::BTreeMap;

/// A seed's chances: the same for the same seed, on every machine.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to before `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// The files of the folder by name.
pub type Image = BTreeMap<String, Vec<u8>>;

/// How a disk treats what nobody has synced.
#[derive(Clone, Debug)]
pub struct Loss {
    /// Of each hundred sectors, and of each hundred cuts.
    pub kept: u64,
    pub torn: u64,
    pub sector: usize,
}

impl Loss {
    /// A disk that keeps nothing but what was synced.
    pub const ALL: Self = Self {
        kept: 0,
        torn: 0,
        sector: 512,
    };

    pub fn of(chance: &mut Chance) -> Self {
        let kept = [0, 5, 50, 90, 99, 100];
        let torn = [0, 0, 10];
        let sector = [512, 4_096];
        Self {
            kept: kept[chance.below(kept.len())],
            torn: torn[chance.below(torn.len())],
            sector: sector[chance.below(sector.len())],
        }
    }
}

#[derive(Clone, Debug, Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Done>,
}

#[derive(Clone, Debug)]
enum Named {
    Made(String, usize),
    Moved(String, String),
    Gone(String),
}

/// The folder after some of its history.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    files: Vec<File>,
    /// As the running system sees it.
    now: BTreeMap<String, usize>,
    /// As the last sync of the folder confirmed it.
    synced: BTreeMap<String, usize>,
    since: Vec<Named>,
}

impl Folder {
    pub fn after(entries: &[Entry]) -> Self {
        let mut folder = Self::default();
        entries.iter().for_each(|entry| folder.apply(entry));
        folder
    }

    fn apply(&mut self, entry: &Entry) {
        let name = &entry.path;
        match &entry.done {
            Done::Create => {
                let file = self.files.len();
                self.files.push(File::default());
                self.now.insert(name.clone(), file);
                self.since.push(Named::Made(name.clone(), file));
            }
            Done::Rename { to } => {
                let moved = self.now.remove(name).expect("a file that is there");
                self.now.insert(to.clone(), moved);
                self.since.push(Named::Moved(name.clone(), to.clone()));
            }
            Done::Unlink => {
                self.now.remove(name);
                self.since.push(Named::Gone(name.clone()));
            }
            Done::SyncFolder => {
                self.since.clear();
                self.synced.clone_from(&self.now);
            }
            Done::Sync => {
                let file = self.file(name);
                let (since, mut whole) = (std::mem::take(&mut file.since), std::mem::take(&mut file.synced));
                since.iter().for_each(|done| in_full(&mut whole, done));
                file.synced = whole;
            }
            done => {
                let done = done.clone();
                self.file(name).since.push(done);
            }
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        let file = *self.now.get(name).unwrap_or_else(|| panic!("no {name}"));
        &mut self.files[file]
    }

    /// What the next start finds.
    pub fn cut(&self, loss: &Loss, chance: &mut Chance) -> Image {
        let mut names = self.synced.clone();
        let confirmed = match loss.kept {
            0 => 0,
            100 => self.since.len(),
            _ => chance.below(self.since.len() + 1),
        };
        for named in &self.since[..confirmed] {
            match named {
                Named::Made(name, file) => {
                    names.insert(name.clone(), *file);
                }
                Named::Moved(from, to) => {
                    if let Some(file) = names.remove(from) {
                        names.insert(to.clone(), file);
                    }
                }
                Named::Gone(name) => {
                    names.remove(name);
                }
            }
        }
        let content = |file: usize, chance: &mut Chance| self.files[file].cut(loss, chance);
        names
            .into_iter()
            .map(|(name, file)| (name, content(file, chance)))
            .collect()
    }
}

impl File {
    fn cut(&self, loss: &Loss, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for done in &self.since {
            match done {
                Done::Write { at, data } => sectors(&mut bytes, *at, data, loss, chance),
                done if chance.percent(loss.kept) => in_full(&mut bytes, done),
                _ => {}
            }
        }
        bytes
    }
}

fn in_full(bytes: &mut Vec<u8>, done: &Done) {
    match done {
        Done::Write { at, data } => put(bytes, *at, data),
        Done::Truncate { length } => bytes.resize(*length, 0),
        other => panic!("{other:?} changes no bytes"),
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(data);
}

fn sectors(bytes: &mut Vec<u8>, at: usize, data: &[u8], loss: &Loss, chance: &mut Chance) {
    let mut from = 0;
    while from < data.len() {
        let left = loss.sector - (at + from) % loss.sector;
        let until = (from + left).min(data.len());
        if chance.percent(loss.kept) {
            let torn = chance.percent(loss.torn);
            let kept = if torn { from + chance.below(until - from) } else { until };
            put(bytes, at + from, &data[from..kept]);
        } else if loss.kept > 0 && chance.percent(loss.kept) && bytes.len() < at + until {
            // The file has grown, and its bytes are not there yet.
            bytes.resize(at + until, 0);
        }
        from = until;
    }
}
