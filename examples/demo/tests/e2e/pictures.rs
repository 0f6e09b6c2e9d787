//! The documentation's pictures.

use std::path::PathBuf;

use anyhow::Result;

use crate::person::Person;

/// Names the folder to put pictures into; without it none are taken.
const FOLDER: &str = "OBNOVA_SCREENSHOTS";

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

impl Person {
    /// Keeps what the window shows as `<name>-<language>.png`.
    pub(crate) async fn takes_picture(&self, name: &str) -> Result<()> {
        let Some(folder) = folder() else {
            return Ok(());
        };
        let file = format!("{name}-{}.png", self.t.lang().tag());
        self.browser.screenshot(folder.join(file)).await
    }

    /// The same, by night.
    pub(crate) async fn takes_picture_in_the_dark(&mut self, name: &str) -> Result<()> {
        self.browser.set_dark(true).await?;
        let taken = self.takes_picture(name).await;
        self.browser.set_dark(false).await?;
        taken
    }

    /// The same, on a phone.
    pub(crate) async fn takes_picture_on_a_phone(&mut self, name: &str) -> Result<()> {
        self.browser.set_size(390, 844).await?;
        let taken = self.takes_picture(name).await;
        self.browser.set_size(1280, 800).await?;
        taken
    }
}
