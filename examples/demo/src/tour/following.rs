//! The stations in which a user's Desktop follows the server, up and down.

use anyhow::{Context, Result, ensure};

use super::Tour;
use crate::computer::Computer;

impl Tour<'_> {
    /// The user downloads the installer from the server and runs it.
    pub(super) async fn installs_desktop(&mut self, version: &str) -> Result<String> {
        let home = self.world.state_dir.with_file_name("user");
        let computer = Computer::new(&home)?;
        let bytes = computer.install(self.world, version).await?;
        let shown = computer.look()?;
        ensure!(
            shown.version == version && shown.standing == "online" && shown.contacts > 0,
            "it shows {shown:?}"
        );
        self.computer = Some(computer);
        Ok(format!(
            "{} contacts in it, the installer has {bytes} bytes",
            shown.contacts
        ))
    }

    /// The server has become another version: the Desktop becomes the one that belongs to it.
    pub(super) async fn desktop_follows(&mut self, to: &str, refused: bool) -> Result<String> {
        let computer = self.computer()?;
        let before = computer.look()?;
        let expected = if refused { "refused" } else { "online" };
        ensure!(
            before.standing == expected && before.version != to,
            "before, it shows {before:?}"
        );
        let bytes = computer.follow(to).await?;
        let after = computer.look()?;
        ensure!(
            after.version == to && after.standing == "online",
            "it shows {after:?}"
        );
        Ok(format!(
            "from {}, which was {}; {bytes} bytes downloaded",
            before.version, before.standing
        ))
    }

    /// The server's update failed: the Desktop has nothing to do.
    pub(super) async fn desktop_stays(&mut self, at: &str) -> Result<String> {
        let computer = self.computer()?;
        let wanted = computer.wanted()?;
        ensure!(wanted.is_none(), "{wanted:?} is offered");
        let shown = computer.look()?;
        ensure!(
            shown.version == at && shown.standing == "online",
            "it shows {shown:?}"
        );
        Ok(format!("{} contacts in it", shown.contacts))
    }

    /// The server is gone: the Desktop says so, and shows what it had.
    pub(super) async fn desktop_alone(&mut self) -> Result<String> {
        let shown = self.computer()?.look()?;
        ensure!(
            shown.standing == "offline" && shown.contacts > 0,
            "it shows {shown:?}"
        );
        Ok(format!("offline, with {} contacts", shown.contacts))
    }

    fn computer(&self) -> Result<&Computer> {
        self.computer.as_ref().context("no Desktop is installed")
    }
}
