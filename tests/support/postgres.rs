//! A PostgreSQL server of the tests' own: a folder, a socket in it and no port, gone when dropped. Needs the server's
//! binaries (Debian: `postgresql`) and says so where there are none.

use super::until;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

pub const USER: &str = "planb";

pub struct Postgres {
    folder: TempDir,
    server: Option<Child>,
    /// Which the socket's name has in it.
    port: u16,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Postgres {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = owner();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let made = as_owner(&program("initdb"))
            .args([
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "-U",
                USER,
                "-D",
            ])
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Self {
            folder,
            server: None,
            port: 5432,
        };
        postgres.launch().await;
        postgres
    }

    /// As it was before [`Postgres::stop`].
    pub async fn launch(&mut self) {
        self.launch_with(&[]).await;
    }

    pub async fn launch_with(&mut self, settings: &[&str]) {
        let mut command = as_owner(&program("postgres"));
        command.arg("-D").arg(self.folder.path().join("data"));
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        let fixed = [
            "listen_addresses=",
            &socket,
            &format!("port={}", self.port),
            "fsync=off",
            "max_connections=200",
            "shared_buffers=32MB",
        ];
        for setting in fixed.iter().chain(settings) {
            command.args(["-c", setting]);
        }
        let said = std::fs::File::create(self.folder.path().join("said")).unwrap();
        let server = command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap();
        self.server = Some(server);
        until("PostgreSQL answers", || async {
            let said = std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
            self.try_connect("postgres")
                .await
                .map(|_| ())
                .map_err(|error| format!("{error}: {said}"))
        })
        .await;
    }

    /// At once, as a crash would; what was committed is there when it is launched again.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // SAFETY: signals a child that this value owns and has not reaped. SIGQUIT ends its children too.
            unsafe { libc::kill(server.id() as i32, libc::SIGQUIT) };
            let _ = server.wait();
        }
    }

    /// It goes on to exist and says nothing, as one whose disk or network hangs.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        for process in self.processes() {
            // SAFETY: signals the server that this value owns and its children.
            unsafe { libc::kill(process, signal) };
        }
    }

    fn processes(&self) -> Vec<i32> {
        let server = self.server.as_ref().expect("it runs").id() as i32;
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|word| word.parse().ok());
        children.chain([server]).collect()
    }

    pub async fn database(&self, name: &str) -> String {
        let admin = self.connect("postgres").await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        self.url(name)
    }

    pub fn url(&self, database: &str) -> String {
        self.url_as(USER, database)
    }

    pub fn url_as(&self, user: &str, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{folder}:{}/{database}", self.port)
    }

    /// Answers over TCP too from the next launch on; the port.
    pub fn on_network(&mut self) -> u16 {
        self.port = super::free_port();
        self.port
    }

    /// Where the server's own files are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file that the server alone may read, in its data folder.
    pub fn write(&self, name: &str, text: &[u8]) {
        let path = self.data().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if let Some((user, group)) = owner() {
            std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// What a stopped server has on its disk, put aside; [`Postgres::put_back`] makes it the server's again.
    pub fn put_aside(&self) {
        self.copy("data", "aside");
    }

    pub fn put_back(&self) {
        std::fs::remove_dir_all(self.data()).unwrap();
        self.copy("aside", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        assert!(self.server.is_none(), "a server that runs is not copied");
        let (from, to) = (self.folder.path().join(from), self.folder.path().join(to));
        let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
        assert!(copied.success());
    }

    pub async fn connect(&self, database: &str) -> Client {
        self.try_connect(database).await.unwrap()
    }

    async fn try_connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// PostgreSQL refuses to run as root; the tests may not.
fn owner() -> Option<(u32, u32)> {
    // SAFETY: has no arguments and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let mut fields = accounts
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")))?
            .split(':');
        let user = fields.nth(2)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    };
    Some(
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("an account to run PostgreSQL under"),
    )
}

fn as_owner(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command
}

/// In the path, or where Debian puts it.
fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
        let found = folders.into_iter().find(|folder| folder.join("initdb").exists());
        let link = found.expect("no PostgreSQL server: apt-get install postgresql (tests/all does it)");
        let program = link.join("initdb").canonicalize().unwrap();
        program.parent().unwrap().to_owned()
    });
    folder.join(name)
}
