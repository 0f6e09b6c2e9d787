//! A colleague whose contact is on its way to the CRM while the update begins: the update waits until it has been taken in.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The contact's last name.
pub(crate) const NAME: &str = "Rozepsaná";
const BODY: &str = r#"{"first_name":"Radka","last_name":"Rozepsaná"}"#;

/// A request that has begun and not ended.
pub(crate) struct Saving {
    stream: TcpStream,
    rest: &'static [u8],
}

impl Saving {
    /// Sends all but the last bytes.
    pub(crate) async fn begin(crm: SocketAddr) -> Result<Saving> {
        let mut stream = TcpStream::connect(crm).await?;
        let head = format!(
            "POST /api/contacts HTTP/1.1\r\nHost: {crm}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            BODY.len()
        );
        let (first, rest) = BODY.as_bytes().split_at(8);
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(first).await?;
        Ok(Saving { stream, rest })
    }

    /// Sends the rest; the CRM must have taken it.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.stream.write_all(self.rest).await?;
        let mut answer = String::new();
        let read = self.stream.read_to_string(&mut answer).await;
        read.context("the answer to what was being saved")?;
        let status = answer.lines().next().unwrap_or_default();
        ensure!(status.contains(" 201 "), "it was not saved: {answer}");
        Ok(())
    }
}
