//! nginx with the same files at the same addresses: what an administrator would have served them with.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const PROGRAM: &str = "/usr/sbin/nginx";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module. Ends when it is dropped.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Serves the copy of the repository, and this answer to *hello*, with as many workers as there are processors.
    pub(crate) fn start(folder: &Path, copy: &Path, hello: &str) -> Result<Self> {
        fs::create_dir_all(folder.join("temporary"))?;
        fs::write(folder.join("hello.json"), hello)?;
        let address = super::free_address()?;
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let at = |name: &str| folder.join(name).display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {};\n", at("temporary")))
            .collect();
        // Only its master may become somebody else, which root is.
        let user = match rustix::process::geteuid().is_root() {
            true => "user root;\n",
            false => "",
        };
        let configuration = format!(
            "{user}daemon off;\nworker_processes {workers};\nworker_rlimit_nofile {files};\npid {pid};\nerror_log {log} warn;\n\
             events {{ worker_connections {files}; }}\n\
             http {{\n{temporary}access_log off;\nsendfile on;\ntcp_nopush on;\ntcp_nodelay on;\n\
             keepalive_timeout 60;\nkeepalive_requests 1000000;\ndefault_type application/octet-stream;\n\
             types {{ application/json json; application/zstd zst; }}\n\
             server {{\nlisten {address} reuseport backlog=4096;\n\
             location = /desktop/v1/hello {{ alias {hello}; types {{ }} default_type application/json; }}\n\
             location /desktop/v1/repository/ {{ alias {copy}/; }}\n}}\n}}\n",
            files = super::open_files(),
            pid = at("pid"),
            log = at("error.log"),
            hello = at("hello.json"),
            copy = copy.display(),
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration)?;
        let child = Command::new(PROGRAM)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("nginx cannot be started")?;
        let mut nginx = Self { child, address };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(address).is_err() {
            let ended = nginx.child.try_wait()?;
            ensure!(ended.is_none(), "nginx has ended: {ended:?}");
            ensure!(Instant::now() < until, "nginx does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(nginx)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        super::end(&mut self.child);
    }
}
