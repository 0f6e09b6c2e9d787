//! `obnova copies`: the protected copies that are kept.

use std::process::ExitCode;

use obnova_engine::api::{Answer, ProtectedCopy, Request, UpdateId};
use obnova_engine::client::Client;
use obnova_text::Text;

use crate::output::{Failed, Output};

/// Lists them, newest first, after deleting one on demand.
pub async fn run(
    client: &Client,
    delete: Option<UpdateId>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let request = match delete {
        Some(update) => Request::DeleteCopy { update },
        None => Request::Copies,
    };
    if let Answer::Copies { copies } = client.call(&request).await.map_err(Failed)? {
        output.print(&copies, |text| match copies.is_empty() {
            true => text.get("cli-no-copies"),
            false => copies
                .iter()
                .map(|copy| line(text, copy))
                .collect::<Vec<_>>()
                .join("\n"),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(text: &Text, copy: &ProtectedCopy) -> String {
    let at = copy.at.strftime("%Y-%m-%d %H:%M");
    let size = obnova_text::bytes(copy.bytes, text.lang());
    let mut line = format!(
        "{:>4}  {at} UTC  {} (-> {})  {size}",
        copy.update, copy.version, copy.to
    );
    if copy.can_revert {
        line.push_str("  ");
        line.push_str(&text.get("cli-copy-can-revert"));
    }
    line
}
